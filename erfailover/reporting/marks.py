"""Marks of what is drawn: how well something is, and which mark is the worst. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """What is to be thought of an element."""

    SOUND = "sound"
    DEGRADED = "degraded"
    """It works, but not as it should."""
    BROKEN = "broken"
    UNKNOWN = "unknown"
    ABSENT = "absent"
    """It is not there, and need not be: the peerings with the backup hub, before a switch."""


WORST_FIRST = (Mark.BROKEN, Mark.UNKNOWN, Mark.DEGRADED, Mark.SOUND, Mark.ABSENT)


@dataclass(frozen=True, slots=True)
class Condition:
    """A mark and its reason in words; of what is sound, what was seen."""

    mark: Mark
    why: str

    @property
    def good(self) -> bool:
        """Whether nothing is wrong: sound, or rightly absent."""
        return self.mark in (Mark.SOUND, Mark.ABSENT)


def worst(of: Iterable[Condition]) -> Condition | None:
    """The worst of several conditions, the first of its kind; None where there are none."""
    return min(of, key=lambda each: WORST_FIRST.index(each.mark), default=None)
