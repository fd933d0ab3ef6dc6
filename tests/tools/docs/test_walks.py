"""The pages that a newcomer types from are typed, in an empty home, and come out as they say."""

from __future__ import annotations

import pytest

from tests.tools.docs.pages import RUNBOOK, START, Page
from tests.tools.docs.playing import shell_for
from tests.tools.docs.shell import ROOT
from tests.tools.docs.walking import missing, outputs, walk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DIFFERENT = 0.2


@pytest.mark.parametrize("page", [START, RUNBOOK], ids=lambda page: page.file)
def test_a_page_typed_as_it_stands_does_and_prints_what_it_says(page: Page) -> None:
    file = ROOT / page.file
    with shell_for(page) as shell:
        walked = walk(file, shell)
        printed = outputs(file, walked, page.cuts, shell)
    text = file.read_text(encoding="utf-8")
    for name, output in printed.items():
        detail = text.split(f"<!-- output:{name} -->\n```text\n")[1].split("\n```\n")[0]
        lines = [line for line in detail.splitlines() if line.strip() not in ("", "...")]
        gone = missing(detail, output)
        message = f"{name}: scripts/update-docs {page.file}; not printed: {gone}\n{output}"
        # The outcome stands last. Of progress, what waits how often differs from run to run.
        assert lines[-1] not in gone, message
        assert len(gone) <= len(lines) * DIFFERENT, message
