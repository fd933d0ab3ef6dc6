"""Marks, signs and words for how well something is, in one place for all output. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from erfailover.model.conditions import Condition, ConditionStatus, Weight


class Mark(StrEnum):
    """How an element is rated."""

    SOUND = "sound"
    DEGRADED = "degraded"
    """It works, but not as it should."""
    BROKEN = "broken"
    UNKNOWN = "unknown"
    ABSENT = "absent"
    """It is not there, and need not be: the peerings with the backup hub, before a switch."""


WORST_FIRST = (Mark.BROKEN, Mark.UNKNOWN, Mark.DEGRADED, Mark.SOUND, Mark.ABSENT)

MARK_OF_VERDICT = {
    ConditionStatus.HOLDS: Mark.SOUND,
    ConditionStatus.FAILS: Mark.BROKEN,
    ConditionStatus.UNKNOWN: Mark.UNKNOWN,
}
MARK_OF_HEALTH = {True: Mark.SOUND, False: Mark.BROKEN, None: Mark.UNKNOWN}

MARK_WORD = {
    Mark.SOUND: "ok",
    Mark.DEGRADED: "degraded",
    Mark.BROKEN: "broken",
    Mark.UNKNOWN: "unknown",
}
VERDICT_WORD = {
    ConditionStatus.HOLDS: "ok",
    ConditionStatus.FAILS: "FAILS",
    ConditionStatus.UNKNOWN: "unknown",
}
HEALTH_WORD = {True: "healthy", False: "NOT healthy", None: "health unknown"}
SHORT_HEALTH_WORD = HEALTH_WORD | {None: "unknown"}
"""For places that say themselves that they are about health."""

COLOUR = {
    Mark.SOUND: "green",
    Mark.DEGRADED: "yellow",
    Mark.BROKEN: "bold red",
    Mark.UNKNOWN: "yellow",
    Mark.ABSENT: "dim",
}
SIGN = {
    Mark.SOUND: "✓",
    Mark.DEGRADED: "!",
    Mark.BROKEN: "✗",
    Mark.UNKNOWN: "?",
    Mark.ABSENT: "-",
}
ASCII_SIGN = SIGN | {Mark.SOUND: "ok", Mark.BROKEN: "X"}


@dataclass(frozen=True, slots=True)
class Assessment:
    """A mark and its reason in words; of what is sound, what was seen."""

    mark: Mark
    why: str

    @classmethod
    def from_condition(cls, condition: Condition) -> Assessment:
        """Return a condition as a mark and its reason."""
        return cls(MARK_OF_VERDICT[condition.status], condition.message)

    @property
    def rank(self) -> int:
        """The place in a list that has the worst first."""
        return WORST_FIRST.index(self.mark)

    @property
    def good(self) -> bool:
        """Whether nothing is wrong: sound, or rightly absent."""
        return self.mark in (Mark.SOUND, Mark.ABSENT)


def find_worst(of: Iterable[Assessment]) -> Assessment | None:
    """Return the worst of several conditions, the first of its kind; None if there are none."""
    return min(of, key=lambda assessment: assessment.rank, default=None)


def format_condition(condition: Condition) -> str:
    """Return a condition behind the word of its status; warnings and notes have their own."""
    word = VERDICT_WORD[condition.status]
    if condition.status is ConditionStatus.FAILS and condition.weight is Weight.WARNS:
        word = "warning"
    elif condition.status is ConditionStatus.HOLDS and condition.weight is Weight.NOTES:
        word = "note"
    return f"{word:>7}  {condition.message}"


def format_verdict(verdict: ConditionStatus, message: str) -> str:
    """Return what was seen behind the word of its verdict, in a column: ``  FAILS  ...``."""
    return f"{VERDICT_WORD[verdict]:>7}  {message}"
