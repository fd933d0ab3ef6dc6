"""Every state a switch can get into, and what holds in each.

A state is the four peerings of a spoke as Azure has them (what a GET shows, what is in force),
the write that Azure has accepted and not finished, and the controller: at rest, dead, or with the
rest of a plan before it. The moves of the controller are ``procedure.plan``'s own. Azure's rules
are written down here a second time, independently of the controller and of the lab.

At any moment the process may die, an operation may succeed or fail, a failed write may be given
up, repeated or taken back, and the next command may go either way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from erfailover.model.conditions import ConditionStatus
from erfailover.model.observed import SiteSnapshot
from erfailover.model.peering_flags import Flags
from erfailover.model.plan import Change, PeeringWrite
from erfailover.model.site import Path
from erfailover.planning.switch import gates, procedure
from tests.support import sites
from tests.support.peering_states import IN_P, OPPOSITE, OURS, OUT_B, OUT_P, SITE, STATES

OUTWARD = (OUT_P, OUT_B)
PRIMARY = (OUT_P, IN_P)


@dataclass(frozen=True, slots=True)
class Held:
    """A peering as Azure has it.

    Attributes:
        shown: the flags that a GET shows: those of the last write that was accepted.
        active: the flags in force: those of the last write that succeeded; None before one did.
        state: Initiated, Connected, Disconnected.
        failed: whether the last operation on it failed, so that it shows what is not in force.
    """

    shown: Flags
    active: Flags | None
    state: str
    failed: bool = False


World = tuple[tuple[str, Held], ...]
"""The peerings there are, by name, in the order of the names."""


@dataclass(frozen=True, slots=True)
class Todo:
    """One write that a plan names, and what it names for the case that this one is refused."""

    write: PeeringWrite
    back: tuple[PeeringWrite, ...] = ()
    gated: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """Where everything stands.

    Attributes:
        flight: the write that Azure has accepted and not finished.
        plan: what the controller has yet to do, the write in flight first; None where no
            controller is there: it ended, or died.
    """

    world: World
    flight: PeeringWrite | None = None
    plan: tuple[Todo, ...] | None = None


class RefusedByAzureError(Exception):
    """A write that Azure's rules forbid."""


def find_held(world: World, name: str) -> Held | None:
    return dict(world).get(name)


def replace_held(world: World, name: str, result: Held | None) -> World:
    all_ = dict(world)
    if result is None:
        all_.pop(name, None)
    else:
        all_[name] = result
    return tuple(sorted(all_.items()))


def uses(result: Held | None) -> bool:
    """Whether a peering uses remote gateways, or is shown to."""
    return result is not None and any(
        flags is not None and flags.use_remote_gateways for flags in (result.shown, result.active)
    )


def lends(result: Held | None) -> bool:
    """Whether a peering lends its gateway, by what is shown and what is in force."""
    return result is not None and all(
        flags is not None and flags.allow_gateway_transit for flags in (result.shown, result.active)
    )


def accept_write(world: World, write: PeeringWrite) -> World:
    """What a GET shows once Azure has accepted a write."""
    name, flags = write.name, write.after
    now, opposite = find_held(world, name), find_held(world, OPPOSITE[write.name])
    if write.change is Change.DELETE:
        return world
    if flags is None:
        raise AssertionError("a write without flags")
    if now is None and opposite is not None and opposite.state == "Disconnected":
        raise RefusedByAzureError(f"RemotePeeringIsDisconnected: {name}")
    if flags.use_remote_gateways:
        if any(uses(find_held(world, text)) for text in OUTWARD if text != name):
            raise RefusedByAzureError(f"a second remote gateway: {name}")
        if not lends(opposite):
            raise RefusedByAzureError(f"the opposite side forbids transit: {name}")
    if not flags.allow_gateway_transit and uses(opposite):
        raise RefusedByAzureError(f"transit is in use: {name}")
    if now is None:
        return replace_held(world, name, Held(flags, None, "Initiated"))
    return replace_held(world, name, replace(now, shown=flags, failed=False))


def finish_write(world: World, write: PeeringWrite, *, well: bool) -> World:
    """What an operation comes to."""
    name, opposite = write.name, OPPOSITE[write.name]
    now, other = find_held(world, name), find_held(world, opposite)
    assert now is not None
    if not well:
        return replace_held(world, name, replace(now, failed=True))
    if write.change is Change.DELETE:
        world = replace_held(world, name, None)
        return (
            world
            if other is None
            else replace_held(world, opposite, replace(other, state=DISCONNECTED))
        )
    met = other is not None and other.active is not None
    world = replace_held(
        world, name, Held(now.shown, now.shown, "Connected" if met else "Initiated")
    )
    if met and other is not None:
        world = replace_held(world, opposite, replace(other, state="Connected"))
    return world


DISCONNECTED = "Disconnected"


def observe_world(world: World) -> SiteSnapshot:
    """What the controller reads of a world in which nothing is in flight."""
    snapshot = sites.make_snapshot(SITE, {name: (item.shown, item.state) for name, item in world})
    failed = {name for name, item in world if item.failed}
    networks = {
        key: replace(
            network,
            peerings=tuple(
                replace(peering, provisioning_state="Failed") if peering.name in failed else peering
                for peering in network.peerings
            ),
        )
        for key, network in snapshot.networks.items()
    }
    return replace(snapshot, networks=networks)


def plan_todos(world: World, target: Path) -> tuple[Todo, ...]:
    """What the controller would do now."""
    plan = procedure.plan(SITE, observe_world(world), target, OURS)
    assert procedure.find_breaches(SITE, plan) == []
    return tuple(Todo(step.peering, step.peerings_back, step.gated) for step in plan.writes)


def is_needed(world: World, write: PeeringWrite) -> bool:
    """Whether the controller, reading the peering before it writes, finds it not yet so."""
    now = find_held(world, write.name)
    if write.change is Change.DELETE:
        return now is not None
    return now is None or now.failed or now.shown != write.after or now.state == DISCONNECTED


def gate_holds(world: World, target: Path) -> bool:
    conditions = gates.check_gate(SITE, observe_world(world), target, SITE.spokes[0])
    return all(condition.status is ConditionStatus.HOLDS for condition in conditions)


def begin_next(world: World, todo: tuple[Todo, ...]) -> State:
    """The controller takes the next thing in hand, and Azure accepts it."""
    while todo and not is_needed(world, todo[0].write):
        todo = todo[1:]
    if not todo:
        return State(world)
    write = todo[0].write
    if todo[0].gated and not gate_holds(world, target_of(todo)):
        return State(world)
    return State(accept_write(world, write), write, todo)


def target_of(todo: tuple[Todo, ...]) -> Path:
    """Where a plan leads, by what its gated step gives up."""
    return Path.IPSEC if todo[0].write.name == OUT_P else Path.EXPRESSROUTE


def moves(state: State) -> Iterator[State]:
    """Every state that may come next."""
    if state.flight is None:
        for target in Path:
            yield begin_next(state.world, plan_todos(state.world, target))
        return
    if state.plan is not None:
        yield replace(state, plan=None)  # the process dies
    for well in (True, False):
        world = finish_write(state.world, state.flight, well=well)
        if state.plan is None:
            yield State(world)
            continue
        here, rest = state.plan[0], state.plan[1:]
        if well:
            yield begin_next(world, rest)
            continue
        yield State(world)  # given up
        yield begin_next(world, state.plan)  # looked up, and repeated
        if here.back:
            yield begin_next(world, tuple(Todo(write) for write in here.back))  # taken back


def reachable() -> dict[State, State | None]:
    """Every state, with one that leads to it."""
    first = [
        State(tuple(sorted((name, Held(flags, flags, at)) for name, (flags, at) in row.items())))
        for row in STATES
    ]
    by_name: dict[State, State | None] = dict.fromkeys(first)
    waiting = deque(first)
    while waiting:
        state = waiting.popleft()
        for following in moves(state):
            if following not in by_name:
                by_name[following] = state
                waiting.append(following)
    return by_name


@pytest.fixture(scope="module")
def states() -> dict[State, State | None]:
    return reachable()


def run_undisturbed(world: World, target: Path) -> World:
    """Where a run ends that meets no trouble any more."""
    state = begin_next(world, plan_todos(world, target))
    while state.flight is not None:
        assert state.plan is not None
        state = begin_next(finish_write(state.world, state.flight, well=True), state.plan[1:])
    return state.world


def test_in_every_reachable_state_the_invariants_hold(
    states: dict[State, State | None], record_property: Callable[[str, object], None]
) -> None:
    for state in states:
        for name in PRIMARY:
            peering = find_held(state.world, name)
            assert peering is not None, state
            assert peering.shown.allow_virtual_network_access, state
            assert peering.active is not None, state
            assert peering.active.allow_virtual_network_access, state
        used = [name for name in OUTWARD if uses(find_held(state.world, name))]
        assert len(used) <= 1, state
        if state.flight is not None and state.flight.change is Change.DELETE:
            assert state.flight.name not in PRIMARY, state
    dead = sum(item.flight is not None and item.plan is None for item in states)
    text = f"{len(states)} states, {dead} with an operation in flight and nobody there; all hold"
    record_property("model check", text)
    print(text)


def test_from_every_reachable_state_both_targets_are_reached_and_nothing_is_left_to_write(
    states: dict[State, State | None],
) -> None:
    ends = {}
    for target in Path:
        flags = {name: result for name, (result, _) in sites.make_state(target, SITE).items()}
        ends[target] = tuple(sorted((name, Held(f, f, "Connected")) for name, f in flags.items()))
    worlds = set()
    for state in states:
        if state.flight is None:
            worlds.add(state.world)
        else:
            worlds |= {finish_write(state.world, state.flight, well=well) for well in (True, False)}
    for world in worlds:
        for target in Path:
            assert run_undisturbed(world, target) == ends[target], (world, target)
            assert plan_todos(ends[target], target) == ()


def test_a_break_or_make_that_fails_leaves_the_spoke_on_the_path_it_was_on(
    states: dict[State, State | None],
) -> None:
    tried = 0
    for state in states:
        if state.flight is None or not state.plan or not state.plan[0].back:
            continue
        tried += 1
        failed = finish_write(state.world, state.flight, well=False)
        back = begin_next(failed, tuple(Todo(write) for write in state.plan[0].back))
        while back.flight is not None and back.plan is not None:
            back = begin_next(finish_write(back.world, back.flight, well=True), back.plan[1:])
        peering = find_held(back.world, state.plan[0].back[-1].name)
        assert peering is not None, state
        assert peering.active is not None, state
        assert peering.active.use_remote_gateways, state
    assert tried


def test_the_rules_used_here_forbid_what_azure_forbids() -> None:
    on = sites.make_state(Path.EXPRESSROUTE, SITE) | sites.make_state(Path.IPSEC, SITE)
    world = tuple(sorted((name, Held(flags, flags, at)) for name, (flags, at) in on.items()))
    hub = SITE.build_network_id("vnet2")
    second = PeeringWrite(
        Change.UPDATE, SITE.build_peering_id("vnet1", OUT_P), hub, None, sites.SPOKE_USES
    )
    with pytest.raises(RefusedByAzureError, match="second remote gateway"):
        accept_write(world, second)
