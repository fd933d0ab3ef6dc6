"""When the writes of a switch, and the readings that show it, are polled."""

from __future__ import annotations

import pytest

from erfailover.azure.client.polling import (
    BREAKS,
    HURRIED,
    MOST_S,
    PATIENT,
    QUEUED,
    TABLES,
    WRITES,
    PollSchedule,
)
from erfailover.commands.switch.tasks import select_schedule
from erfailover.model.plan import StepKind
from erfailover.model.site import Path
from erfailover.planning.switch.procedure import plan
from tests.support import sites

ALL = (HURRIED, WRITES, BREAKS, QUEUED, TABLES, PATIENT)


@pytest.mark.parametrize("poll_schedule", ALL)
def test_polls_come_first_when_they_can_tell_and_then_ever_less_often(
    poll_schedule: PollSchedule,
) -> None:
    at_s, pauses = 0.0, []
    while at_s < 300.0:
        pauses.append(poll_schedule.compute_delay_s(at_s))
        at_s += pauses[-1]
    assert pauses[0] == poll_schedule.first_s
    assert pauses[1:] == sorted(pauses[1:])
    assert pauses[1] >= poll_schedule.pause_s
    assert pauses[-1] <= MOST_S


def test_a_sleep_that_falls_short_is_not_followed_by_another_for_the_rest() -> None:
    assert WRITES.compute_delay_s(WRITES.first_s - 1e-9) >= WRITES.pause_s


@pytest.mark.parametrize(
    ("kind", "spokes", "expected"),
    [
        (StepKind.BREAK, 1, BREAKS),
        (StepKind.BREAK, 201, PATIENT),
        (StepKind.MAKE, 1, BREAKS),
        (StepKind.ALLOW_TRANSIT, 1, BREAKS),
        (StepKind.MAKE, 2, WRITES),
        (StepKind.ALLOW_TRANSIT, 2, QUEUED),
        (StepKind.ALLOW_TRANSIT, 500, QUEUED),
        (StepKind.WITHDRAW_TRANSIT, 1, PATIENT),
        (StepKind.WITHDRAW_TRANSIT, 2, WRITES),
        (StepKind.WITHDRAW_TRANSIT, 11, PATIENT),
    ],
)
def test_a_write_is_polled_as_closely_as_something_waits_for_it(
    kind: StepKind, spokes: int, expected: PollSchedule
) -> None:
    site = sites.site()
    state = sites.make_state(Path.EXPRESSROUTE, site)
    steps = plan(site, sites.make_snapshot(site, state), Path.IPSEC).steps
    step = next(switch_step for switch_step in steps if switch_step.kind is kind)
    assert select_schedule(step, spokes) == expected
