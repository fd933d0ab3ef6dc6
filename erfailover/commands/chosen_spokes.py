"""Finds the spokes that ``--spoke`` names in the site file. Asks Azure nothing."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from erfailover.errors import UsageFailure
from erfailover.model.counting import join_names
from erfailover.model.site import Site

NAMED = 5
"""So many spokes of the site are named; of more, how many they are."""


def resolve_spokes(site: Site, names: Sequence[str], option: str = "--spoke") -> tuple[str, ...]:
    """Return the names of spokes as the site file writes them.

    Args:
        site: the whole site.
        names: what was typed, in any case: Azure's names have none.
        option: the option that it was typed for.

    Raises:
        UsageFailure: the site has no spoke of a name.
    """
    by_name = {spoke.name.lower(): spoke.name for spoke in site.spokes}
    for name in names:
        if name.lower() not in by_name:
            close = get_close_matches(name.lower(), by_name, 1, 0.5)
            meant = f"Did you mean {by_name[close[0]]}? " if close else ""
            there = join_names(list(by_name.values()), NAMED)
            raise UsageFailure(
                f"{option} {name}: {site.name} has no such spoke",
                f"{meant}The spokes of {site.name}: {there}",
            )
    return tuple(dict.fromkeys(by_name[name.lower()] for name in names))
