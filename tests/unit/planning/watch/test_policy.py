"""When a switch is made, and why one is withheld: rule by rule, in their order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from erfailover.model.history import RunRecord, StepRecord
from erfailover.model.site import Path
from erfailover.model.watch import Pause, WatchReading, WatchState
from erfailover.model.watch_settings import MaintenanceWindow, Watch, Weekday
from erfailover.planning.watch.detector import Step, advance
from erfailover.planning.watch.history import (
    APPROVED_REASON,
    AUTOMATIC_REASON,
    SwitchHistory,
    build_history,
)
from erfailover.planning.watch.memory import Memory
from erfailover.planning.watch.policy import RULES as REASONS
from erfailover.planning.watch.policy import Action, Decision, decide
from erfailover.planning.watch.windows import DAYS, find_window
from tests.unit.planning.watch.scenes import HOLD_S, NIGHT, RULES, read

NONE = SwitchHistory()
DAILY = (MaintenanceWindow("07:00", "09:00"),)
"""Open at ``NIGHT``, which is 08:00."""


def fail(**more: Any) -> tuple[Step, WatchReading]:
    first, second = (read("DDU", NIGHT - ago, **more) for ago in (5, 0))
    step = advance(advance(Memory(), first, RULES, HOLD_S).memory, second, RULES, HOLD_S)
    assert step.memory.state is WatchState.FAILED
    return step, second


def recover(**more: Any) -> tuple[Step, WatchReading]:
    first, second = (read("UUU", NIGHT - ago, place="backup", **more) for ago in (HOLD_S, 0))
    step = advance(advance(Memory(), first, RULES, HOLD_S).memory, second, RULES, HOLD_S)
    assert step.is_ready_for_failback
    return step, second


def decide_failure(
    rules: Watch = RULES,
    history: SwitchHistory = NONE,
    pause: Pause | None = None,
    locked_out: str | None = None,
    counted_from: float = 0.0,
    late_s: float = 0.0,
    **more: Any,
) -> Decision:
    step, reading = fail(**more)
    memory = replace(step.memory, locked_out=locked_out, counted_from=counted_from)
    step = replace(step, memory=memory)
    return decide(step, reading, rules, history, NIGHT + late_s, pause)


def test_a_failure_leads_to_a_switch() -> None:
    assert decide_failure() == Decision(Path.IPSEC, Action.SWITCH)
    approving = replace(RULES, mode="approve")
    assert decide_failure(approving) == Decision(Path.IPSEC, Action.REQUEST_APPROVAL)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"rules": replace(RULES, mode="observe")}, "mode"),
        ({"pause": Pause("work", since=0)}, "paused"),
        ({"pause": Pause("work", since=0, until=NIGHT + 1)}, "paused"),
        ({"pause": Pause("work", since=0, until=NIGHT)}, None),
        ({"locked_out": "a switch failed"}, "locked out"),
        ({"operator": "anna@ops1"}, "operator's run"),
        ({"unfinished": "abc"}, "unfinished run"),
        ({"late_s": 30.1}, "old reading"),
        ({"late_s": 30}, None),
        ({"late_s": -100}, None),
        ({"history": SwitchHistory(NIGHT - 1799.9, "switch by anna")}, "cooldown"),
        ({"history": SwitchHistory(NIGHT - 1800, "switch by anna")}, None),
        ({"history": SwitchHistory(NIGHT + 99, "a clock ahead")}, "cooldown"),
        ({"rules": replace(RULES, maintenance=DAILY)}, "maintenance"),
        ({"history": SwitchHistory(None, "", (NIGHT - 80000, NIGHT - 9000))}, "switches per day"),
        ({"history": SwitchHistory(None, "", (NIGHT - 86400, NIGHT - 9000))}, None),
        ({"history": SwitchHistory(None, "", (NIGHT - 9000,))}, None),
        (
            {
                "history": SwitchHistory(None, "", (NIGHT - 80000, NIGHT - 9000)),
                "counted_from": NIGHT - 8000,
            },
            None,
        ),
        ({"backup": "D"}, "backup"),
        ({"backup": "?"}, "backup"),
    ],
)
def test_what_withholds_a_switch(arguments: dict[str, Any], rule: str | None) -> None:
    decision = decide_failure(**arguments)
    assert decision.rule == rule
    assert (decision.action is Action.SWITCH) is (rule is None)
    assert (decision.withheld is None) is (rule is None)
    assert decision.locks_out is (rule == "switches per day")


def test_the_first_rule_that_applies_is_the_reason() -> None:
    """Every reason at once; then one after the other ends, in the order of the rules."""
    two_today = (NIGHT - 2, NIGHT - 1)
    closed = replace(RULES, maintenance=DAILY)
    endings: list[tuple[str, dict[str, Any]]] = [
        ("mode", {"rules": closed}),
        ("paused", {"pause": None}),
        ("locked out", {"locked_out": None}),
        ("operator's run", {"operator": None}),
        ("unfinished run", {"unfinished": None}),
        ("old reading", {"late_s": 0}),
        ("cooldown", {"history": SwitchHistory(None, "", two_today)}),
        ("maintenance", {"rules": RULES}),
        ("switches per day", {"history": NONE}),
        ("backup", {"backup": "U"}),
    ]
    arguments: dict[str, Any] = {
        "rules": replace(closed, mode="observe"),
        "pause": Pause("work", since=0),
        "locked_out": "a switch failed",
        "operator": "anna@ops1",
        "unfinished": "abc",
        "late_s": 31,
        "history": SwitchHistory(NIGHT - 1, "switch", two_today),
        "backup": "D",
    }
    for name, ending in endings:
        assert decide_failure(**arguments).rule == name
        arguments |= ending
    assert decide_failure(**arguments).action is Action.SWITCH
    assert [rule.name for rule in REASONS if rule.name != "failback"] == [n for n, _ in endings]


def test_an_operators_run_that_was_read_starts_a_cooldown() -> None:
    memory = advance(Memory(), read("UUU", NIGHT - 1000, operator="anna"), RULES, HOLD_S).memory
    memory = advance(memory, read("DDU", NIGHT - 5), RULES, HOLD_S).memory
    reading = read("DDU", NIGHT)
    step = advance(memory, reading, RULES, HOLD_S)
    assert decide(step, reading, RULES, NONE, NIGHT).rule == "cooldown"
    assert decide(step, reading, replace(RULES, cooldown_s=1000.0), NONE, NIGHT).rule is None


def test_a_failback_only_if_it_is_automatic() -> None:
    step, reading = recover(backup="D")
    decision = decide(step, reading, RULES, NONE, NIGHT)
    assert (decision.target, decision.action, decision.rule) == (
        Path.EXPRESSROUTE,
        Action.NOTHING,
        "failback",
    )
    automatic = replace(RULES, failback="automatic")
    assert decide(step, reading, automatic, NONE, NIGHT).action is Action.SWITCH
    approving = replace(automatic, mode="approve")
    assert decide(step, reading, approving, NONE, NIGHT).action is Action.REQUEST_APPROVAL
    assert decide(step, reading, replace(RULES, mode="observe"), NONE, NIGHT).rule == "mode"
    cooling = SwitchHistory(NIGHT - 10, "switch --to ipsec")
    assert decide(step, reading, automatic, cooling, NIGHT).rule == "cooldown"


@pytest.mark.parametrize("signals", ["UUU", "DUU", "???", "DDU"])
def test_nothing_is_withheld_if_no_switch_is_called_for(signals: str) -> None:
    reading = read(signals)
    step = advance(Memory(), reading, RULES, HOLD_S)
    assert decide(step, reading, RULES, NONE, NIGHT) == Decision()


def moment(text: str) -> float:
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


@pytest.mark.parametrize(
    ("start", "end", "days", "when", "is_open"),
    [
        ("22:00", "23:00", (), "2027-01-15 22:00", True),
        ("22:00", "23:00", (), "2027-01-15 22:59:59", True),
        ("22:00", "23:00", (), "2027-01-15 23:00", False),
        ("22:00", "23:00", (), "2027-01-15 21:59:59", False),
        # Over midnight; the days are those on which it begins. 2027-01-15 is a Friday.
        ("22:00", "02:00", (), "2027-01-16 01:59", True),
        ("22:00", "02:00", (), "2027-01-16 02:00", False),
        ("22:00", "02:00", ("fri",), "2027-01-15 23:00", True),
        ("22:00", "02:00", ("fri",), "2027-01-16 01:00", True),
        ("22:00", "02:00", ("fri",), "2027-01-16 23:00", False),
        ("22:00", "02:00", ("fri",), "2027-01-15 01:00", False),
        ("22:00", "02:00", ("sun",), "2027-01-18 01:00", True),
        ("22:00", "23:00", ("sat", "sun"), "2027-01-15 22:30", False),
        ("22:00", "00:00", ("fri",), "2027-01-15 23:59", True),
        ("22:00", "00:00", ("fri",), "2027-01-16 00:00", False),
        ("00:00", "23:59", ("mon",), "2027-01-18 00:00", True),
    ],
)
def test_maintenance_windows(
    start: str, end: str, days: tuple[Weekday, ...], when: str, is_open: bool
) -> None:
    window = MaintenanceWindow(start, end, days)
    assert find_window([window], moment(when)) == (window if is_open else None)


def test_windows_agree_with_a_list_of_minutes() -> None:
    windows = (
        MaintenanceWindow("23:30", "00:45", ("sun", "wed")),
        MaintenanceWindow("12:00", "13:00", ("mon",)),
    )
    monday = moment("2027-01-11")
    expected = set()
    for week in (-1, 0):
        for day, opens, lasts in ((6, 23 * 60 + 30, 75), (2, 23 * 60 + 30, 75), (0, 720, 60)):
            begins = week * 7 * 1440 + day * 1440 + opens
            expected |= set(range(begins, begins + lasts))
    for minute in range(7 * 1440):
        is_open = find_window(windows, monday + 60 * minute) is not None
        assert is_open is (minute in expected), minute
    assert DAYS[datetime.fromtimestamp(monday, UTC).weekday()] == "mon"


def build_run(
    began: float, ended: float | None, reason: str | None = None, **more: Any
) -> RunRecord:
    def format_moment(at: float) -> str:
        return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")

    return RunRecord(
        "r",
        "switch",
        format_moment(began),
        who="anna",
        target="ipsec",
        reason=reason,
        ended=None if ended is None else format_moment(ended),
        **more,
    )


def test_the_history_of_a_journal() -> None:
    by_watch = AUTOMATIC_REASON + "the primary path has failed"
    runs = [
        build_run(NIGHT, NIGHT + 20, by_watch),
        build_run(NIGHT + 100, NIGHT + 130, "a test"),
        build_run(NIGHT + 200, NIGHT + 230, APPROVED_REASON + "anna"),
        build_run(NIGHT + 300, NIGHT + 330, by_watch, completes="r"),
        RunRecord("x", "switch", "never"),
    ]
    history = build_history(runs)
    assert history == SwitchHistory(NIGHT + 330, "switch --to ipsec by anna", (NIGHT,))
    assert (history.count_automatic(NIGHT - 1), history.count_automatic(NIGHT)) == (1, 0)
    assert build_history(reversed(runs)) == history
    assert build_history([]) == NONE
    doubled = build_history(runs[:1], lambda at: NIGHT + 100 * (at - NIGHT))
    assert (doubled.last_end, doubled.automatic) == (NIGHT + 2000, (NIGHT,))


def test_a_run_without_an_end_counts_until_its_last_record() -> None:
    step = StepRecord("t", "break", "update", "id", "2027-01-15T08:01:00Z", "2027-01-15T08:02:00Z")
    history = build_history([build_run(NIGHT, None, steps=[step])])
    assert history.last_end == NIGHT + 120
