"""Every state that a switch of a spoke behind a firewall can get into, and what holds in each.

A state is the four peerings of the spoke and the routes of its table as Azure has them, the write
that Azure has accepted and not finished, and the rest of the controller's plan, if that is alive.
At any moment the process may die, an operation may succeed or fail, a failed write may be given
up, repeated or taken back, and the next command may go either way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from itertools import product

import pytest

from erfailover.model.conditions import ConditionStatus
from erfailover.model.observed import Reading, SiteSnapshot
from erfailover.model.peering_flags import Flags
from erfailover.model.plan import Change, NextHopWrites, PeeringWrite, RouteWrite, StepWrite
from erfailover.model.route_tables import APPLIANCE, RouteTable, UserRoute
from erfailover.model.site import Path, Site, SpokeRouteTable
from erfailover.planning.switch import gates, procedure
from tests.support import sites
from tests.support.peering_model import (
    DISCONNECTED,
    Held,
    World,
    accept_write,
    find_held,
    finish_write,
    observe_world,
)
from tests.support.peering_states import OURS, OUT_B, OUT_P, STATES

HERE, THERE = "10.2.1.4", "10.3.1.4"
OUT = {Path.EXPRESSROUTE: OUT_P, Path.IPSEC: OUT_B}
FORWARDS = Flags(allow_forwarded_traffic=True)
DEFAULT = UserRoute("default", "0.0.0.0/0", APPLIANCE, HERE)
PREMISES = UserRoute("premises", "10.5.4.0/24", APPLIANCE, HERE)
ADDED = UserRoute("erfailover-10.5.0.0-16", "10.5.0.0/16", APPLIANCE, THERE)


def make_site(mode: str) -> Site:
    plain = sites.site()
    (spoke,) = plain.spokes
    spoke = replace(
        spoke,
        spoke_to_primary=replace(spoke.spoke_to_primary, on_ipsec=FORWARDS),
        primary_to_spoke=replace(spoke.primary_to_spoke, on_ipsec=FORWARDS),
    )
    entry = SpokeRouteTable("rt", IPv4Address(HERE), IPv4Address(THERE))
    if mode == "replace":
        entry = replace(entry, mode="replace")
    return replace(plain, spokes=(spoke,), routing=(entry,))


SITES = {mode: make_site(mode) for mode in ("overlay", "replace")}
TABLE = SITES["overlay"].build_route_table_id("rt")


def move(route: UserRoute) -> UserRoute:
    return replace(route, next_hop=THERE)


HOME = (DEFAULT, PREMISES)
AWAY = {"overlay": (DEFAULT, ADDED, move(PREMISES)), "replace": (move(DEFAULT), move(PREMISES))}
Routes = tuple[UserRoute, ...]
BEGIN: dict[str, tuple[Routes, ...]] = {
    "overlay": tuple(
        (DEFAULT, *added, premises)
        for added, premises in product(((), (ADDED,)), (PREMISES, move(PREMISES)))
    ),
    "replace": tuple(product((DEFAULT, move(DEFAULT)), (PREMISES, move(PREMISES)))),
}
"""The routes that a run which died may have left."""


@dataclass(frozen=True, slots=True)
class Todo:
    """One write that a plan names, and what it names for the case that this one is refused."""

    write: PeeringWrite | RouteWrite
    back: tuple[PeeringWrite | RouteWrite, ...] = ()
    gated: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """Where everything stands; ``plan`` is None where no controller is there."""

    world: World
    routes: Routes
    target: Path
    flight: PeeringWrite | RouteWrite | None = None
    plan: tuple[Todo, ...] | None = None


def observe(site: Site, world: World, routes: Routes) -> SiteSnapshot:
    """What the controller reads; both GatewaySubnets send the spoke by their appliance."""
    snapshot = observe_world(world, site)
    tables, networks = {TABLE: routes}, dict(snapshot.networks)
    for hub, hop in (("vnet2", HERE), ("vnet3", THERE)):
        table, key = f"{TABLE}-{hub}", site.build_network_id(hub).lower()
        tables[table] = (UserRoute("spoke", "10.1.0.0/16", APPLIANCE, hop),)
        networks[key] = replace(networks[key], subnet_tables=(("gatewaysubnet", table.lower()),))
    spoke = site.build_network_id("vnet1")
    networks[spoke.lower()] = replace(
        networks[spoke.lower()], subnet_tables=(("default", TABLE.lower()),)
    )
    read = {
        id_.lower(): Reading(RouteTable(id_, False, rows, (f"{spoke}/subnets/default",)))
        for id_, rows in tables.items()
    }
    return replace(snapshot, networks=networks, route_tables=read)


def flatten(write: StepWrite) -> tuple[PeeringWrite | RouteWrite, ...]:
    return write.routes if isinstance(write, NextHopWrites) else (write,)


def plan_todos(site: Site, world: World, routes: Routes, target: Path) -> tuple[Todo, ...]:
    """What the controller would do now, one write after the other."""
    plan = procedure.plan(site, observe(site, world, routes), target, OURS)
    assert procedure.find_breaches(site, plan) == []
    assert plan.left_out == {}
    return tuple(
        Todo(write, tuple(back for item in step.contingency for back in flatten(item)), step.gated)
        for step in plan.writes
        for write in flatten(step.write)
    )


def find_route(routes: Routes, name: str) -> UserRoute | None:
    return next((route for route in routes if route.name == name), None)


def is_needed(state: State, write: PeeringWrite | RouteWrite) -> bool:
    """Whether the controller finds that a write is not yet done."""
    if isinstance(write, RouteWrite):
        return find_route(state.routes, write.name) != write.after
    now = find_held(state.world, write.name)
    if write.change is Change.DELETE:
        return now is not None
    return now is None or now.failed or now.shown != write.after or now.state == DISCONNECTED


def apply_route(routes: Routes, write: RouteWrite) -> Routes:
    rest = tuple(route for route in routes if route.name != write.name)
    return rest if write.after is None else tuple(sorted((*rest, write.after), key=str))


def begin_next(site: Site, state: State, todo: tuple[Todo, ...]) -> State:
    """The controller takes the next thing in hand, and Azure accepts it."""
    while todo and not is_needed(state, todo[0].write):
        todo = todo[1:]
    rest = replace(state, flight=None, plan=None)
    if not todo:
        return rest
    write = todo[0].write
    if todo[0].gated:
        observed = observe(site, state.world, state.routes)
        checks = gates.check_gate(site, observed, state.target, site.spokes[0])
        if any(condition.status is not ConditionStatus.HOLDS for condition in checks):
            return rest
    if isinstance(write, RouteWrite):
        return replace(state, flight=write, plan=todo)
    return replace(state, world=accept_write(state.world, write), flight=write, plan=todo)


def finish(state: State, *, well: bool) -> State:
    assert state.flight is not None
    if isinstance(state.flight, RouteWrite):
        routes = apply_route(state.routes, state.flight) if well else state.routes
        return replace(state, routes=routes, flight=None, plan=None)
    world = finish_write(state.world, state.flight, well=well)
    return replace(state, world=world, flight=None, plan=None)


def moves(site: Site, state: State) -> Iterator[State]:
    """Every state that may come next."""
    if state.flight is None:
        for target in Path:
            here = replace(state, target=target)
            yield begin_next(site, here, plan_todos(site, state.world, state.routes, target))
        return
    if state.plan is not None:
        yield replace(state, plan=None)  # the process dies
    for well in (True, False):
        ended = finish(state, well=well)
        if state.plan is None:
            yield ended
            continue
        first, rest = state.plan[0], state.plan[1:]
        if well:
            yield begin_next(site, ended, rest)
            continue
        yield ended  # given up
        yield begin_next(site, ended, state.plan)  # looked up, and repeated
        if first.back:
            yield begin_next(site, ended, tuple(Todo(write) for write in first.back))


def reach(mode: str) -> dict[State, State | None]:
    """Every state, with one that leads to it."""
    first = [
        State(
            tuple(sorted((name, Held(flags, flags, at)) for name, (flags, at) in row.items())),
            tuple(sorted(routes, key=str)),
            Path.IPSEC,
        )
        for row in STATES
        for routes in BEGIN[mode]
    ]
    reached: dict[State, State | None] = dict.fromkeys(first)
    waiting = deque(first)
    while waiting:
        state = waiting.popleft()
        for following in moves(SITES[mode], state):
            if following not in reached:
                reached[following] = state
                waiting.append(following)
    return reached


@pytest.fixture(scope="module", params=SITES)
def reached(request: pytest.FixtureRequest) -> tuple[str, dict[State, State | None]]:
    return request.param, reach(request.param)


def is_in_use(world: World, path: Path) -> bool:
    """Whether the spoke uses the gateway of a path, in force."""
    peering = find_held(world, OUT[path])
    return peering is not None and bool(
        peering.active and peering.active.use_remote_gateways and peering.state == "Connected"
    )


def test_in_every_state_the_routes_of_others_stay_and_the_internet_is_not_cut(
    reached: tuple[str, dict[State, State | None]], record_property: Callable[[str, object], None]
) -> None:
    mode, states = reached
    for state in states:
        default, premises = (find_route(state.routes, name) for name in ("default", "premises"))
        assert premises is not None, state
        assert default is not None, state
        if mode == "overlay":
            assert default == DEFAULT, state
        flight = state.flight
        if isinstance(flight, RouteWrite) and flight.change is Change.DELETE:
            assert flight.name.startswith("erfailover-"), state
    text = f"{mode}: {len(states)} states; all hold"
    record_property("model check", text)
    print(text)


def test_next_hops_move_only_to_the_path_in_use(
    reached: tuple[str, dict[State, State | None]],
) -> None:
    """Neither before the break, nor on the way back before the peering is back."""
    mode, states = reached
    tried = 0
    for state in states:
        if not isinstance(state.flight, RouteWrite):
            continue
        tried += 1
        after = state.flight.after
        home = after is None or after.next_hop == HERE
        assert is_in_use(state.world, Path.EXPRESSROUTE if home else Path.IPSEC), (mode, state)
    assert tried


def test_from_every_state_both_targets_are_reached_and_nothing_is_left_to_write(
    reached: tuple[str, dict[State, State | None]],
) -> None:
    mode, states = reached
    site = SITES[mode]
    rest = {(s.world, s.routes) for s in states if s.flight is None}
    for world, routes in rest:
        for target in Path:
            state = begin_next(
                site, State(world, routes, target), plan_todos(site, world, routes, target)
            )
            while state.flight is not None:
                assert state.plan is not None
                state = begin_next(site, finish(state, well=True), state.plan[1:])
            assert is_in_use(state.world, target), (world, routes, target)
            end = HOME if target is Path.EXPRESSROUTE else AWAY[mode]
            assert set(state.routes) == set(end), (world, routes, target)
            assert plan_todos(site, state.world, state.routes, target) == ()
