"""Which pages are walked, where, and what of their outputs is shown.

THE table: a page that shows commands or output stands here.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.tools.docs.walking import Cut


@dataclass(frozen=True)
class Page:
    """A page that is walked.

    Attributes:
        file: where it is.
        installed: whether erfailover is there already; otherwise the page installs it.
        cuts: what of an output is shown, by its name; all of it where nothing is said.
    """

    file: str
    installed: bool = True
    cuts: Mapping[str, Cut] = field(default_factory=dict)


class NoSuchMark(ValueError):
    """What a cut looks for is not in the output: the command prints something else now."""


def _find_mark(text: str, mark: str, start: int = 0) -> int:
    count = text.find(mark, start)
    if count < 0:
        raise NoSuchMark(f"{mark!r} is not in:\n{text[start:]}")
    return count


def _line(text: str, mark: str) -> int:
    """Where the line begins that holds a mark."""
    return text.rfind("\n", 0, _find_mark(text, mark)) + 1


def keep_until(*marks: str) -> Cut:
    """An output up to the end of the line that holds the last mark, one mark after the other."""

    def cut(text: str) -> str:
        at = 0
        for mark in marks:
            at = _find_mark(f"{text}\n", "\n", _find_mark(text, mark, at))
        return text[:at]

    return cut


def part(begin: str, end: str) -> Cut:
    """An output from the line of one mark up to another mark, which is left out."""

    def cut(text: str) -> str:
        first = _line(text, begin)
        return text[first : _find_mark(text, end, first + len(begin))]

    return cut


def keep_from(begin: str) -> Cut:
    """An output from the line of a mark on."""
    return lambda text: text[_line(text, begin) :]


def lines_after(mark: str) -> Cut:
    """An output from the line on that follows the one with a mark."""
    return lambda text: text[_find_mark(text, "\n", _find_mark(text, mark)) + 1 :]


def join_cuts(*cuts: Cut) -> Cut:
    """Several parts of an output, with dots between them."""
    return lambda text: "\n...\n".join(cut(text).strip("\n") for cut in cuts)


def then(*cuts: Cut) -> Cut:
    """Several cuts, one after the other."""

    def cut(text: str) -> str:
        for function in cuts:
            text = function(text)
        return text

    return cut


def begin(lines: int) -> Cut:
    """The first lines of an output."""
    return lambda text: "\n".join(text.strip("\n").split("\n")[:lines])


def begin_of(lines: int) -> Cut:
    """The first lines of an output that goes on, and dots for what follows."""
    return lambda text: f"{begin(lines)(text)}\n..."


def paragraphs(number: int) -> Cut:
    """What stands before the blank line of that number, and dots for what follows."""
    return lambda text: "\n\n".join(text.strip("\n").split("\n\n")[:number]) + "\n..."


def end(lines: int) -> Cut:
    """The last lines of an output."""
    return lambda text: "\n".join(text.strip("\n").split("\n")[-lines:])


WRITTEN = " to remove."
"""The last line of a plan: what follows is the run."""

README = Page(
    "README.md",
    cuts={
        "demo": keep_from("Summary (seconds of modelled time)"),
    },
)
START = Page(
    "docs/start.md",
    installed=False,
    cuts={
        "provision": join_cuts(
            then(keep_from("Plan: provision"), begin(8)),
            then(keep_from("Takes about "), begin(5)),
            end(1),
        ),
        "switch": lines_after(WRITTEN),
        "back": then(keep_from("Plan: switch"), lines_after(WRITTEN), keep_until("To go back")),
    },
)
RUNBOOK = Page(
    "docs/runbook.md",
    cuts={
        "switch": lines_after(WRITTEN),
        "back": then(lines_after(WRITTEN), end(10)),
        "not-ready": then(keep_from("Plan: switch"), join_cuts(begin(12), end(3))),
        "unknown": end(2),
        "refused": lines_after(WRITTEN),
        "lease": end(2),
        "go-on": lines_after(WRITTEN),
    },
)
ADOPTING = Page(
    "docs/adopting.md",
    cuts={
        "head": then(keep_from("# Site file of"), part("# Site file of", "# If terraform")),
        "prefixes": part("# The prefixes that", "# The flags of the path"),
        "spoke": part("# vnet-erp: ", "  # vnet-erp-test: "),
        "plan": then(keep_from("Plan: "), begin_of(44)),
        "switch": then(keep_from("hub-weu is on "), begin_of(3)),
        "after": paragraphs(1),
        "terraform": part("import {", "\nimport"),
    },
)


def fold_log(text: str) -> str:
    """The lines of a watch's log about the site poc, without the run's own, folded."""
    lines = [line for line in text.splitlines() if "Z poc: " in line]
    return "\n".join(textwrap.fill(line, 110, subsequent_indent=" " * 14) for line in lines)


WATCH = Page(
    "docs/watch.md",
    cuts={
        "failed": fold_log,
        "approve": join_cuts(begin(2), end(1)),
        "moved": fold_log,
        "back": fold_log,
    },
)


def without_progress(text: str) -> str:
    """A transcript without the progress of each task."""
    progress = re.compile(r" +(started|done|waiting) .*\n")
    return progress.sub("", text)


DATA_PLANE = Page(
    "docs/data-plane.md",
    cuts={
        "up": begin(1),
        "outages": join_cuts(
            part("\n$ # on vm1, by Run Command", "\n== 2."),
            part("ping 10.5.0.4 from vm1, every", "\n== 4."),
            then(keep_from("\n== 5."), part("ping 10.5.0.4 from vm1, every", "\n== 6.")),
            keep_from("Outages by packets"),
        ),
        "story": then(keep_from("$ erfailover init"), without_progress),
    },
)
PAGES = (README, START, RUNBOOK, ADOPTING, WATCH, DATA_PLANE)
