"""A page as what can be run of it: command blocks with their marks, and the places of output.

A command block is a fence of the language ``sh``. A comment before it says what is done with it;
without one it is run, in the page's order and in one shell, and every command must end with 0.

- ``<!-- run: exit 6 -->``: its last command must end with that code
- ``<!-- run: answered -->``: a person answers y; ``--yes`` stands for that
- ``<!-- run: not here, REASON -->``: not run; every erfailover command in it must parse
- ``<!-- run: by FILE -->``: not run; every line of it must stand in that file of the repository

Commands that the reader does not see stand in a comment of their own: ``<!-- run: hidden`` on one
line, the commands, ``-->`` on the last. Where output goes stands between ``<!-- output:NAME -->``
and ``<!-- /output:NAME -->``. Pure: runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is done with a command block."""

    RUN = "run"
    HIDDEN = "hidden"
    NOT_HERE = "not here"
    ELSEWHERE = "by"


@dataclass(frozen=True)
class Block:
    """A command block.

    Attributes:
        kind: what is done with it.
        commands: one a line, continued lines joined.
        line: of the page, for messages.
        exit_code: how the last command must end.
        answered: whether ``--yes`` stands for a person's answers.
        told: the reason for not running it, or the file that runs it.
    """

    kind: Kind
    commands: tuple[str, ...]
    line: int
    exit_code: int = 0
    answered: bool = False
    told: str = ""


@dataclass(frozen=True)
class Place:
    """Where output goes: its name, and the number of the blocks before it."""

    name: str
    blocks_before: int


class BadMark(ValueError):
    """A comment that begins like a mark and is none."""


_PARTS = re.compile(
    r"^<!-- run: hidden\n(?P<hidden>.*?)^-->$"
    r"|^<!-- run: (?P<mark>[^\n]*?) -->\n"
    r"|^<!-- output:(?P<place>\S+) -->$"
    r"|^```sh\n(?P<shown>.*?)^```$"
    r"|^```[^\n]*\n.*?^```$",
    re.MULTILINE | re.DOTALL,
)


def read(page: str) -> tuple[list[Block], list[Place]]:
    """The command blocks of a page in their order, and the places of output between them.

    Raises:
        BadMark: a mark that says nothing known, or one without a block.
    """
    blocks: list[Block] = []
    places: list[Place] = []
    mark: tuple[str, int] | None = None
    for match in _PARTS.finditer(page):
        line = page.count("\n", 0, match.start()) + 1
        if match["mark"] is not None:
            mark = match["mark"], match.end()
        elif match["place"]:
            places.append(Place(match["place"], len(blocks)))
        elif match["hidden"] is not None:
            blocks.append(Block(Kind.HIDDEN, _commands(match["hidden"]), line))
        elif match["shown"] is not None:
            message = mark[0] if mark and not page[mark[1] : match.start()].strip() else ""
            blocks.append(_block(message, _commands(match["shown"]), line))
            mark = None
        if mark is not None and match["mark"] is None:
            raise BadMark(f"line {line}: the mark {mark[0]!r} stands before no block")
    return blocks, places


def _block(mark: str, commands: tuple[str, ...], line: int) -> Block:
    if not mark:
        return Block(Kind.RUN, commands, line)
    if mark == "answered":
        return Block(Kind.RUN, commands, line, answered=True)
    if match := re.fullmatch(r"exit (\d+)(, answered)?", mark):
        return Block(Kind.RUN, commands, line, int(match[1]), answered=bool(match[2]))
    if match := re.fullmatch(r"not here, (.+)", mark):
        return Block(Kind.NOT_HERE, commands, line, told=match[1])
    if match := re.fullmatch(r"by (\S+)", mark):
        return Block(Kind.ELSEWHERE, commands, line, told=match[1])
    raise BadMark(f"line {line}: what is {mark!r}?")


def _commands(text: str) -> tuple[str, ...]:
    lines = text.replace("\\\n", " ").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def insert_outputs(page: str, outputs: Mapping[str, str]) -> str:
    """The page with each output in its place; trailing blanks are taken off.

    Raises:
        BadMark: an output that has no place in the page.
    """
    for name, output in outputs.items():
        lines = "\n".join(line.rstrip() for line in output.strip("\n").splitlines())
        marked = f"<!-- output:{name} -->\n```text\n{lines}\n```\n<!-- /output:{name} -->"
        pattern = f"<!-- output:{re.escape(name)} -->.*?<!-- /output:{re.escape(name)} -->"
        page, count = re.subn(pattern, _make_literal(marked), page, flags=re.DOTALL)
        if count != 1:
            raise BadMark(f"output:{name} has {count} places; expected one")
    return page


def _make_literal(text: str) -> Callable[[re.Match[str]], str]:
    """A replacement in which no backslash means anything."""
    return lambda _: text
