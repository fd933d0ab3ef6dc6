"""What the documentation says is what there is: generated pages, command blocks, outputs."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.tools.docs.blocks import BadMark, Block, Kind, insert_outputs, read
from tests.tools.docs.generated import GENERATED
from tests.tools.docs.pages import PAGES, README, START, Page
from tests.tools.docs.shell import ROOT
from tests.tools.docs.walking import list_unparsed, missing, not_in_file


def blocks_of(page: Page) -> list[Block]:
    return read((ROOT / page.file).read_text(encoding="utf-8"))[0]


@pytest.mark.parametrize("file", GENERATED)
def test_generated_pages_are_what_the_code_says_today(file: str) -> None:
    written = (ROOT / file).read_text(encoding="utf-8")
    assert written == GENERATED[file](), f"scripts/update-docs {file}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.file)
def test_what_is_not_run_parses_or_is_run_elsewhere(page: Page) -> None:
    problems = []
    for block in blocks_of(page):
        if block.kind is Kind.NOT_HERE:
            problems += list_unparsed(block)
        if block.kind is Kind.ELSEWHERE:
            problems += not_in_file(block)
    assert problems == []


def test_no_command_block_of_readme_or_start_is_passed_over() -> None:
    kinds = {page.file: Counter(block.kind for block in blocks_of(page)) for page in PAGES}
    for page in (README, START):
        text = (ROOT / page.file).read_text(encoding="utf-8")
        fences = sum(
            line.startswith(("```sh", "```console", "```bash")) for line in text.split("\n")
        )
        assert fences == sum(kinds[page.file].values()) - kinds[page.file][Kind.HIDDEN]
    assert kinds[README.file][Kind.NOT_HERE] >= 1
    assert kinds[START.file][Kind.NOT_HERE] == 0
    assert kinds[START.file][Kind.RUN] >= 10


def test_every_output_of_a_page_was_written_into_it() -> None:
    for page in PAGES:
        text = (ROOT / page.file).read_text(encoding="utf-8")
        names = {place.name for place in read(text)[1]}
        assert set(page.cuts) <= names, page.file
        for name in names:
            assert f"<!-- output:{name} -->\n```text\n" in text, f"scripts/update-docs {page.file}"


def test_a_block_is_run_unless_a_mark_says_otherwise() -> None:
    page = """
```sh
one   # said
two \\
  --three
```

<!-- run: exit 6, answered -->

```sh
four
```

<!-- run: not here, there is no Azure here -->
```sh
five
```

<!-- run: hidden
six
-->

<!-- output:name -->
<!-- /output:name -->

```yaml
seven: 7
```
"""
    blocks, places = read(page)
    assert [block.kind for block in blocks] == [Kind.RUN, Kind.RUN, Kind.NOT_HERE, Kind.HIDDEN]
    assert blocks[0].commands == ("one   # said", "two    --three")
    assert (blocks[1].exit_code, blocks[1].answered) == (6, True)
    assert blocks[2].told == "there is no Azure here"
    assert [(place.name, place.blocks_before) for place in places] == [("name", 4)]


@pytest.mark.parametrize(
    "page",
    [
        "<!-- run: now and then -->\n\n```sh\none\n```\n",
        "<!-- run: exit 6 -->\n\n```yaml\na: 1\n```\n",
    ],
    ids=["unknown", "before no block"],
)
def test_a_mark_that_says_nothing_is_told(page: str) -> None:
    with pytest.raises(BadMark, match="line"):
        read(page)


def test_an_output_without_a_place_is_told() -> None:
    assert insert_outputs("<!-- output:a -->\n<!-- /output:a -->", {"a": "x  \n"}) == (
        "<!-- output:a -->\n```text\nx\n```\n<!-- /output:a -->"
    )
    with pytest.raises(BadMark, match="output:b has 0 places"):
        insert_outputs("<!-- output:a -->\n<!-- /output:a -->", {"b": "x"})


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("erfailover switch --to ipsec --dry-run", ""),
        ("erfailover lab fault load faults.yaml", ""),
        ("erfailover --version", ""),
        ("erfailover swicth", "has no command 'swicth'"),  # codespell:ignore swicth
        ("erfailover switch --too ipsec", "No such option"),
        ("erfailover switch --to vpn", "'vpn' is not"),
        ("erfailover lab fault", "needs a command"),
    ],
)
def test_a_command_line_that_cannot_be_parsed_is_told(command: str, problem: str) -> None:
    lines = list_unparsed(Block(Kind.NOT_HERE, (command,), 1))
    assert bool(lines) == bool(problem)
    assert problem in "".join(lines)


def test_outputs_are_compared_up_to_numbers_and_the_width_of_tables() -> None:
    printed = "vnet1 is on IPsec.\nafter 12.5 s\n ─────────\n"
    assert missing("vnet1 is on IPsec.\nafter 1 min 9 s\n ───\n...\n", printed) == []
    assert missing("vnet1 is on ExpressRoute.", printed) == ["vnet1 is on ExpressRoute."]
