"""Plain text that all output shares: wrapped lines, names cut short, the names of paths. Pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from erfailover.model.counting import join_names
from erfailover.model.site import Site

PATH_NAMES = {"expressroute": "ExpressRoute", "ipsec": "IPsec"}
DOTS = "..."
"""What replaces the middle of a name; if the screen can show it, ``Screen.dots``."""
NO_PATH = {"none": "on NO path", "unknown": "path unknown"}
"""The words for a spoke that is on neither path."""
CHOSEN = 3
"""So many chosen spokes are named."""


COMMAND = re.compile(r"\s*(?:[\w ,]+:\s+)?(?:erfailover|az|pip|pipx|export|eval|ssh|mkdir) ")
"""How a line begins that is to be typed, after what it is for: ``To go back: erfailover ...``."""


def format_path(path: str) -> str:
    """Return a path as people write it: ``ExpressRoute``, ``IPsec``."""
    return PATH_NAMES.get(path, path)


def cut_middle(text: str, width: int, dots: str = DOTS) -> str:
    """Return a text that is at most so wide, without its middle: ``peer-vnet-erp-...-weu``."""
    if len(text) <= width:
        return text
    room = width - len(dots)
    if room <= 1:
        return text[: max(width, 0)]
    end = room // 2
    return text[: room - end] + dots + text[len(text) - end :]


def cut_long_words(text: str, width: int, dots: str = DOTS) -> str:
    """Return a text whose words are at most so wide, the longer ones without their middle."""
    return " ".join(cut_middle(word, width, dots) for word in text.split(" "))


def wrap(
    text: str,
    width: int,
    first: str = "",
    rest: str | None = None,
    *,
    cut_words: bool = False,
    dots: str = DOTS,
) -> list[str]:
    """Return a text as lines of at most ``width`` columns; no word is broken.

    Args:
        text: what is wrapped.
        width: in columns, what a line begins with included.
        first: what the first line begins with.
        rest: what the others begin with; by default, blanks as wide as ``first``.
        cut_words: leave out the middle of a word that is longer than a line, instead of letting
            it stick out.
        dots: what replaces that middle.
    """
    rest = " " * len(first) if rest is None else rest
    if cut_words:
        room = width - max(len(first), len(rest))
        text = cut_long_words(text, room, dots)
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def wrap_lines(text: str, width: int) -> str:
    """Return a text in lines of at most ``width`` columns, broken at blanks, as they are indented.

    A command to be typed stays in one line: pasted in two, its first half would run alone. A word
    that is longer than a line stays whole.
    """
    lines = []
    for line in text.split("\n"):
        drawn_for_the_screen = "\x1b" in line
        if len(line) <= width or drawn_for_the_screen or COMMAND.match(line):
            lines.append(line)
            continue
        words = line.lstrip(" ")
        indent = line[: len(line) - len(words)]
        lines += wrap(words, width, indent, f"{indent}  ")
    return "\n".join(lines)


def format_subject(site: Site) -> str:
    """Return what is acted on: ``poc``, or ``vnet1 of poc`` if some spokes were chosen."""
    return f"{join_names(site.chosen, CHOSEN)} of {site.name}" if site.chosen else site.name


def limit_lines(lines: Sequence[str], most: int = 3) -> list[str]:
    """Return lines, at most so many, and one that says how many more there are."""
    more = len(lines) - most
    return (
        list(lines) if more <= 1 else [*lines[:most], f"and {more} more (use -o json to list all)"]
    )


def describe_no_path(spokes: Sequence[str]) -> str:
    """Return the sentence that some spokes have no path: ``vnet1 has NO path``."""
    return f"{join_names(spokes, 12)} {'has' if len(spokes) == 1 else 'have'} NO path"
