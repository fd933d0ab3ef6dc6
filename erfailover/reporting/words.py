"""Plain text that all output shares: wrapped lines, lists cut short, the names of paths. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from erfailover.model.site import Site

PATH_NAMES = {"expressroute": "ExpressRoute", "ipsec": "IPsec"}
NO_PATH = {"none": "on NO path", "unknown": "path unknown"}
"""The words for a spoke that is on neither path."""
CHOSEN = 3
"""So many chosen spokes are named."""


def path_name(path: str) -> str:
    """Return a path as people write it: ``ExpressRoute``, ``IPsec``."""
    return PATH_NAMES.get(path, path)


def wrap(
    text: str, width: int, first: str = "", rest: str | None = None, *, cut_words: bool = False
) -> list[str]:
    """Return a text as lines of at most ``width`` columns; never broken at a hyphen.

    Args:
        text: what is wrapped.
        width: in columns, what a line begins with included.
        first: what the first line begins with.
        rest: what the others begin with; by default, blanks as wide as ``first``.
        cut_words: cut a word that is longer than a line, instead of letting it stick out.
    """
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=" " * len(first) if rest is None else rest,
        break_long_words=cut_words,
        break_on_hyphens=False,
    )


def join_names(names: Sequence[str], most: int) -> str:
    """Return names in one line, at most so many: ``spoke1, spoke2 and 236 more``."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def subject(site: Site) -> str:
    """Return what is acted on: ``poc``, or ``vnet1 of poc`` if some spokes were chosen."""
    return f"{join_names(site.chosen, CHOSEN)} of {site.name}" if site.chosen else site.name


def few(lines: Sequence[str], most: int = 3) -> list[str]:
    """Return lines, at most so many, and one that says how many more there are."""
    more = len(lines) - most
    return (
        list(lines) if more <= 1 else [*lines[:most], f"and {more} more (use -o json to list all)"]
    )


def without_path(spokes: Sequence[str]) -> str:
    """Return the sentence that some spokes have no path: ``vnet1 has NO path``."""
    return f"{join_names(spokes, 12)} {'has' if len(spokes) == 1 else 'have'} NO path"
