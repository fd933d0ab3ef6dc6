"""Counts in words. Pure."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
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
