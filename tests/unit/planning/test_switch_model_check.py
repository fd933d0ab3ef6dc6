"""Every state a switch can get into, and what holds in each.

A state is the four peerings of a spoke as Azure has them (what a GET shows, what is in force),
the write that Azure has accepted and not finished, and the controller: at rest, dead, or with the
rest of a plan before it. The moves of the controller are ``procedure.plan``'s own. Azure's rules
are written down here a second time, independently of the controller and of the lab.

At any moment the process may die, an operation may succeed or fail, a failed write may be given
up, repeated or rolled back, and the next command may go either way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from erfailover.model.conditions import ConditionStatus
from erfailover.model.plan import Change, PeeringWrite
from erfailover.model.site import Path
from erfailover.planning.switch import gates, procedure
from tests.support import sites
from tests.support.peering_model import (
    DISCONNECTED,
    OUTWARD,
    Held,
    RefusedByAzureError,
    World,
    accept_write,
    find_held,
    finish_write,
    observe_world,
    uses,
)
from tests.support.peering_states import IN_P, OURS, OUT_P, SITE, STATES

PRIMARY = (OUT_P, IN_P)


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
            yield begin_next(world, tuple(Todo(write) for write in here.back))  # rolled back


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
