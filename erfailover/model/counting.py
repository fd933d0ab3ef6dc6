"""Counts and lists of names in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable

NAMED = 3
"""So many names of a list are shown; of more, how many."""


def format_count(number: int, noun: str) -> str:
    """Return a count with its noun: ``1 peering``, ``5 peerings``, ``2 addresses``.

    Args:
        number: how many.
        noun: in the singular; a phrase whose last word takes the plural.
    """
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("y"):
        return f"{number} {noun[:-1]}ies"
    return f"{number} {noun}{'es' if noun.endswith(('s', 'sh', 'x')) else 's'}"


def join_names(names: Iterable[object], most: int = NAMED, comma: str = ", ") -> str:
    """Return names in one line, at most so many: ``spoke1, spoke2 and 236 more``."""
    every = [*map(str, names)]
    more = len(every) - most
    return comma.join(every[:most]) + (f" and {more} more" if more > 0 else "")
