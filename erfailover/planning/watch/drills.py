"""What the watch reports of drills: that one is due, and how one ended. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from erfailover.model.durations import DAY_S
from erfailover.model.history import RunRecord
from erfailover.model.watch import Event, EventType, Severity
from erfailover.planning.drill.due import describe_due, find_last_drill, is_due


def iter_drill_events(
    site: str, runs: Sequence[RunRecord], now: float, due_days: int, known: Collection[str]
) -> Iterator[Event]:
    """Yield the events of drills that were not reported before.

    A drill that ended more than a day ago is not reported: it was no drill of this watch.

    Args:
        site: the site's name.
        runs: its runs, oldest first.
        now: wall seconds since 1970.
        due_days: how many days after a drill the next is due; 0 for never.
        known: the ids of events that were reported.
    """
    last = find_last_drill(runs)
    if last is not None and now - last.at < DAY_S:
        severity = Severity.INFO if last.succeeded else Severity.CRITICAL
        event = Event(
            f"{site}/{EventType.DRILL_ENDED}/{last.run}",
            EventType.DRILL_ENDED,
            site,
            now,
            severity,
            last.describe(now),
            f"{site}/drill",
            resolves=last.succeeded,
        )
        if event.id not in known:
            yield event
    last = find_last_drill(runs, succeeded=True)
    if is_due(last, now, due_days):
        event = Event(
            f"{site}/{EventType.DRILL_DUE}/{last.run if last else 'none'}",
            EventType.DRILL_DUE,
            site,
            now,
            Severity.WARNING,
            describe_due(last, now, due_days),
            f"{site}/drill",
        )
        if event.id not in known:
            yield event
