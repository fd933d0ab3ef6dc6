"""Decide what to write next while a spoke has no path. Pure.

A spoke is owed a path from the moment its break is sent until it has one again. While it is
owed one, this module decides what ``commands.switch.crossing`` writes next; that module reads,
writes and waits.

Rules:

1. Both peerings of the spoke are read before the direction changes. If they cannot be read, the
   last write is repeated: a write whose outcome is unknown is never answered by its opposite, and
   repeating it changes nothing if it was done.
2. If the path being left was healthy at the gate, a make that fails is rolled back at once, and
   make and rollback then alternate. If it was not healthy, going back does not help: the make is
   repeated until ``LAST_RESORT_S`` before the deadline.
3. Nothing is written while an operation on one of the peerings is in progress.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from erfailover.model.arm_json import UNDER_WAY
from erfailover.model.conditions import ConditionStatus
from erfailover.model.observed import Peering, SiteSnapshot
from erfailover.model.site import ROLE_OF_PATH, Path, Site, Spoke
from erfailover.planning.next_hops.conditions import check_next_hops

LAST_RESORT_S = 60.0
"""How long before the deadline a make is rolled back to a path that was not healthy, in seconds."""


class PathState(Enum):
    """Which path a spoke has, by its two outward peerings."""

    TARGET = "the path it moves to"
    ORIGIN = "the path it moves off"
    NOWHERE = "no path"
    CHANGING = "an operation is in progress"
    UNKNOWN = "its peerings could not be read"


class Direction(Enum):
    """Which way a write moves the spoke."""

    FORWARD = "to the path it moves to"
    BACK = "to the path it was on"


class Move(Enum):
    """What to do next."""

    MAKE = "use the target's gateway"
    ROLL_BACK = "use the gateway of the path being left again"
    READ_AGAIN = "wait and read again"
    ARRIVED = "done: the spoke is on its target"
    RETURNED = "done: the spoke is on the path it was on"
    GIVE_UP = "the deadline has passed"


@dataclass(frozen=True, slots=True)
class OutwardPeerings:
    """A spoke's peerings with the two hubs, as they were read together.

    Attributes:
        origin: with the hub being left; None if there is none.
        target: with the hub it moves to; None if there is none.
    """

    origin: Peering | None
    target: Peering | None


def is_carrying(peering: Peering | None) -> bool:
    """Return whether a peering gives its spoke a path: it uses remote gateways, in force."""
    return (
        peering is not None
        and peering.flags.use_remote_gateways
        and peering.state == "Connected"
        and peering.provisioning_state == "Succeeded"
    )


def locate(peerings: OutwardPeerings | None) -> PathState:
    """Return which path a spoke has; None means that the peerings could not be read."""
    if peerings is None:
        return PathState.UNKNOWN
    items = (peerings.origin, peerings.target)
    if any(peering is not None and peering.provisioning_state in UNDER_WAY for peering in items):
        return PathState.CHANGING
    on_origin, on_target = is_carrying(peerings.origin), is_carrying(peerings.target)
    if on_origin is on_target:
        return PathState.NOWHERE
    return PathState.TARGET if on_target else PathState.ORIGIN


def place_of(site: Site, observed: SiteSnapshot, spoke: Spoke, target: Path) -> PathState:
    """Return which path a spoke has, by what was read of the site: both hubs, and the spoke.

    Args:
        site: the site.
        observed: what was read.
        spoke: the spoke.
        target: the path that it was moved to.
    """
    if observed.get_network(site.build_network_id(spoke.virtual_network)) is None:
        return PathState.UNKNOWN
    origin, arriving = (
        observed.get_peering(
            site.build_peering_id(spoke.virtual_network, spoke.get_outward(role).name)
        )
        for role in (ROLE_OF_PATH[target.other], ROLE_OF_PATH[target])
    )
    place = locate(OutwardPeerings(origin, arriving))
    path = {PathState.TARGET: target, PathState.ORIGIN: target.other}.get(place)
    moved = check_next_hops(site, observed, path, spoke) if path is not None else None
    if moved is None or moved.status is ConditionStatus.HOLDS:
        return place
    return PathState.NOWHERE if moved.status is ConditionStatus.FAILS else PathState.UNKNOWN


def choose_move(
    place: PathState,
    last: Direction | None,
    now_s: float,
    deadline_s: float,
    *,
    origin_was_healthy: bool,
    can_go_back: bool,
) -> Move:
    """Return what to do for a spoke whose break was sent.

    Args:
        place: where the spoke is, read after the last write ended or its outcome stayed unknown.
        last: the direction of the last write after the break; None if there was none.
        now_s: the time, in seconds of any clock.
        deadline_s: until when to try, by the same clock.
        origin_was_healthy: whether the path being left worked when the gate was read.
        can_go_back: whether the write that restores the origin may be sent: the plan names one,
            and the lease allows it.
    """
    if place is PathState.TARGET:
        return Move.ARRIVED
    if place is PathState.ORIGIN:
        return Move.RETURNED
    if now_s >= deadline_s:
        return Move.GIVE_UP
    if place is PathState.CHANGING:
        return Move.READ_AGAIN
    if place is PathState.UNKNOWN:
        return Move.ROLL_BACK if last is Direction.BACK and can_go_back else Move.MAKE
    turn = origin_was_healthy or now_s >= deadline_s - LAST_RESORT_S
    if last is Direction.FORWARD and turn and can_go_back:
        return Move.ROLL_BACK
    return Move.MAKE
