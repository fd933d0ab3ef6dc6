"""How long tasks take that need one another, and what is left of them."""

from __future__ import annotations

from erfailover.model.durations import DurationEstimate
from erfailover.model.outlook import RunState
from erfailover.model.tasks import State, Task
from erfailover.planning.critical_path import UNKNOWN_S, compute_longest_s, estimate_outlook


def task(id_: str, usual_s: float | None = None, *needs: str, milestone: bool = False) -> Task:
    usual = DurationEstimate(usual_s, 2 * usual_s) if usual_s is not None else None
    return Task(id_, id_, None if milestone else str, needs=frozenset(needs), usual=usual)


TASKS = [
    task("connection", 12.0, "gateway", "unlisted"),
    task("gateway", 1092.0, "address"),
    task("machine", 72.0),
    task("address"),
    task("end", None, "connection", "machine", milestone=True),
]


def left_s(elapsed_s: float = 0.0, ended: str = "", **in_flight: float) -> float | None:
    done = dict.fromkeys(ended.split(), State.DONE)
    return estimate_outlook(TASKS, RunState(elapsed_s, done, in_flight)).done_s


def test_the_longest_chain_counts_in_whatever_order_things_are_listed() -> None:
    needs = {"c": ["b"], "b": ["a", "elsewhere"], "a": [], "d": []}
    assert compute_longest_s(needs, {"a": 1.0, "b": 2.0, "c": 3.0, "d": 5.0}) == 6.0
    assert compute_longest_s({}, {}) == 0.0


def test_what_is_left_is_the_longest_chain_of_what_has_not_ended() -> None:
    assert left_s() == UNKNOWN_S + 1092.0 + 12.0
    assert left_s(ended="address gateway") == 72.0
    assert left_s(ended="address gateway machine") == 12.0
    assert left_s(ended="address gateway machine connection") == 0.0


def test_what_is_in_flight_counts_down_and_stops_at_nothing() -> None:
    assert left_s(ended="address", gateway=92.0) == 1012.0
    assert left_s(ended="address machine", gateway=5000.0) == 12.0


def test_without_any_usual_duration_nothing_is_foretold() -> None:
    assert estimate_outlook([task("a")], RunState(0.0, {}, {})).done_s is None
