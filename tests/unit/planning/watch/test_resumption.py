"""Which run of a watch is resumed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from erfailover.model.history import RunRecord
from erfailover.model.watch import (
    Observation,
    Signal,
    SignalStatus,
    SpokeState,
    WatchReading,
    WatchState,
)
from erfailover.planning.watch.history import AUTOMATIC_REASON, count_failed_failovers
from erfailover.planning.watch.memory import Memory
from erfailover.planning.watch.resumption import find_run_to_resume

BEGAN = datetime(2026, 11, 29, tzinfo=UTC)
SINCE = BEGAN.timestamp() - 60.0
UP, DOWN, UNKNOWN = SignalStatus.UP, SignalStatus.DOWN, SignalStatus.UNKNOWN


def make_run(
    outcome: str,
    place: str = "target",
    *,
    to: str = "ipsec",
    reason: str = AUTOMATIC_REASON,
    completes: str | None = None,
) -> RunRecord:
    return RunRecord(
        "r",
        "switch",
        BEGAN.isoformat(),
        target=to,
        outcome=outcome,
        reason=reason,
        places={"vnet1": place},
        completes=completes,
    )


def make_reading(gateway: SignalStatus, probes: SignalStatus, *paths: str) -> WatchReading:
    return WatchReading(
        at=0.0,
        signals={Signal.GATEWAY: Observation(gateway), Signal.PROBES: Observation(probes)},
        backup=Observation(UP),
        spokes=tuple(SpokeState(f"vnet{number}", path) for number, path in enumerate(paths)),
    )


SPLIT, MOVED = ("ipsec", "expressroute"), ("ipsec", "ipsec")


@pytest.mark.parametrize(
    ("run", "reading", "is_resumed"),
    [
        (make_run("open", "moving"), make_reading(UP, UP, *SPLIT), True),
        (make_run("failed", "nowhere"), make_reading(UP, UP, *SPLIT), True),
        (make_run("open"), make_reading(DOWN, UP, *SPLIT), True),
        (make_run("open"), make_reading(UNKNOWN, UNKNOWN, *SPLIT), True),
        (make_run("open"), make_reading(UP, UNKNOWN, *SPLIT), False),
        (make_run("open"), make_reading(UP, UP, *MOVED), True),
        (make_run("open", to="expressroute"), make_reading(UP, UP, *SPLIT), True),
        (make_run("done", completes="lost"), make_reading(DOWN, UNKNOWN, *SPLIT), True),
        (make_run("done", completes="lost"), make_reading(UP, UNKNOWN, *SPLIT), False),
        (make_run("failed"), make_reading(DOWN, UNKNOWN, *SPLIT), True),
        (make_run("failed"), make_reading(DOWN, UP, *SPLIT), False),
        (make_run("failed"), make_reading(UNKNOWN, UNKNOWN, *SPLIT), False),
        (make_run("done"), make_reading(DOWN, DOWN, *SPLIT), False),
        (make_run("open", reason="by hand"), make_reading(DOWN, DOWN, *SPLIT), False),
    ],
)
def test_what_is_resumed(run: RunRecord, reading: WatchReading, is_resumed: bool) -> None:
    found = find_run_to_resume([run], reading, Memory(), 3, count_failed_failovers([run], SINCE))
    assert found is (run if is_resumed else None)


def test_a_failover_that_failed_begins_again_so_often_and_not_in_a_pause_or_lockout() -> None:
    run, reading = make_run("failed"), make_reading(DOWN, UP, *MOVED)
    known = Memory(state=WatchState.ON_BACKUP)
    assert find_run_to_resume([run, run], reading, known, 3, 2) is run
    assert find_run_to_resume([run] * 3, reading, known, 3, 3) is None
    assert find_run_to_resume([run], reading, known, 0, 1) is None
    assert find_run_to_resume([run], reading, known.lock_out("why"), 3, 1) is None


def test_what_an_operator_has_touched_is_left_to_people() -> None:
    lost = make_run("open")
    lost.id = "lost"
    by_hand = make_run("done", reason="", completes="lost")
    reading = make_reading(DOWN, DOWN, *SPLIT)
    assert find_run_to_resume([lost, by_hand], reading, Memory(), 3, 0) is None
