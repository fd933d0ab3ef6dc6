"""A true world, and what the readings of a watcher make of it: gaps, lies, flapping, ignorance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from random import Random

from erfailover.model.watch import Signal
from erfailover.model.watch_settings import MaintenanceWindow, Watch
from tests.tools.detector_hours.spans import Span, Spans

HOUR_S = 3600.0
START = 1_800_000_000.0
"""The wall time at which a world begins."""
APART_S = 60.0
"""At least this long between the lies of two signals: longer than a reading lasts."""


@dataclass
class World:
    """What happens in some hours. A signal tells the truth unless it lies or is unknown.

    Attributes:
        down: when the primary path is down.
        lies: when each signal shows the opposite.
        unknown: when each signal cannot be read.
        silent: when no reading gets an answer (throttling, or nothing of the site can be read).
        cut_off: when the watcher reaches neither its witness nor anything else.
        unready, backup_unknown: when the backup is not ready, and when that cannot be read.
        pauses, operators: when the watch is paused, and when an operator's run holds the lease.
    """

    rules: Watch
    hold_time_s: float
    signals: tuple[Signal, ...]
    start: float
    end: float
    down: Spans
    lies: dict[Signal, Spans]
    unknown: dict[Signal, Spans]
    silent: Spans
    cut_off: Spans
    unready: Spans
    backup_unknown: Spans
    pauses: Spans
    operators: Spans

    def list_obstacles(self) -> list[Spans]:
        """When a switch cannot be expected, whatever the watch does."""
        mute = {
            signal: Spans([*self.lies[signal].spans, *self.unknown[signal].spans])
            for signal in self.signals
        }
        too_few = [
            part
            for first, second in combinations(mute.values(), 2)
            for start, end in first.spans
            for part in second.clip(start, end)
        ]
        if len(self.signals) == 2:
            too_few = [span for spans in mute.values() for span in spans.spans]
        ended = [(end, end + self.rules.cooldown_s) for _, end in self.operators.spans]
        return [
            Spans(too_few),
            self.silent,
            self.cut_off,
            self.unready,
            self.backup_unknown,
            self.pauses,
            self.operators,
            Spans(ended),
            Spans(self._list_windows()),
        ]

    def _list_windows(self) -> Iterator[Span]:
        """The open maintenance windows, minute by minute, in a way of its own."""
        for window in self.rules.maintenance:
            opens, closes = (_minutes(text) for text in (window.start, window.end))
            minute = self.start - self.start % 60
            while minute < self.end:
                of_day, day = int(minute // 60 % 1440), int(minute // 86400 + 3) % 7
                begun = day if of_day >= opens else (day - 1) % 7
                inside = (
                    opens <= of_day < closes
                    if opens < closes
                    else of_day >= opens or of_day < closes
                )
                names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
                if inside and (not window.days or names[begun] in window.days):
                    yield minute, minute + 60
                minute += 60


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def build_world(random: Random, hours: float) -> World:
    """Make up a world; the same random numbers make the same one."""
    start, end = START + random.uniform(0, 7 * 86400), 0.0
    end = start + hours * HOUR_S
    signals = tuple(Signal) if random.random() < 0.6 else (Signal.GATEWAY, Signal.PROBES)
    rules = Watch(
        mode="automatic",
        interval_s=random.choice([10.0, 30.0, 30.0]),
        edge_sessions=Signal.EDGE in signals,
        probes=("office",),
        cooldown_s=random.choice([300.0, 1800.0]),
        max_switches_per_day=random.choice([2, 4, 20, 20]),
        maintenance=random.choice(
            [
                (),
                (MaintenanceWindow("20:00", "06:00"),),
                (MaintenanceWindow("12:00", "12:30", ("mon", "sat")),),
            ]
        ),
        failback=random.choice(["automatic", "automatic", "manual"]),
    )

    def scatter(every_h: float, last: Callable[[], float]) -> list[Span]:
        spans, at = [], start
        while (at := at + random.expovariate(1 / (every_h * HOUR_S))) < end:
            spans.append((at, at := min(at + last(), end)))
        return spans

    def flap() -> list[Span]:
        return [
            part for span in scatter(8, lambda: random.uniform(60, 900)) for part in toggle(span)
        ]

    def toggle(span: Span) -> Iterator[Span]:
        at, quick = span[0], random.uniform(2, 60)
        while at < span[1]:
            lasts = random.expovariate(1 / quick)
            yield at, min(at + lasts, span[1])
            at += lasts + random.expovariate(1 / quick)

    def short() -> float:
        return random.choice([random.uniform(1, 20), random.uniform(20, 120)])

    def medium() -> float:
        return random.choice([random.uniform(1, 60), random.uniform(60, 1200)])

    def long() -> float:
        return random.choice([short(), random.uniform(120, 1200), random.uniform(1200, 4 * HOUR_S)])

    down = Spans([*scatter(3, long), *flap()])
    return World(
        rules=rules,
        hold_time_s=random.choice([60.0, 120.0, 600.0]),
        signals=signals,
        start=start,
        end=end,
        down=down,
        lies=_build_lies(
            random, signals, down, [*scatter(0.5, medium), *scatter(12, long)], toggle
        ),
        unknown={signal: Spans(scatter(1.5, medium)) for signal in signals},
        silent=Spans(scatter(2, medium)),
        cut_off=Spans(scatter(4, medium)),
        unready=Spans(scatter(12, long)),
        backup_unknown=Spans(scatter(3, medium)),
        pauses=Spans(scatter(6, long)),
        operators=Spans(scatter(12, medium)),
    )


def _build_lies(
    random: Random,
    signals: tuple[Signal, ...],
    down: Spans,
    spans: list[Span],
    toggle: Callable[[Span], Iterator[Span]],
) -> dict[Signal, Spans]:
    """One liar at a time: a table that lags at a failure's beginning or end, or any lie."""
    for began, ended in down.spans:
        spans.append((began, min(ended, began + random.uniform(5, 170))))
        spans.append((ended, ended + random.uniform(1, 60)))
    random.shuffle(spans)
    taken: list[Span] = []
    lies: dict[Signal, list[Span]] = {signal: [] for signal in signals}
    busy = Spans()
    for start, end in spans:
        if busy.touches(start - APART_S, end + APART_S):
            continue
        signal = random.choice(signals)
        lies[signal] += toggle((start, end)) if random.random() < 0.2 else [(start, end)]
        taken.append((start, end + APART_S))
        busy = Spans(taken)
    return {signal: Spans(parts) for signal, parts in lies.items()}
