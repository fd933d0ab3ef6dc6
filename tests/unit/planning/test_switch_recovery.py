"""What is written next while a spoke has no path: every combination."""

from __future__ import annotations

from itertools import product

import pytest

from erfailover.model.observed import Peering
from erfailover.model.peering_flags import Flags
from erfailover.planning.switch.recovery import (
    LAST_RESORT_S,
    Direction,
    Move,
    OutwardPeerings,
    PathState,
    choose_move,
    is_carrying,
    locate,
)

DEADLINE_S = 600.0
EARLY_S, LATE_S, OVER_S = 10.0, DEADLINE_S - LAST_RESORT_S, DEADLINE_S
LASTS = (None, Direction.FORWARD, Direction.BACK)
EVERY = list(product(PathState, LASTS, (EARLY_S, LATE_S, OVER_S), (True, False), (True, False)))


def peering(*, uses: bool, state: str = "Connected", provisioning: str = "Succeeded") -> Peering:
    flags = Flags(
        allow_virtual_network_access=True,
        allow_forwarded_traffic=True,
        allow_gateway_transit=False,
        use_remote_gateways=uses,
    )
    return Peering("/p", "p", "/spoke", "/hub", state, "FullyInSync", provisioning, flags)


def move(place: PathState, last: Direction | None, now_s: float, healthy: bool, back: bool) -> Move:
    return choose_move(place, last, now_s, DEADLINE_S, origin_was_healthy=healthy, can_go_back=back)


@pytest.mark.parametrize(("place", "last", "now_s", "healthy", "back"), EVERY)
def test_a_spoke_with_a_path_is_left_alone(
    place: PathState, last: Direction | None, now_s: float, healthy: bool, back: bool
) -> None:
    result = move(place, last, now_s, healthy, back)
    assert (result is Move.ARRIVED) == (place is PathState.TARGET)
    assert (result is Move.RETURNED) == (place is PathState.ORIGIN)


@pytest.mark.parametrize(("place", "last", "now_s", "healthy", "back"), EVERY)
def test_it_gives_up_at_the_deadline_and_not_before(
    place: PathState, last: Direction | None, now_s: float, healthy: bool, back: bool
) -> None:
    without = place not in (PathState.TARGET, PathState.ORIGIN)
    result = move(place, last, now_s, healthy, back)
    assert (result is Move.GIVE_UP) == (without and now_s >= DEADLINE_S)


@pytest.mark.parametrize(
    ("last", "now_s", "healthy", "back"),
    list(product(LASTS, (EARLY_S, LATE_S), (True, False), (True, False))),
)
def test_nothing_is_written_while_an_operation_is_in_progress(
    last: Direction | None, now_s: float, healthy: bool, back: bool
) -> None:
    assert move(PathState.CHANGING, last, now_s, healthy, back) is Move.READ_AGAIN


@pytest.mark.parametrize(("now_s", "healthy"), list(product((EARLY_S, LATE_S), (True, False))))
def test_an_unread_spoke_gets_the_same_write_again(now_s: float, healthy: bool) -> None:
    assert move(PathState.UNKNOWN, Direction.FORWARD, now_s, healthy, True) is Move.MAKE
    assert move(PathState.UNKNOWN, Direction.BACK, now_s, healthy, True) is Move.ROLL_BACK
    assert move(PathState.UNKNOWN, None, now_s, healthy, True) is Move.MAKE


def test_a_failed_make_is_taken_back_at_once_if_the_origin_was_healthy() -> None:
    assert move(PathState.NOWHERE, Direction.FORWARD, EARLY_S, True, True) is Move.ROLL_BACK
    assert move(PathState.NOWHERE, Direction.BACK, EARLY_S, True, True) is Move.MAKE


def test_a_failed_make_is_repeated_if_the_origin_was_not_healthy() -> None:
    assert move(PathState.NOWHERE, Direction.FORWARD, EARLY_S, False, True) is Move.MAKE
    assert move(PathState.NOWHERE, Direction.FORWARD, LATE_S - 0.1, False, True) is Move.MAKE


def test_an_unhealthy_origin_is_the_last_resort() -> None:
    assert move(PathState.NOWHERE, Direction.FORWARD, LATE_S, False, True) is Move.ROLL_BACK
    assert move(PathState.NOWHERE, Direction.BACK, LATE_S, False, True) is Move.MAKE


@pytest.mark.parametrize(("place", "last", "now_s", "healthy", "back"), EVERY)
def test_nothing_is_taken_back_if_that_may_not_be_sent(
    place: PathState, last: Direction | None, now_s: float, healthy: bool, back: bool
) -> None:
    if move(place, last, now_s, healthy, back) is Move.ROLL_BACK:
        assert back


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (None, False),
        (peering(uses=True), True),
        (peering(uses=False), False),
        (peering(uses=True, state="Initiated"), False),
        (peering(uses=True, state="Disconnected"), False),
        (peering(uses=True, provisioning="Failed"), False),
        (peering(uses=True, provisioning="Updating"), False),
    ],
)
def test_a_peering_carries_only_if_its_remote_gateway_is_in_force(
    result: Peering | None, expected: bool
) -> None:
    assert is_carrying(result) is expected


@pytest.mark.parametrize(
    ("origin", "target", "expected"),
    [
        (peering(uses=True), peering(uses=False), PathState.ORIGIN),
        (peering(uses=True), None, PathState.ORIGIN),
        (peering(uses=False), peering(uses=True), PathState.TARGET),
        (None, peering(uses=True), PathState.TARGET),
        (peering(uses=False), peering(uses=False), PathState.NOWHERE),
        (None, None, PathState.NOWHERE),
        (peering(uses=True), peering(uses=True), PathState.NOWHERE),
        (peering(uses=True), peering(uses=True, provisioning="Failed"), PathState.ORIGIN),
        (peering(uses=False), peering(uses=True, provisioning="Failed"), PathState.NOWHERE),
        (peering(uses=True), peering(uses=True, provisioning="Updating"), PathState.CHANGING),
        (peering(uses=True, provisioning="Deleting"), None, PathState.CHANGING),
    ],
)
def test_where_a_spoke_is_follows_from_both_its_peerings(
    origin: Peering | None, target: Peering | None, expected: PathState
) -> None:
    assert locate(OutwardPeerings(origin, target)) is expected


def test_a_spoke_that_cannot_be_read_is_in_an_unknown_place() -> None:
    assert locate(None) is PathState.UNKNOWN
