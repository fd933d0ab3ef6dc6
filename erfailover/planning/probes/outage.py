"""Counts the answers of a probe during a run, and derives the outage from them. Pure.

An outage is from the first question that was lost until the first that was answered again, each
counted from when it was asked: known to within the time from one question to the next. What could
not be asked neither begins nor ends one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class OutageInterval:
    """One outage. Seconds since the command began; ``ended_s`` None while it lasts."""

    began_s: float
    ended_s: float | None = None
    lost: int = 1


@dataclass
class OutageMeter:
    """What a continuous probe has answered so far.

    Attributes:
        name, what: the probe.
        every_s: from one question to the next, at least.
        reason: why it could not be asked, the last time that it could not.
        first_s, last_s: when it was first and last asked.
        widest_s: the longest time from one question to the next.
    """

    name: str
    what: str
    every_s: float
    sent: int = 0
    lost: int = 0
    unknown: int = 0
    reason: str | None = None
    first_s: float | None = None
    last_s: float | None = None
    widest_s: float = 0.0
    intervals: list[OutageInterval] = field(default_factory=list)

    def note(self, at_s: float, up: bool | None, reason: str = "") -> None:
        """Count one question.

        Args:
            at_s: when it was asked, in seconds since the command began.
            up: what came back; None if it could not be asked.
            reason: why it could not.
        """
        self.sent += 1
        if up is None:
            self.unknown, self.reason = self.unknown + 1, reason
            return
        if self.first_s is None:
            self.first_s = at_s
        self.widest_s = max(self.widest_s, at_s - (at_s if self.last_s is None else self.last_s))
        self.last_s = at_s
        if up:
            if self.down:
                self.intervals[-1].ended_s = at_s
            return
        self.lost += 1
        if self.down:
            self.intervals[-1].lost += 1
        else:
            self.intervals.append(OutageInterval(at_s))

    @property
    def down(self) -> bool:
        """Whether the last question that could be asked was lost."""
        return bool(self.intervals) and self.intervals[-1].ended_s is None

    def _iter_lengths(self) -> Iterator[float]:
        for interval in self.intervals:
            ended_s = interval.ended_s if interval.ended_s is not None else self.last_s
            yield (ended_s or interval.began_s) - interval.began_s

    def to_data(self) -> dict[str, Any]:
        """Return what was counted, as plain data: what the journal keeps."""
        lengths = list(self._iter_lengths())
        return {
            "name": self.name,
            "what": self.what,
            "every_s": self.every_s,
            "asked": self.sent,
            "lost": self.lost,
            "unknown": self.unknown,
            "reason": self.reason,
            "first_s": _round_s(self.first_s),
            "last_s": _round_s(self.last_s),
            "widest_s": round(self.widest_s, 2),
            "longest_s": round(max(lengths, default=0.0), 2),
            "total_s": round(sum(lengths), 2),
            "down_at_first": bool(self.intervals) and self.intervals[0].began_s == self.first_s,
            "down_at_last": self.down,
            "outages": [
                {
                    "began_s": _round_s(interval.began_s),
                    "ended_s": _round_s(interval.ended_s),
                    "lost": interval.lost,
                }
                for interval in self.intervals
            ],
        }


def _round_s(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
