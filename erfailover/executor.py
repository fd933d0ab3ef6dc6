"""The only loop that changes anything.

Takes tasks that say what they need, what they own and what they refer to, and runs what is
ready, side by side where Azure allows it, until all is done or something failed. It decides
nothing about networks: what the tasks are comes from pure functions.

A write of a peering puts its own VNet in ``Updating``, and a write that owns or refers to a VNet
in ``Updating`` is refused (recorded). So no task starts while another owns what it owns or
refers to, or refers to what it owns; two that only refer to the same resource may overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum

from erfailover.clock import Clock, start
from erfailover.errors import Failure, Interrupted


@dataclass(frozen=True)
class Task:
    """One thing to do.

    Attributes:
        id: unique within a run.
        title: what it does, as an imperative.
        needs: ids of tasks that must be done before it.
        after: ids of tasks that must be done, failed or skipped before it.
        owns: ids (lower case) of the resources whose state it changes.
        refers: ids (lower case) of the resources that must be at rest meanwhile.
        run: does it and returns a note for the operator; raises ``Failure``.
        change: what it does to ``resource``: create, update, delete; for the journal.
        resource: the id of the resource that it changes; empty where there is none.
    """

    id: str
    title: str
    run: Callable[[], str | None]
    needs: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    owns: frozenset[str] = frozenset()
    refers: frozenset[str] = frozenset()
    change: str = ""
    resource: str = ""

    def conflicts_with(self, other: Task) -> bool:
        """Whether the two may not be under way at the same time."""
        return bool(self.owns & (other.owns | other.refers) or self.refers & other.owns)


class State(StrEnum):
    """What has become of a task."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Event:
    """Something that happened to a task.

    Attributes:
        at_s: seconds since the run began.
        elapsed_s: seconds since the task started.
        note: what it returned, or why it failed or was skipped.
    """

    task: Task
    state: State
    at_s: float
    elapsed_s: float = 0.0
    note: str | None = None


Listener = Callable[[Event], None]


@dataclass
class Results:
    """What has become of every task of a run."""

    events: list[Event] = field(default_factory=list)
    failures: dict[str, Failure] = field(default_factory=dict)
    elapsed_s: float = 0.0

    def of(self, state: State) -> list[Task]:
        """The tasks that ended in a state."""
        return [event.task for event in self.events if event.state is state]

    def raise_first(self) -> None:
        """Raise the first failure, if there was one."""
        for failure in self.failures.values():
            raise failure


def run(
    tasks: Sequence[Task],
    clock: Clock,
    listener: Listener = lambda event: None,
    max_in_flight: int = 8,
) -> Results:
    """Run tasks in the order of their needs, side by side where they do not conflict.

    After a failure nothing new is started that needs the failed task; what does not need it goes
    on. Ctrl-C once: what is in flight is waited for, nothing new starts; twice: it stops now.

    Raises:
        Interrupted: the operator stopped it. The tasks in flight are named.
        ValueError: the tasks need one another in a circle, or need what is not there.
    """
    return _Run(list(tasks), clock, listener, max_in_flight).to_the_end()


@dataclass
class _Run:
    waiting: list[Task]
    clock: Clock
    listener: Listener
    max_in_flight: int
    results: Results = field(default_factory=Results)
    began: dict[str, float] = field(default_factory=dict)
    in_flight: dict[str, tuple[Task, Future[str | None]]] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    stopping: bool = False

    def to_the_end(self) -> Results:
        check_order(self.waiting)
        start_s = self.began[""] = self.clock.now()
        while self.waiting or self.in_flight:
            try:
                if not self.stopping:
                    self._start_what_is_ready()
                elif not self.in_flight:
                    break
                self.clock.wait_for(self._something_ended, 3600.0)
                self._collect()
            except KeyboardInterrupt:
                if self.stopping or not self.in_flight:
                    raise self._interrupted() from None
                self.stopping = True
                titles = ", ".join(task.title for task, _ in self.in_flight.values())
                for task, _ in self.in_flight.values():
                    self._tell(task, State.STARTED, f"finishing after Ctrl-C: {titles}")
        self.results.elapsed_s = self.clock.now() - start_s
        if self.stopping:
            raise self._interrupted()
        return self.results

    def _start_what_is_ready(self) -> None:
        for task in list(self.waiting):
            if task.needs & self.lost:
                self.waiting.remove(task)
                self.lost.add(task.id)
                self._tell(task, State.SKIPPED, "what it needs was not done")
            elif self._ready(task):
                self.waiting.remove(task)
                self.began[task.id] = self.clock.now()
                self._tell(task, State.STARTED)
                self.in_flight[task.id] = (task, start(self.clock, task.run, task.id))

    def _ready(self, task: Task) -> bool:
        if len(self.in_flight) >= self.max_in_flight or not task.needs <= self.done:
            return False
        if not task.after <= self.done | self.lost:
            return False
        return not any(task.conflicts_with(other) for other, _ in self.in_flight.values())

    def _something_ended(self) -> bool:
        return not self.in_flight or any(future.done() for _, future in self.in_flight.values())

    def _collect(self) -> None:
        for task, future in list(self.in_flight.values()):
            if not future.done():
                continue
            del self.in_flight[task.id]
            error = future.exception()
            if error is None:
                self.done.add(task.id)
                self._tell(task, State.DONE, future.result())
            elif isinstance(error, Failure):
                self.lost.add(task.id)
                self.results.failures[task.id] = error
                self._tell(task, State.FAILED, error.message)
            else:
                raise error

    def _tell(self, task: Task, state: State, note: str | None = None) -> None:
        now = self.clock.now()
        event = Event(task, state, now - self.began[""], now - self.began.get(task.id, now), note)
        self.results.events.append(event)
        self.listener(event)

    def _interrupted(self) -> Interrupted:
        done, left = len(self.done), len(self.waiting)
        under_way = [task.title for task, _ in self.in_flight.values()]
        message = f"interrupted: {done} done, {left} not begun"
        if under_way:
            message += f"; Azure goes on with: {', '.join(under_way)}"
        return Interrupted(message, "Run the same command again: it does only what is left.")


def check_order(tasks: Iterable[Task]) -> None:
    """Raise ``ValueError`` where tasks need one another in a circle, or need what is not there."""
    left = {task.id: task.needs | task.after for task in tasks}
    known = set(left)
    for id_, needs in left.items():
        if needs - known:
            raise ValueError(f"{id_} needs {sorted(needs - known)}, which is no task of the run")
    while left:
        ready = [id_ for id_, needs in left.items() if not needs & left.keys()]
        if not ready:
            raise ValueError(f"these tasks need one another in a circle: {sorted(left)}")
        for id_ in ready:
            del left[id_]
