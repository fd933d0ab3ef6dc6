"""``python -m tests.tools.docs``: writes the generated pages, plays the others, writes what
came out.

Usage: python -m tests.tools.docs [FILE ...]
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from tests.tools.docs.blocks import BadMark, insert_outputs
from tests.tools.docs.generated import GENERATED
from tests.tools.docs.pages import PAGES, NoSuchMark, Page
from tests.tools.docs.playing import shell_for
from tests.tools.docs.shell import ROOT, Stuck
from tests.tools.docs.walking import NotAsWritten, outputs, walk

SIDE_BY_SIDE = 2


def main(files: list[str]) -> None:
    """Play the pages named, or all."""
    unknown = set(files) - {page.file for page in PAGES} - set(GENERATED)
    if unknown:
        sys.exit(f"no page that is written here: {', '.join(sorted(unknown))}")
    for file, text in GENERATED.items():
        if not files or file in files:
            (ROOT / file).write_text(text(), encoding="utf-8")
            print(file, flush=True)
    chosen = [page for page in PAGES if not files or page.file in files]
    # Each has a lab and a home of its own, and mostly waits for the lab's clock.
    with ThreadPoolExecutor(SIDE_BY_SIDE) as players:
        ended = []
        for good, message in players.map(_play, chosen):
            ended.append(good)
            print(message, flush=True)
    sys.exit(not all(ended))


def _play(page: Page) -> tuple[bool, str]:
    """Play a page and write it; whether that went well, and what to say of it."""
    try:
        return True, _update_page(page)
    except (BadMark, NoSuchMark, NotAsWritten, Stuck) as trouble:
        return False, f"{page.file} was NOT written: {trouble}"


def _update_page(page: Page) -> str:
    file = ROOT / page.file
    with shell_for(page) as shell:
        walked = walk(file, shell)
        by_name = outputs(file, walked, page.cuts, shell)
    text = insert_outputs(file.read_text(encoding="utf-8"), by_name)
    file.write_text(text, encoding="utf-8")
    return f"{page.file}: {len(by_name)} outputs, {walked.seconds:.0f} s"


main(sys.argv[1:])
