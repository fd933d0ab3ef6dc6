"""Remarks of an adoption on what a switch to IPsec would leave behind. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from erfailover.model.conditions import Condition, ConditionStatus, Weight
from erfailover.planning.adoption.adopt import Adoption
from erfailover.planning.hazards.scene import DEFAULT_ROUTE, PREFIXES


def add_remarks(adoption: Adoption, conditions: Iterable[Condition]) -> Adoption:
    """Return an adoption with remarks on what a switch to IPsec leaves behind.

    What the remarks on single prefixes already say is not repeated.
    """
    result = (
        {DEFAULT_ROUTE, PREFIXES} if any(not prefix.active for prefix in adoption.prefixes) else ()
    )
    rows = (
        condition.message
        for condition in conditions
        if (condition.status is not ConditionStatus.HOLDS and condition.name not in result)
        or condition.weight is Weight.NOTES
    )
    return replace(adoption, remarks=tuple(dict.fromkeys((*adoption.remarks, *rows))))
