"""How long writes of peerings usually take, and durations in words. Pure.

The figures are percentiles of recorded operations of public clients, 2019 and later (peerings:
some hundreds), with the second that the first answer itself takes. They are shown as what is
typical, never as a promise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

MEDIAN = 0.5
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
ROUGH_S = 10 * MINUTE_S
"""From so many seconds on, an estimate is rounded to minutes."""
UNITS = (("d", DAY_S), ("h", HOUR_S), ("min", MINUTE_S), ("s", 1))


@dataclass(frozen=True, slots=True)
class DurationEstimate:
    """How long something takes, in seconds.

    Attributes:
        usually_s: half of them took less.
        one_in_ten_s: the 90th percentile.
        quick_s: the 10th percentile.
    """

    usually_s: float
    one_in_ten_s: float
    quick_s: float = 0.0

    def compute_quantile(self, quantile: float) -> float:
        """Return the duration at a quantile: log-linear through the three, and on beyond them."""
        q = min(max(quantile, 0.01), 0.99)
        figures = (self.quick_s or self.usually_s, self.usually_s, self.one_in_ten_s)
        low, middle, high = (math.log(max(figure, 0.1)) for figure in figures)
        if q < MEDIAN:
            return math.exp(low + (middle - low) * (q - 0.1) / 0.4)
        return math.exp(middle + (high - middle) * (q - 0.5) / 0.4)


PEERING_WRITES: Mapping[str, DurationEstimate] = MappingProxyType(
    {
        "create": DurationEstimate(3.0, 14.0, 2.0),
        "update": DurationEstimate(3.0, 13.0, 2.0),
        "delete": DurationEstimate(4.0, 10.0, 1.0),
    }
)
"""Recorded: 10th, 50th and 90th percentile of a creation 1, 2, 13 s, of an update 1, 2, 12 s, each
after a first answer of 1 s; of a deletion 1, 4, 10 s."""

ROUTE_WRITES = DurationEstimate(2.0, 2.0, 1.0)
"""Recorded: a creation, update or deletion of a route takes 1 s, after a first answer of 1 s."""

LEARNING_S = 10.0
"""Until the far end has learned by BGP what has changed (assumed)."""
HOLD_TIME_S = 180.0
"""BGP's hold time: so long a far end may keep the routes of a session that is dead."""


def format_duration(seconds: float) -> str:
    """Return a duration for people: ``45 s``, ``3 min 20 s``, ``1 h 50 min``, ``3 d 4 h``."""
    rest = round(seconds)
    if rest >= HOUR_S:
        rest -= rest % MINUTE_S
    counts = []
    for unit, length in UNITS:
        count, rest = divmod(rest, length)
        counts.append((count, unit))
    lines = [f"{count} {unit}" for count, unit in counts if count]
    return " ".join(lines[:2]) or "0 s"


def format_rough(seconds: float) -> str:
    """Return an estimated duration for people: in whole minutes if it is long."""
    return format_duration(round(seconds / MINUTE_S) * MINUTE_S if seconds >= ROUGH_S else seconds)


def format_precise(seconds: float) -> str:
    """Return a duration to a tenth of a second, unless it is a minute or more: ``12.3 s``."""
    return f"{seconds:.1f} s" if seconds < MINUTE_S else format_duration(seconds)


def describe_usual(usual: DurationEstimate) -> str:
    """Return what is usual, in words: ``typically 3 s, 90th percentile 13 s``."""
    most = format_duration(usual.one_in_ten_s)
    return f"typically {format_duration(usual.usually_s)}, 90th percentile {most}"
