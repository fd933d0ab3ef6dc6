"""Move the next hops of spokes that were made; spokes that share tables wait for one another.

A spoke is owed a path until its next hops have moved too. Whether it moves them, waits or goes back
is decided by ``planning.next_hops.groups``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from erfailover.azure import routes
from erfailover.commands.switch.crossing import PAUSE_S, Crossing, to_failure
from erfailover.errors import AzureErrorKind, AzureFailure, LeaseLost
from erfailover.model.plan import (
    Change,
    NextHopWrites,
    PeeringWrite,
    RouteWrite,
    SwitchPlan,
    SwitchStep,
)
from erfailover.planning.next_hops.groups import Turn, choose_turn
from erfailover.planning.switch.recovery import Direction, PathState, locate
from erfailover.runtime.clock import Clock, run_all, start


@dataclass
class Group:
    """Spokes that share tables, on their way.

    Attributes:
        tied: whether they go together or not at all.
        missing: the spokes of a tied group that are not moved.
        members: the spokes that are, by name.
        lock: held while a spoke is begun.
    """

    clock: Clock
    tied: bool = False
    missing: tuple[str, ...] = ()
    members: dict[str, RoutedCrossing] = field(default_factory=dict)
    _made: dict[str, bool] = field(default_factory=dict)
    _moved: dict[str, bool] = field(default_factory=dict)
    _gates: Future[None] | None = None
    _writing: dict[frozenset[str], Future[None]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, crossing: RoutedCrossing) -> None:
        """Pass the gates, and start the spoke; of a tied group, all of them.

        Raises:
            Failure: a gate does not hold, so that no spoke of a tied group is taken off its path.
        """
        if crossing.has_begun:
            return
        if not self.tied:
            if crossing.off is not None:
                crossing.pass_gate()
            crossing.start_once()
            return
        with self.lock:
            is_first = self._gates is None
            gates = self._gates = self._gates or Future()
        if is_first:
            self._pass_gates(gates)
        self._await(gates.done)
        if gates.exception() is not None and crossing.off is None:
            crossing.start_once()
            return
        gates.result()

    def _pass_gates(self, gates: Future[None]) -> None:
        leaving = [member for member in self.members.values() if member.off is not None]
        try:
            if self.missing and leaving:
                raise AzureFailure(
                    AzureErrorKind.REFUSED,
                    f"{self.missing[0]} shares a route table with these spokes and was not moved",
                    "Run the same command again to move them together.",
                )
            run_all(self.clock, [member.pass_gate for member in leaving])
            for member in self.members.values():
                member.start_once()
            gates.set_result(None)
        except BaseException as error:
            for member in leaving:
                self._made[member.spoke] = False
            gates.set_exception(error)
        self.clock.notify()

    def choose(self, spoke: str) -> Turn:
        """Note that a spoke was made, and wait until it is decided what that leads to."""
        self.note_made(spoke, made=True)
        others = [name for name in (*self.members, *self.missing) if name != spoke]

        def decide() -> Turn:
            made = [False if name in self.missing else self._made.get(name) for name in others]
            return choose_turn(tied=self.tied, made=made)

        self._await(lambda: decide() is not Turn.WAIT)
        return decide()

    def note_made(self, spoke: str, *, made: bool) -> None:
        """Note whether a spoke was made, for those that wait for it."""
        self._made[spoke] = made
        if not made:
            self._moved[spoke] = False
        self.clock.notify()

    def have_all_moved(self, spoke: str, *, moved: bool) -> bool:
        """Note whether a spoke's next hops were moved; return whether those of its group were."""
        self._moved[spoke] = moved
        self.clock.notify()
        if not self.tied:
            return moved
        self._await(lambda: len(self._moved) == len(self.members) or False in self._moved.values())
        return all(self._moved.values())

    def await_ends(self) -> None:
        """Wait until every spoke of a tied group that has begun is where it stays.

        The run may be ending: what it reports of one spoke is then true of the others too.
        """
        if self.tied:
            begun = [member for member in self.members.values() if member.has_begun]
            self._await(lambda: all(member.has_ended for member in begun))

    def write(self, writes: NextHopWrites, send: Callable[[], None]) -> None:
        """Write tables of the group, each at one time by one spoke alone.

        Raises:
            Failure: Azure refused.
        """
        tables = frozenset(map(str.lower, writes.tables))
        own: Future[None] = Future()

        def find_other() -> Future[None] | None:
            for busy, future in self._writing.items():
                if busy & tables and not future.done():
                    return future
            return None

        while True:
            with self.lock:
                other = find_other()
                if other is None:
                    self._writing[tables] = own
                    break
            self._await(other.done)
        try:
            send()
        finally:
            own.set_result(None)
            self.clock.notify()

    def _await(self, ready: Callable[[], bool]) -> None:
        while not self.clock.wait_for(ready, 3600.0):
            continue


def build_groups(clock: Clock, plan: SwitchPlan) -> dict[str, Group]:
    """Return the group of each spoke of a plan that shares tables, by the spoke's name."""
    moved = {step.spoke for step in plan.steps}
    groups: dict[str, Group] = {}
    for names in plan.sharing:
        missing = tuple(name for name in names if name not in moved)
        group = Group(clock, names in plan.tied, missing)
        groups |= dict.fromkeys(names, group)
    return groups


@dataclass(kw_only=True)
class RoutedCrossing(Crossing):
    """One spoke on its way whose next hops move after the make.

    Attributes:
        moves: the step that moves its next hops.
        group: the spokes that share its tables.
    """

    moves: SwitchStep
    group: Group
    _routed: Future[str] = field(default_factory=Future)
    _touched: bool = False

    def take_off(self) -> str:
        """Pass the gates and take the spoke off its origin; what follows goes on by itself."""
        self.group.begin(self)
        return self._follow(self._broken, begin=False)

    def put_on(self) -> str:
        """Wait until the spoke uses the gateway of its target."""
        self.group.begin(self)
        return self._follow(self._made, begin=False)

    def move_next_hops(self) -> str:
        """Wait until its next hops have moved as well, and those of its group."""
        self.group.begin(self)
        done = self._follow(self._routed, begin=False)
        self.group.await_ends()
        return done

    @property
    def has_begun(self) -> bool:
        """Whether the spoke is on its way."""
        return self._begun

    @property
    def has_ended(self) -> bool:
        """Whether the spoke is where it stays."""
        return self._routed.done()

    def pass_gate(self) -> None:
        """Pass the gate of this spoke."""
        self._origin_was_healthy = self.gate()

    def start_once(self) -> None:
        """Start to move the spoke, unless that has begun."""
        with self.group.lock:
            begun, self._begun = self._begun, True
        if not begun:
            start(self.clock, self._cross, f"move {self.spoke}")

    def _list_futures(self) -> tuple[Future[str], ...]:
        return (self._broken, self._made, self._routed)

    def _end(self, place: PathState) -> None:
        if place is not PathState.TARGET:
            self.group.note_made(self.spoke, made=False)
        super()._end(place)

    def _list_contingency(self) -> Iterable[PeeringWrite]:
        return super()._list_contingency() or self.moves.peerings_back

    def _finish(self, place: PathState) -> PathState:
        """Move the next hops of a spoke that was made, or take it back."""
        if place is not PathState.TARGET:
            self.group.note_made(self.spoke, made=False)
            return place
        if not self._made.done():
            self._made.set_result("written")
            self.clock.notify()
        deadline = self.clock.now() + self.deadline_s
        if self.group.choose(self.spoke) is Turn.MOVE:
            moved = self._move_routes(deadline)
            if self.group.have_all_moved(self.spoke, moved=moved):
                return PathState.TARGET
        else:
            self._failures.setdefault(
                Direction.FORWARD,
                AzureFailure(
                    AzureErrorKind.REFUSED,
                    f"{self.spoke} shares a route table with a spoke that could not be moved",
                    "Run the same command again to move them together.",
                ),
            )
        if not self._goes_back():
            return PathState.NOWHERE
        return self._return(deadline)

    def _goes_back(self) -> bool:
        """Whether the spoke is better off on the path it was on."""
        works = self.group.tied or self._origin_was_healthy
        return works and self._find_restoring_write() is not None and self.may_roll_back()

    def _move_routes(self, deadline: float) -> bool:
        """Write the next hops of the target; again until the deadline if going back is no use."""
        writes = self.moves.write
        if not isinstance(writes, NextHopWrites) or writes.change is Change.KEEP:
            return True
        self._touched = True
        return self._write_until(deadline, writes, Direction.FORWARD)

    def _write_until(self, deadline: float, writes: NextHopWrites, direction: Direction) -> bool:
        """Write routes, again until the deadline or until the spoke goes back; say if all were."""
        while not self._write_routes(writes, direction, self._limit_attempt(deadline)):
            gives_up = direction is Direction.FORWARD and self._goes_back()
            if gives_up or self.clock.now() >= deadline:
                return False
            self._pause(PAUSE_S, "waiting to retry")
        return True

    def _write_routes(self, writes: NextHopWrites, direction: Direction, limit_s: float) -> bool:
        """Write routes, each recorded before it is sent; return whether all were written."""
        step, forward = self.moves, direction is Direction.FORWARD
        self._attempts += not forward
        task = step.id if forward else f"{self.spoke}/back{self._attempts}"

        def record(change: RouteWrite) -> None:
            name = change.full_name
            title = (
                f"{step.number}. {step.title}: {name}"
                if forward
                else f"restore the next hop: {name}"
            )
            self.recorder.record_intent_later(task, title, str(change.change), change.route_id)

        writer = self.writers.make if forward else self.writers.other
        send = partial(
            routes.write, writer, writes.routes, limit_s, self.readings, self.cadence, record
        )
        try:
            self.group.write(writes, send)
        except LeaseLost:
            raise
        except Exception as error:
            self._failures[direction] = to_failure(error)
            self.recorder.record_later("failed", task=task)
            return False
        if not forward:
            self.recorder.record_later("done", task=task)
        return True

    def _return(self, deadline: float) -> PathState:
        """Take the spoke back to the path it was on, its next hops too."""
        ids = self.origin_id, self.target_id
        self.exempt(ids, True)
        try:
            place = locate(self._read())
            while place is not PathState.ORIGIN:
                self._last = Direction.BACK
                limit_s = self._limit_attempt(deadline)
                if self._attempt(Direction.BACK, limit_s) and self._is_confirmed(self.origin_id):
                    place = PathState.ORIGIN
                    break
                place = locate(self._read())
                if place is not PathState.ORIGIN and self.clock.now() >= deadline:
                    return PathState.NOWHERE if place is PathState.TARGET else place
                if place is not PathState.ORIGIN:
                    self._pause(PAUSE_S, "waiting to retry")
            return place if self._restore_routes(deadline) else PathState.NOWHERE
        finally:
            self.exempt(ids, False)

    def _restore_routes(self, deadline: float) -> bool:
        """Put the next hops back that this run may have moved."""
        named = self.moves.contingency
        back = next((write for write in named if isinstance(write, NextHopWrites)), None)
        if back is None or not self._touched:
            return True
        return self._write_until(deadline, back, Direction.BACK)
