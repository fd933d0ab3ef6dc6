"""The table of the detector, enumerated and compared with an expectation written another way."""

from __future__ import annotations

from itertools import product

import pytest

from erfailover.model.watch import Pause, WatchState
from erfailover.planning.watch.detector import advance, compute_longest_gap_s
from erfailover.planning.watch.memory import Memory
from erfailover.planning.watch.table import QUICK_READINGS, ROWS
from tests.unit.planning.watch.scenes import HOLD_S, NIGHT, PLACES, RULES, read

MEMORIES = {
    "fresh": Memory(),
    "two were down": Memory(WatchState.SUSPECT, failing_since=NIGHT - 5, failing_at=NIGHT - 5),
    "two were down just now": Memory(
        WatchState.SUSPECT, failing_since=NIGHT - 4.9, failing_at=NIGHT - 4.9
    ),
    "one was down": Memory(WatchState.SUSPECT, quick=QUICK_READINGS),
    "something was unknown": Memory(WatchState.HEALTHY, unread_since=NIGHT - 121),
}


def expect(
    signals: str, place: str, backup: str, witness: str, warns: bool, memory: str
) -> WatchState:
    """What the issue asks for, said plainly."""
    paths = set(PLACES[place]) - {"unknown"}
    if witness != "U" or not paths:
        return WatchState.UNKNOWN
    if "ipsec" in paths and "expressroute" not in paths:
        return WatchState.RECOVERING if set(signals) == {"U"} else WatchState.ON_BACKUP
    down = signals.count("D")
    if down > 1:
        return WatchState.FAILED if memory == "two were down" else WatchState.SUSPECT
    if down == 1:
        return WatchState.DEGRADED if memory == "one was down" else WatchState.SUSPECT
    if "U" not in signals:
        return WatchState.UNKNOWN
    long_unknown = memory == "something was unknown" and "?" in signals + backup
    wrong = backup == "D" or warns or long_unknown or "none" in paths
    return WatchState.DEGRADED if wrong else WatchState.HEALTHY


@pytest.mark.parametrize("memory", MEMORIES)
def test_every_reading_leads_to_the_expected_state(memory: str) -> None:
    many = 0
    for letters, place, backup, witness, warns in product(
        product("UD?", repeat=3), PLACES, "UD?", "UD?", (False, True)
    ):
        signals = "".join(letters)
        reading = read(
            signals,
            place=place,
            backup=backup,
            witness=witness,
            warnings=("one edge peer",) if warns else (),
        )
        step = advance(MEMORIES[memory], reading, RULES, HOLD_S)
        assert step.memory.state is expect(signals, place, backup, witness, warns, memory), (
            signals,
            place,
            backup,
            witness,
            warns,
        )
        assert step.state is step.memory.state
        assert step.reason
        soon = step.state is WatchState.SUSPECT
        assert step.next_reading_in_s == (RULES.confirm_after_s if soon else RULES.interval_s)
        many += 1
    assert many == 27 * len(PLACES) * 3 * 3 * 2


def test_every_row_decides_something() -> None:
    decided = set()
    for memory, (letters, place, backup, witness, warns) in product(
        MEMORIES.values(),
        product(product("UD?", repeat=3), PLACES, "UD?", "UD?", (False, True)),
    ):
        reading = read(
            "".join(letters),
            place=place,
            backup=backup,
            witness=witness,
            warnings=("one edge peer",) if warns else (),
        )
        decided.add(advance(memory, reading, RULES, HOLD_S).row)
    assert decided == {row.name for row in ROWS}
    assert len(decided) == len(ROWS)


@pytest.mark.parametrize("signal", range(3))
@pytest.mark.parametrize("enabled", [2, 3])
@pytest.mark.parametrize("other", ["U", "?"])
def test_one_signal_alone_never_leads_to_failed(signal: int, enabled: int, other: str) -> None:
    letters = [other] * enabled
    letters[signal % enabled] = "D"
    memory = Memory()
    for number in range(200):
        reading = read("".join(letters), NIGHT + 6 * number)
        step = advance(memory, reading, RULES, HOLD_S)
        memory = step.memory
        assert step.state in (WatchState.SUSPECT, WatchState.DEGRADED)
    assert step.state is WatchState.DEGRADED


@pytest.mark.parametrize("signals", ["D", "U", "?"])
def test_a_site_with_one_signal_never_fails(signals: str) -> None:
    memory = Memory()
    for number in range(20):
        step = advance(memory, read(signals, NIGHT + 30 * number), RULES, HOLD_S)
        memory = step.memory
        assert step.state is not WatchState.FAILED


@pytest.mark.parametrize("unknown", ["???", "U??", "?U?", "D??", "UU?"])
def test_what_is_unknown_never_confirms_a_failure(unknown: str) -> None:
    memory = advance(Memory(), read("DDU", NIGHT), RULES, HOLD_S).memory
    for number in range(1, 20):
        step = advance(memory, read(unknown, NIGHT + 6 * number), RULES, HOLD_S)
        memory = step.memory
        assert step.state is not WatchState.FAILED


def test_a_pause_and_a_lockout_cover_the_state() -> None:
    pause = Pause("work", since=0, until=NIGHT + 10)
    reading = read("UUU")
    assert advance(Memory(), reading, RULES, HOLD_S, pause).state is WatchState.PAUSED
    step = advance(Memory().lock_out("a switch failed"), reading, RULES, HOLD_S, pause)
    assert (step.state, step.memory.state) == (WatchState.LOCKED_OUT, WatchState.HEALTHY)
    step = advance(step.memory.unlock(NIGHT), read("UUU", NIGHT + 10), RULES, HOLD_S, pause)
    assert step.state is WatchState.HEALTHY


def test_a_reason_quotes_what_was_seen() -> None:
    step = advance(Memory(), read("D?U"), RULES, HOLD_S)
    assert step.reason == (
        "one signal is down; it is read again soon: "
        "gateway down: gateway shows D; edge unknown: edge shows ?"
    )
    step = advance(Memory(), read("UUU", place="half stranded"), RULES, HOLD_S)
    assert step.reason == "on neither path: spoke1"


def test_the_longest_gap_follows_the_interval() -> None:
    assert compute_longest_gap_s(RULES) == 2 * 30 + 60
