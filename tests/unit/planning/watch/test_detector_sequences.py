"""What successive readings lead to: confirmation, gaps, recovery, clocks that go backwards."""

from __future__ import annotations

import pytest

from erfailover.model.watch import WatchReading, WatchState
from erfailover.planning.watch.detector import Step, advance
from erfailover.planning.watch.memory import Memory
from erfailover.planning.watch.table import QUICK_READINGS
from tests.unit.planning.watch.scenes import HOLD_S, NIGHT, RULES, read

FAILED, SUSPECT, HEALTHY = WatchState.FAILED, WatchState.SUSPECT, WatchState.HEALTHY


def play(*readings: WatchReading, memory: Memory | None = None) -> Step:
    """The step of the last reading."""
    memory = memory or Memory()
    for reading in readings:
        step = advance(memory, reading, RULES, HOLD_S)
        memory = step.memory
    return step


def at(signals: str, seconds: float, **more: str) -> WatchReading:
    return read(signals, NIGHT + seconds, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("readings", "state"),
    [
        ([at("DDU", 0), at("DDU", 5)], FAILED),
        ([at("DDU", 0), at("DUD", 5)], FAILED),
        ([at("DDU", 0), at("DDU", 4.99)], SUSPECT),
        ([at("DDU", 0), at("DDU", 0)], SUSPECT),
        ([at("DDU", 0), at("DDU", 4), at("DDU", 8)], FAILED),
        ([at("DDU", 0), at("DDU", 120)], FAILED),
        ([at("DDU", 0), at("DDU", 120.1)], SUSPECT),
        ([at("DDU", 0), at("DDU", 100), at("DDU", 200)], FAILED),
        # One reading in between refutes, or leaves it open.
        ([at("DDU", 0), at("UUU", 5), at("DDU", 10)], SUSPECT),
        ([at("DDU", 0), at("DUU", 5), at("DDU", 10)], SUSPECT),
        ([at("DDU", 0), at("UU?", 5), at("DDU", 10)], SUSPECT),
        ([at("DDU", 0), at("DU?", 5), at("DDU", 10)], FAILED),
        ([at("DDU", 0), at("U??", 5), at("DDU", 10)], FAILED),
        ([at("DDU", 0), at("???", 5), at("DDU", 10)], FAILED),
        ([at("DDU", 0), at("UUU", 5, witness="D"), at("DDU", 10)], FAILED),
        ([at("DDU", 0), at("UUU", 5, place="unread"), at("DDU", 10)], FAILED),
        # What a watcher that is cut off sees does not count at all.
        ([at("DDD", 0, witness="D"), at("DDD", 10)], SUSPECT),
        ([at("DDD", 0), at("DDD", 10, witness="D")], WatchState.UNKNOWN),
        ([at("DDD", 0), at("DDD", 10, witness="?")], WatchState.UNKNOWN),
        ([at("DDD", 0, place="unread"), at("DDD", 10)], SUSPECT),
        # A clock that was set back begins anew.
        ([at("DDD", 3600), at("DDD", 0)], SUSPECT),
        ([at("DDD", 3600), at("DDD", 0), at("DDD", 5)], FAILED),
        ([at("DDD", 0), at("DDD", 5), at("UUU", 10)], HEALTHY),
    ],
)
def test_when_a_failure_is_confirmed(readings: list[WatchReading], state: WatchState) -> None:
    assert play(*readings).state is state


def test_a_failure_stays_failed_however_long_it_lasts() -> None:
    memory = play(at("DDD", 0)).memory
    for number in range(1, 100):
        step = play(at("DDD", 30 * number), memory=memory)
        memory = step.memory
        assert step.state is FAILED
    assert memory.since == NIGHT + 30


def test_one_signal_is_read_again_soon_only_a_few_times() -> None:
    memory, states = Memory(), []
    for number in range(6):
        step = play(at("UDU", 6 * number), memory=memory)
        memory = step.memory
        states.append(step.state)
    assert states == [SUSPECT] * QUICK_READINGS + [WatchState.DEGRADED] * 3
    assert play(at("UUU", 60), at("UDU", 90), memory=memory).state is SUSPECT
    assert play(at("???", 60), at("UDU", 90), memory=memory).state is WatchState.DEGRADED


def test_a_second_signal_after_a_long_doubt_is_read_again_soon() -> None:
    readings = [at("UDU", 30 * number) for number in range(10)]
    step = play(*readings, at("DDU", 300))
    assert (step.state, step.next_reading_in_s) == (SUSPECT, RULES.confirm_after_s)


@pytest.mark.parametrize(
    ("readings", "is_ready"),
    [
        ([at("UUU", 0), at("UUU", 60), at("UUU", 119)], False),
        ([at("UUU", 0), at("UUU", 60), at("UUU", 120)], True),
        ([at("UUU", 0), at("UUU", 121)], False),
        ([at("UUU", 0), at("UUD", 60), at("UUU", 120)], False),
        ([at("UUU", 0), at("UU?", 60), at("UUU", 120)], True),
        ([at("UUU", 0), at("UUU", 60), at("UU?", 120)], False),
        ([at("UUU", 0), at("UU?", 60), at("UU?", 110), at("UUU", 121)], False),
        ([at("UUU", 0), at("UUU", 60), at("UUU", 120, witness="D")], False),
        ([at("UUU", 0), at("UUD", 60, witness="D"), at("UUU", 120)], True),
        ([at("UUU", 300), at("UUU", 200), at("UUU", 310)], False),
    ],
)
def test_when_the_hold_time_is_over(readings: list[WatchReading], is_ready: bool) -> None:
    moved = [
        read(
            "".join({"up": "U", "down": "D"}.get(o.status, "?") for o in reading.signals.values()),
            reading.at,
            place="backup",
            witness="U" if reading.witness.status == "up" else "D",
        )
        for reading in readings
    ]
    step = play(*moved)
    assert step.is_ready_for_failback is is_ready
    if step.memory.state is WatchState.RECOVERING:
        assert ("ready for a switch back" in step.reason) is is_ready


def test_time_on_the_primary_counts_for_no_failback() -> None:
    readings = [at("UUU", 30 * number) for number in range(10)]
    assert not play(*readings).is_ready_for_failback


def test_a_signal_that_stays_unknown_degrades_the_site() -> None:
    assert play(at("UU?", 0), at("UU?", 120)).state is HEALTHY
    assert play(at("UU?", 0), at("U?U", 121)).state is WatchState.DEGRADED
    assert play(at("UU?", 0), at("UUU", 60), at("UU?", 121)).state is HEALTHY
    assert play(at("UUU", 0, backup="?"), at("UUU", 121, backup="?")).state is WatchState.DEGRADED


def test_a_state_keeps_its_beginning() -> None:
    step = play(at("UUU", 0), at("UUU", 30), at("UUU", 60))
    assert step.memory.since == NIGHT
    assert play(at("UUU", 0), at("UUU", -50)).memory.since == NIGHT - 50


def test_two_signals_use_up_no_quick_reading_of_one() -> None:
    two = [at("DDU", seconds) for seconds in (0, 1, 2, 3)]
    one = [at("UDU", 10 + 6 * number) for number in range(QUICK_READINGS)]
    assert play(*two, *one).state is SUSPECT


def test_what_is_unknown_begins_with_a_watcher_that_was_cut_off() -> None:
    cut_off = [at("UUU", 30 * number, witness="D") for number in range(6)]
    assert play(*cut_off, at("UU?", 180)).state is WatchState.DEGRADED
    assert play(*cut_off, at("UUU", 180)).state is HEALTHY


def test_a_clock_that_was_set_back_does_not_hide_what_stays_unknown() -> None:
    readings = [at("UU?", 5000), at("UU?", 0), at("UU?", 121)]
    assert play(*readings).state is WatchState.DEGRADED
