"""A named condition with its verdict: what holds, fails, or is unknown. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Weight(StrEnum):
    """What a condition that does not hold means for a switch."""

    REFUSES = "refuses"
    """A plan is refused, unless forced."""
    WARNS = "warns"
    """It is reported before the switch, which continues."""
    NOTES = "notes"
    """It always holds: something to know."""


class ConditionStatus(StrEnum):
    """The status of a condition. UNKNOWN is neither of the others and permits nothing."""

    HOLDS = "HOLDS"
    FAILS = "FAILS"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition checked on what was observed."""

    name: str
    """The condition's name, as ``gateway_has_a_connected_bgp_peer``."""
    status: ConditionStatus
    message: str
    """What was seen, and what was expected if it does not hold."""
    remedy: str = ""
    """What to do if it does not hold; empty if nothing is known."""
    spoke: str = ""
    """The only spoke that it concerns; empty if it concerns the site."""
    weight: Weight = Weight.REFUSES
