"""The product and its documentation use no phrase that ``docs/concepts.md`` bans."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import click
import pytest

from erfailover.cli.main import cli
from erfailover.lab.cli.main import main as lab
from tests.tools.docs import prose
from tests.tools.docs.prose import Prose
from tests.tools.docs.shell import ROOT

PAGE = "docs/concepts.md"
HEADING = "## Words we do not use"
OTHER_WORDS = ("stand-in", "stand-ins", "stands in for", "stand in for", "stands by")
"""Expressions that contain a banned word with another meaning."""


@dataclass(frozen=True)
class Quotation:
    """A text that must keep a banned phrase, because it quotes another program."""

    file: str
    text: str
    reason: str


QUOTATIONS = (
    Quotation(
        "erfailover/lab/providers/network/peering.py",
        "virtual network {} has a gateway of its own.",
        "imitates Azure's message for remote gateways on a VNet with a gateway",
    ),
    Quotation(
        "erfailover/lab/auth/errors.py",
        "action(s) '{}' on the linked scope(s) '{}' (respectively) or the linked scope(s) are",
        "Azure's message of LinkedAuthorizationFailed",
    ),
    Quotation(
        "erfailover/lab/auth/errors.py",
        "because following scope(s) are locked",
        "Azure's message of ScopeLocked",
    ),
    Quotation(
        "erfailover/lab/core/errors.py",
        "Failed to perform 'write' on resource(s) of type",
        "Azure's message of ParentResourceNotFound",
    ),
    Quotation(
        "docs/troubleshooting.md",
        "`gateway of its own`",
        "the words of Azure's message, by which a reader searches the page",
    ),
    Quotation(
        "erfailover/lab/linux/agent/disks.py",
        "x:65534:65534:nobody",
        "an entry of /etc/passwd",
    ),
)


def read_table(page: str) -> tuple[str, ...]:
    """Return the phrases in the first column of the table, in its order."""
    table = page[page.index(f"{HEADING}\n") :]
    rows = [row for row in table.splitlines() if row.startswith("| `")]
    return tuple(phrase for row in rows for phrase in re.findall(r"`([^`]+)`", row.split("|")[1]))


def read_page() -> str:
    return (ROOT / PAGE).read_text(encoding="utf-8")


def to_pattern(phrases: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern of whole phrases in any case, also across line ends."""
    lines = [
        (r"\b" if phrase[0].isalnum() else r"(?<=\w)")
        + r"\s+".join(map(re.escape, phrase.split()))
        + (r"\b" if phrase[-1].isalnum() else "")
        for phrase in sorted(phrases, key=len, reverse=True)
    ]
    return re.compile("|".join(lines), re.IGNORECASE)


BANNED = read_table(read_page())
PRODUCT = tuple(prose.read_product_prose())


def problems(texts: Iterable[Prose], quotations: Sequence[Quotation] = QUOTATIONS) -> Iterator[str]:
    """Yield the place and the phrase of every banned phrase."""
    banned, other = to_pattern(BANNED), to_pattern(OTHER_WORDS)
    for text in texts:
        allowed = [match.span() for match in other.finditer(text.text)]
        for quotation in quotations:
            at = text.text.find(quotation.text)
            if quotation.file == text.file and at >= 0:
                allowed.append((at, at + len(quotation.text)))
        for match in banned.finditer(text.text):
            if not any(begin <= match.start() < end for begin, end in allowed):
                line = text.line + text.text.count("\n", 0, match.start())
                yield f"{text.file}:{line}: {' '.join(match[0].split())}"


def test_product_uses_no_banned_phrase() -> None:
    lines = sorted(set(problems(PRODUCT)))
    assert lines == [], "\n".join(lines)


@pytest.mark.parametrize(("command", "name"), [(cli, "erfailover"), (lab, "erfailover lab")])
def test_help_uses_no_banned_phrase(command: click.Command, name: str) -> None:
    texts = list(prose.read_command_prose(command, name))
    assert len(texts) > 30
    assert list(problems(texts)) == []


def test_pages_use_no_banned_phrase() -> None:
    texts = [
        Prose(page.file, page.line, page.text.partition(HEADING)[0]) if page.file == PAGE else page
        for page in prose.read_docs_prose()
    ]
    lines = list(problems(texts))
    assert lines == [], "\n".join(lines)


@pytest.mark.parametrize("quotation", QUOTATIONS, ids=lambda quotation: quotation.text)
def test_every_quotation_is_needed(quotation: Quotation) -> None:
    texts = [
        of_page
        for of_page in (*PRODUCT, *prose.read_docs_prose())
        if of_page.file == quotation.file
    ]
    others = [item for item in QUOTATIONS if item != quotation]
    assert set(problems(texts)) < set(problems(texts, others))


def test_the_table_is_read() -> None:
    assert BANNED[:3] == ("nobody", "somebody", "anybody")
    assert "(s)" in BANNED
    assert len(BANNED) == len(set(BANNED))


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('"""Return what the operator\nis told."""\n', ["m.py:2: told"]),
        ("x = 1  # Nobody asks\n", ["m.py:1: Nobody"]),
        ("# a lease that\n# stands alone\n", ["m.py:2: stands"]),
        ('x = 2\ny = f"{x} spoke(s)"\n', ["m.py:2: (s)"]),
        ('y = ("a gateway of "\n     "its own")\n', ["m.py:1: of its own"]),
        ("y = f\"{x} is al\"\n'ready so'\n", []),
        ("told = {'told': told}\n", []),
        ('"""Say it.\n\nAttributes:\n    told: in words.\n"""\n', []),
        ("x = 'a VPN that stands in for ExpressRoute, the stand-in'\n", []),
        ("x = 'an understanding'\n", []),
    ],
)
def test_a_bad_sentence_in_a_module_is_found(source: str, lines: list[str]) -> None:
    assert list(problems(prose.read_module_prose("m.py", source))) == lines


def test_a_bad_sentence_in_a_schema_is_found_and_its_keys_are_names() -> None:
    schema = {"properties": {"told": {"description": "Whether it stands."}}}
    assert list(problems(prose.read_schema_prose("s.json", schema))) == ["s.json:1: stands"]


def test_a_bad_sentence_in_help_is_found() -> None:
    option = click.Option(["--port"], help="A free one unless told.")
    command = click.Command("up", help="Mend it.", params=[option])
    group = click.Group("lab", help="The lab.", commands=[command])
    assert list(problems(prose.read_command_prose(group, "lab"))) == [
        "lab up:1: Mend",
        "lab up --port:1: told",
    ]


def test_a_bad_sentence_on_a_page_is_found_and_outputs_are_not_read() -> None:
    page = "One.\n<!-- output:a -->\nnobody\n<!-- /output:a -->\nIt heeds\n\none in\nten.\n"
    assert list(problems([prose.read_page_prose("p.md", page)])) == [
        "p.md:5: heeds",
        "p.md:7: one in ten",
    ]
