"""How operations that are all needed take turns to be polled."""

from __future__ import annotations

from itertools import pairwise

import pytest

from erfailover.azure.client.polling import PollGroup
from erfailover.commands.switch.route_watch import FIRST_POLL_S, POLLS_S, PollTurn
from erfailover.runtime.clock import SystemClock, start


def test_the_earliest_does_not_wait_and_the_next_one_waits_until_it_has_ended() -> None:
    clock = SystemClock()
    group, order = PollGroup(clock), []
    group.join("first")
    group.join("second")
    group.wait_for_turn("first", 60.0)

    def poll_second() -> None:
        group.wait_for_turn("second", 60.0)
        order.append("second is polled")

    waiting = start(clock, poll_second)
    order.append("first has ended")
    group.leave("first")
    waiting.result(timeout=30.0)
    assert order == ["first has ended", "second is polled"]


def test_an_operation_that_never_ends_holds_up_the_next_one_for_the_given_time_only() -> None:
    group = PollGroup(SystemClock(speed=100.0))
    group.join("endless")
    group.join("second")
    group.wait_for_turn("second", 1.0)
    group.leave("second")
    group.wait_for_turn("endless", 60.0)


def test_one_that_is_given_up_in_the_middle_leaves_the_order_of_the_others() -> None:
    group = PollGroup(SystemClock())
    for member in ("first", "second", "third"):
        group.join(member)
    group.leave("second")
    group.leave("first")
    group.wait_for_turn("third", 60.0)


@pytest.mark.parametrize("due_s", [0.0, 3.0, 10.0])
def test_overlapping_readings_are_polled_one_at_a_time(due_s: float) -> None:
    turns = [PollTurn(number, 5) for number in range(5)]
    polls = []
    for turn in turns:
        schedule, at_s = turn.schedule_polls(due_s), 0.0
        while at_s < 30.0:
            at_s += schedule.compute_delay_s(at_s)
            polls.append(round(at_s, 6))
    assert min(polls) >= due_s + FIRST_POLL_S
    if due_s:  # otherwise each begins with the whole round
        polls.sort()
        assert all(later - poll >= POLLS_S - 1e-6 for poll, later in pairwise(polls))
