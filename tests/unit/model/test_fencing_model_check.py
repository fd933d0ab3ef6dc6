"""Every interleaving of a run that loses its store and the run that acquires its lease.

One spoke, two writers, the store, and Azure. A state holds the two remote-gateway flags of the
spoke, the writes that were sent and have not arrived, and what each writer knows. In one step a
writer acts or stays paused, a write in flight is accepted, refused or lost, the store falls silent
to the holder, or time passes. A write may be accepted ``ACCEPTED_LATE_S`` after it was sent, and
each writer's clock runs 1 % slow, right or 1 % fast.

Two properties:

- *no opposite writes*: once the new holder has begun to move the spoke in the other direction, no
  write of the lost holder takes effect.
- *none stranded*: when the new holder has done its duty, the spoke has a path, whatever the lost
  holder sent.

Without any one of the rules (a), (c)'s limit and (d) the same search finds a counterexample.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from erfailover.model import fencing
from erfailover.model.fencing import Grant, Write, may_send
from erfailover.planning.switch.recovery import Direction, Move, PathState, choose_move

TICK_S = 10.0
RELIED_ON_S, DEADLINE_S = 15.0, 100.0
"""Shorter than the product's and in the same order, so that the search ends soon."""
LATE = int(fencing.ACCEPTED_LATE_S / TICK_S)
LONG = 20
"""An age in ticks after which nothing depends on it any more."""
SLOW, FAST = 1 - fencing.DRIFT, 1 + fencing.DRIFT
IN_FLIGHT = 2
"""How many writes of the holder are in flight: the one it waits for, and one that it gave up."""

BREAK, MAKE, UNMAKE, RESTORE = "origin off", "target on", "target off", "origin on"

Flight = tuple[str, int]
"""A write of the holder that has not arrived, and its age. Those of the other run arrive at once:
it is one run, which waits for the answer to a write before it sends the next."""


class State(NamedTuple):
    """Where everything stands. Ages are in ticks of real time.

    Attributes:
        origin, target: whether the spoke's peering uses that hub's gateway, in force.
        flights: the holder's writes on the way.
        confirmed: the age of the last renewal that was confirmed, since it was sent.
        silent: whether the store no longer answers the holder.
        recorded: whether the store has the record of rule (a).
        broke: whether the holder has sent the break.
        last: the direction of its last write after that.
        acquired: for how long the other run has had the lease; None if it has not.
        reversing: whether the other run has begun to move the spoke in the other direction.
        ended: whether the other run has done what it has to do.
    """

    origin: bool = True
    target: bool = False
    flights: tuple[Flight, ...] = ()
    confirmed: int = 0
    silent: bool = False
    recorded: bool = False
    broke: bool = False
    last: Direction | None = None
    acquired: int | None = None
    reversing: bool = False
    ended: bool = False

    @property
    def place(self) -> PathState:
        if self.origin == self.target:
            return PathState.NOWHERE
        return PathState.TARGET if self.target else PathState.ORIGIN


@dataclass(frozen=True)
class Rules:
    """The rules that hold; each can be switched off.

    Attributes:
        old_rate, new_rate: how fast the clocks of holder and successor run.
        record_first: rule (a).
        make_is_limited: the limit of rule (c).
        completes: the first half of rule (d).
        waits: the second half of rule (d).
        reverses: whether the other run wants the spoke in the other direction.
    """

    old_rate: float = 1.0
    new_rate: float = 1.0
    record_first: bool = True
    make_is_limited: bool = True
    completes: bool = True
    waits: bool = True
    reverses: bool = True

    def holder_may(self, state: State, write: Write) -> bool:
        age_s = state.confirmed * TICK_S * self.old_rate
        if write is Write.MAKE and not self.make_is_limited:
            age_s = 0.0
        grant = Grant(0.0, recorded=state.recorded or not self.record_first)
        return may_send(write, grant, age_s, RELIED_ON_S, DEADLINE_S)


def steps(state: State, rules: Rules) -> Iterator[State]:
    """Every state that one event leads to. A run that is paused or dead does not act."""
    yield from _time(state)
    yield from _azure(state)
    yield from _holder(state, rules)
    yield from _successor(state, rules)


def _time(state: State) -> Iterator[State]:
    yield state._replace(
        flights=tuple((write, age + 1) for write, age in state.flights if age < LATE),
        confirmed=min(state.confirmed + 1, LONG),
        acquired=None if state.acquired is None else min(state.acquired + 1, LONG),
    )


def _azure(state: State) -> Iterator[State]:
    for number, (write, _) in enumerate(state.flights):
        rest = state.flights[:number] + state.flights[number + 1 :]
        yield apply_write(state, write)._replace(flights=rest)
        yield state._replace(flights=rest)  # refused, or lost on the way


def apply_write(state: State, write: str) -> State:
    """What a write does; Azure refuses a second remote gateway."""
    if write == BREAK:
        return state._replace(origin=False)
    if write == UNMAKE:
        return state._replace(target=False)
    if write == MAKE:
        return state if state.origin else state._replace(target=True)
    return state if state.target else state._replace(origin=True)


def _holder(state: State, rules: Rules) -> Iterator[State]:
    """The run that holds the lease at first."""
    if not state.silent and state.acquired is None:
        yield state._replace(silent=True)
        yield state._replace(confirmed=0)
        yield state._replace(confirmed=0, recorded=True)
    if not state.broke:
        if rules.holder_may(state, Write.BREAK):
            yield send_write(state, BREAK)._replace(broke=True)
        return
    for place in (state.place, PathState.UNKNOWN):
        move = choose_move(
            place,
            state.last,
            0.0,
            DEADLINE_S,
            origin_was_healthy=True,
            can_go_back=rules.holder_may(state, Write.OTHER),
        )
        if move is Move.MAKE and rules.holder_may(state, Write.MAKE):
            yield send_write(state, MAKE)._replace(last=Direction.FORWARD)
        elif move is Move.ROLL_BACK:
            yield send_write(state, UNMAKE)._replace(last=Direction.BACK)
            yield send_write(state, RESTORE)._replace(last=Direction.BACK)


def send_write(state: State, write: str) -> State:
    """The holder sends a write; of two others on the way the older one was answered."""
    return state._replace(flights=(*state.flights[1 - IN_FLIGHT :], (write, 0)))


def _successor(state: State, rules: Rules) -> Iterator[State]:
    """The run that acquires the lease: at any time, since a live lease can be taken over."""
    if state.acquired is None:
        yield state._replace(acquired=0)
        return
    if state.ended:
        return
    waited_s = state.acquired * TICK_S * rules.new_rate
    if state.reversing:
        if state.place is PathState.ORIGIN:
            yield state._replace(ended=True)
        else:
            yield apply_write(state, UNMAKE if state.target else RESTORE)
    elif state.recorded and rules.completes and state.place is PathState.NOWHERE:
        yield apply_write(state, MAKE)
    elif rules.completes and waited_s < fencing.compute_arrival_limit_s(RELIED_ON_S):
        return
    elif not rules.reverses or state.place is not PathState.TARGET:
        yield state._replace(ended=True)
    elif not rules.waits or waited_s >= fencing.compute_reversal_delay_s(DEADLINE_S):
        yield apply_write(state, UNMAKE)._replace(reversing=True)


def opposite_writes(before: State, after: State) -> bool:
    """Whether a write of the lost holder took effect although the other run reverses."""
    arrived = len(after.flights) < len(before.flights)
    changed = (before.origin, before.target) != (after.origin, after.target)
    return before.reversing and arrived and changed


def is_stranded(_: State, after: State) -> bool:
    """Whether the spoke has no path although the other run has done its duty."""
    return after.ended and after.place is PathState.NOWHERE


def search(rules: Rules, *bad: Callable[[State, State], bool]) -> tuple[list[State] | None, int]:
    """The shortest way to a bad state, or None; and how many states were seen."""
    start = State()
    came: dict[State, State | None] = {start: None}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        for following in steps(state, rules):
            if any(judge(state, following) for judge in bad):
                way = [following, state]
                while (before := came[way[-1]]) is not None:
                    way.append(before)
                return way[::-1], len(came)
            if following not in came:
                came[following] = state
                queue.append(following)
    return None, len(came)


RATES = [(1.0, 1.0), (SLOW, FAST), (FAST, SLOW)]


@pytest.mark.parametrize("reverses", [False, True])
@pytest.mark.parametrize(("old_rate", "new_rate"), RATES)
def test_no_interleaving_breaks_a_promise(old_rate: float, new_rate: float, reverses: bool) -> None:
    rules = Rules(old_rate, new_rate, reverses=reverses)
    way, states = search(rules, opposite_writes, is_stranded)
    assert way is None
    assert states > 10_000


def test_without_the_record_before_the_break_a_spoke_is_stranded() -> None:
    way, _ = search(Rules(record_first=False, reverses=False), is_stranded)
    assert way is not None


def test_without_the_limit_on_the_make_opposite_writes_meet() -> None:
    way, _ = search(Rules(make_is_limited=False), opposite_writes)
    assert way is not None


def test_without_completing_what_was_recorded_a_spoke_is_stranded() -> None:
    way, _ = search(Rules(completes=False, reverses=False), is_stranded)
    assert way is not None


def test_without_waiting_before_the_other_direction_opposite_writes_meet() -> None:
    way, _ = search(Rules(waits=False), opposite_writes)
    assert way is not None


@pytest.mark.parametrize("seconds", [DEADLINE_S + fencing.ACCEPTED_LATE_S])
def test_without_an_allowance_for_drift_opposite_writes_meet(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(fencing, "compute_reversal_delay_s", lambda step_deadline_s: seconds)
    way, _ = search(Rules(SLOW, FAST), opposite_writes)
    assert way is not None
