"""What the watch reports of drills."""

from __future__ import annotations

from datetime import UTC, datetime

from erfailover.model.history import DRILL_RUN, RunRecord
from erfailover.model.watch import EventType, Severity
from erfailover.planning.watch.drills import iter_drill_events

NOW = datetime(2026, 11, 29, tzinfo=UTC).timestamp()
DAY_S = 86400.0


def drill(id_: str, days_ago: float, outcome: str = "done") -> RunRecord:
    ended = datetime.fromtimestamp(NOW - days_ago * DAY_S, UTC).isoformat()
    return RunRecord(
        id_, DRILL_RUN, ended, ended=ended, outcome=outcome, result={"there": {"run": "x"}}
    )


def list_types(runs: list[RunRecord], days: int, known: set[str]) -> list[str]:
    return [str(event.type) for event in iter_drill_events("poc", runs, NOW, days, known)]


def test_a_drill_that_never_took_place_is_due_once() -> None:
    (event,) = iter_drill_events("poc", [], NOW, 90, set())
    assert event.type is EventType.DRILL_DUE
    assert "erfailover drill run --canary SPOKE" in event.text
    assert list_types([], 90, {event.id}) == []
    assert list_types([], 0, set()) == []


def test_it_is_due_again_after_the_days() -> None:
    assert list_types([drill("a", 89)], 90, set()) == []
    assert list_types([drill("a", 91)], 90, set()) == ["drill_due"]


def test_a_failed_drill_is_critical_and_does_not_count() -> None:
    runs = [drill("a", 95), drill("b", 0.1, "failed")]
    ended, due = iter_drill_events("poc", runs, NOW, 90, set())
    assert (ended.type, ended.severity, ended.resolves) == (
        EventType.DRILL_ENDED,
        Severity.CRITICAL,
        False,
    )
    assert due.type is EventType.DRILL_DUE


def test_the_end_of_a_drill_is_reported_once_and_resolves() -> None:
    (event,) = iter_drill_events("poc", [drill("a", 0.1)], NOW, 90, set())
    assert (event.severity, event.resolves) == (Severity.INFO, True)
    assert list_types([drill("a", 0.1)], 90, {event.id}) == []
    assert list_types([drill("a", 1.1)], 90, set()) == []
