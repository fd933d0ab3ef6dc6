"""Runs tasks side by side, in the order of their needs, as far as Azure allows it.

A task says what it needs, what it owns and what it refers to. Which tasks there are, and in which
order they matter, comes from pure functions; nothing is decided about networks here.

A write of a peering puts its own VNet in ``Updating``, and a write that owns or refers to a VNet
in ``Updating`` is refused (recorded). So no task starts while another owns what it owns or
refers to, or refers to what it owns; two that only refer to the same resource may overlap. If
Azure refuses one anyway, the run continues one at a time (``ConcurrencyLimit``). The refused
task counts for nothing until it is sent again, so that the others do not wait for what holds it.
"""

from __future__ import annotations

import logging
import threading
from bisect import insort
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from graphlib import CycleError, TopologicalSorter

from erfailover.errors import Failure, Interrupted
from erfailover.model.resource_ids import get_last_name
from erfailover.model.tasks import Event, Listener, Results, State, Task
from erfailover.runtime import waits
from erfailover.runtime.clock import Clock, start

WELL = 10
"""After so many writes that went well, one more runs at a time."""

log = logging.getLogger("erfailover.executor")

IN_FLIGHT = 128
"""How many tasks are under way at most: ARM grants 10 writes a second beyond the first 200
(documented), and nine of ten take less than 12 s (recorded)."""

NAMED = 6
"""So many tasks are named in one message."""


@dataclass
class ConcurrencyLimit:
    """How many tasks may be under way at once.

    One, after Azure refused a write because of another; then one more after every ten that went
    well: either the other was not ours, or the next refusal tells.
    """

    most: int = IN_FLIGHT
    now: int = field(init=False)
    _well: int = 0

    def __post_init__(self) -> None:
        self.now = self.most

    def note_contention(self) -> None:
        """Azure refused a write because another was under way."""
        self.now, self._well = 1, 0

    def note_success(self) -> None:
        """Note that a task has succeeded."""
        self._well += 1
        if self._well >= WELL and self.now < self.most:
            self.now, self._well = self.now + 1, 0


def run(
    tasks: Sequence[Task],
    clock: Clock,
    listener: Listener = lambda event: None,
    width: ConcurrencyLimit | None = None,
    max_failures: int | None = None,
) -> Results:
    """Run tasks in the order of their needs, side by side if they do not conflict.

    Of what is ready, the first in the sequence starts first. After a failure nothing new
    is started that needs the failed task; the rest continues. After the first Ctrl-C, tasks in
    flight are waited for, and only tasks that complete a started pair are started. A second
    Ctrl-C stops at once.

    Args:
        tasks: what to do, what matters most first.
        clock: whose seconds count.
        listener: gets every event, before a task starts and after it ended, and waits.
        width: how many may be under way at once.
        max_failures: after how many failures nothing new starts; None for no limit.

    Raises:
        Interrupted: the operator stopped it. The tasks in flight are named.
        ValueError: the tasks need one another in a circle, or need what is not there.
    """
    return _Run(tasks, clock, listener, width or ConcurrencyLimit(), max_failures).run_to_end()


class _Run:
    def __init__(
        self,
        tasks: Sequence[Task],
        clock: Clock,
        listener: Listener,
        width: ConcurrencyLimit,
        max_failures: int | None,
    ) -> None:
        self.tasks = {task.id: task for task in tasks}
        self.order = {task.id: number for number, task in enumerate(tasks)}
        self.clock, self.listener = clock, listener
        self.width, self.max_failures = width, max_failures
        self.results = Results()
        self.outcome: Future[Results] = Future()
        self.once = threading.Lock()
        self.sorter = build_sorter(tasks)
        self.ready: list[int] = []
        """Positions of the tasks that could start, what matters most first."""
        self.in_flight: dict[str, tuple[Task, Future[str | None]]] = {}
        self.owned: set[str] = set()
        self.referred: Counter[str] = Counter()
        self.refused: dict[str, bool] = {}
        """Of the tasks that reported a wait: whether they wait because Azure throttled them."""
        self.refused_since = False
        """Whether one was refused since what is ready was last looked at."""
        self.began: dict[str, float] = {}
        self.done: set[str] = set()
        self.lost: set[str] = set()
        self.interrupted = self.told_interruption = False
        self.abandoned = False
        """Whether no caller waits for the end any more."""
        self.held_up: set[str] = set()
        """The tasks that must wait for another."""

    @property
    def stopping(self) -> bool:
        """Whether nothing new starts any more."""
        failed = len(self.results.failures)
        return self.interrupted or (self.max_failures is not None and failed > self.max_failures)

    def run_to_end(self) -> Results:
        """Run the tasks from a new thread; this one only waits for it.

        Python raises ``KeyboardInterrupt`` in the main thread, at any instruction. Here it can
        interrupt nothing but that thread's start, which is repeated, and the wait.
        """
        started = False
        while True:
            try:
                if not started:
                    start(self.clock, self._run_once, "executor")
                    started = True
                if self.clock.wait_for(self.outcome.done, 3600.0):
                    return self.outcome.result()
            except KeyboardInterrupt:
                if self.interrupted:
                    self.abandoned = True
                    raise self._build_interruption() from None
                self.interrupted = True
                self.clock.notify()

    def _run_once(self) -> None:
        if not self.once.acquire(blocking=False):
            return  # the start was interrupted after the thread had begun
        try:
            self.outcome.set_result(self._run_tasks())
        except BaseException as error:
            self.outcome.set_exception(error)

    def _run_tasks(self) -> Results:
        self.began[""] = self.clock.now()
        by_order = list(self.tasks.values())
        self._queue_ready()
        while not self.abandoned:
            self.refused_since = False
            self._start_ready(by_order)
            if not self.in_flight:
                break
            self._tell_interruption()
            self.clock.wait_for(self._has_news, 3600.0)
            self._collect()
        self.results.elapsed_s = self.clock.now() - self.began[""]
        if self.interrupted:
            raise self._build_interruption()
        self._skip_the_rest(by_order)
        return self.results

    def _tell_interruption(self) -> None:
        """Say once what is still waited for after Ctrl-C."""
        if not self.interrupted or self.told_interruption:
            return
        self.told_interruption = True
        tasks = [task for task, _ in self.in_flight.values()]
        self._tell(tasks[0], State.STARTED, f"after Ctrl-C, finishing: {_format_titles(tasks)}")

    def _queue_ready(self) -> None:
        """Queue the tasks whose needs have ended; skip those whose needs were not met."""
        for id_ in self.sorter.get_ready():
            task = self.tasks[id_]
            if task.needs & self.lost:
                self.lost.add(task.id)
                if task.run is not None:
                    self._tell(task, State.SKIPPED, "a step that it depends on was not done")
                self._mark_ended(task)
            elif task.run is None:
                self.done.add(task.id)
                self._mark_ended(task)
            else:
                insort(self.ready, self.order[task.id])

    def _mark_ended(self, task: Task) -> None:
        self.sorter.done(task.id)
        self._queue_ready()

    def _start_ready(self, by_order: Sequence[Task]) -> None:
        full = self._is_full()
        for number in list(self.ready):
            task = by_order[number]
            if self.abandoned:
                return
            if full and not task.completes:
                continue
            if self.stopping and not task.completes:
                continue
            if self._has_conflict(task):
                self._tell_held_up(task)
                continue
            self.began[task.id] = self.clock.now()
            self._tell(task, State.STARTED)
            self.ready.remove(number)
            self.owned |= task.owns
            self.referred.update(task.refers)
            self.in_flight[task.id] = (
                task,
                start(self.clock, partial(self._execute_task, task), task.id),
            )
            full = self._is_full()

    def _is_full(self) -> bool:
        under_way = sum(not self.refused.get(id_, False) for id_ in self.in_flight)
        return under_way >= self.width.now or len(self.in_flight) >= self.width.most

    def _execute_task(self, task: Task) -> str | None:
        assert task.run is not None
        with waits.report_waits(partial(self._tell_wait, task)):
            return task.run()

    def _has_conflict(self, task: Task) -> bool:
        if self.owned & task.owns or self.owned & task.refers:
            return True
        return any(self.referred[own] for own in task.owns)

    def _has_news(self) -> bool:
        if self.interrupted and not self.told_interruption:
            return True
        return self.refused_since or any(future.done() for _, future in self.in_flight.values())

    def _collect(self) -> None:
        for task, future in list(self.in_flight.values()):
            if not future.done():
                continue
            del self.in_flight[task.id]
            self.owned -= task.owns
            self.referred.subtract(task.refers)
            self._note(task, future)
            self._mark_ended(task)

    def _note(self, task: Task, future: Future[str | None]) -> None:
        error = future.exception()
        if error is None:
            self.done.add(task.id)
            self.width.note_success()
            self._tell(task, State.DONE, future.result())
        elif isinstance(error, Failure):
            self.lost.add(task.id)
            self.results.failures[task.id] = error
            self._tell(task, State.FAILED, error.message)
        else:
            self.lost.add(task.id)
            log.error("%s failed unexpectedly", task.title, exc_info=error)
            unexpected = Failure(f"a bug in erfailover: {type(error).__name__}: {error}")
            self.results.failures[task.id] = unexpected
            self._tell(task, State.FAILED, unexpected.message)

    def _skip_the_rest(self, by_order: Sequence[Task]) -> None:
        """Say what was not started because too much had failed."""
        ended = self.done | self.lost
        for task in by_order:
            if task.run is not None and task.id not in ended:
                self._tell(task, State.SKIPPED, "not started: too many failures")

    def _tell(self, task: Task, state: State, note: str | None = None) -> None:
        now = self.clock.now()
        event = Event(task, state, now - self.began[""], now - self.began.get(task.id, now), note)
        self.results.events.append(event)
        self._notify(event)

    def _tell_wait(self, task: Task, wait: waits.Wait) -> None:
        self.refused[task.id] = wait.refused
        if wait.refused:
            self.refused_since = True
            self.clock.notify()
        now = self.clock.now()
        times = now - self.began[""], now - self.began.get(task.id, now)
        self._notify(Event(task, State.WAITING, *times, wait.why, wait.attempt, wait.seconds))

    def _notify(self, event: Event) -> None:
        """Call the listener; its errors never end a run (rich raises ``SystemExit`` on EPIPE)."""
        try:
            self.listener(event)
        except (Exception, SystemExit):
            log.exception("the listener of a run failed")

    def _tell_held_up(self, task: Task) -> None:
        """Say once what a task that could start waits for."""
        if task.id in self.held_up:
            return
        self.held_up.add(task.id)
        for other, _ in self.in_flight.values():
            names = other.owns & (task.owns | task.refers) or other.refers & task.owns
            if names:
                self._tell_wait(task, waits.Wait(_describe_turn(task, other, min(names))))
                return

    def _build_interruption(self) -> Interrupted:
        work = [task for task in self.tasks.values() if task.run is not None]
        under_way = [task for task, _ in list(self.in_flight.values())]
        done = sum(task.id in self.done for task in work)
        ended = sum(task.id in self.done or task.id in self.lost for task in work)
        left = len(work) - len(under_way) - ended
        message = f"interrupted: {done} done, {left} not started"
        if under_way:
            message += f"; Azure is still processing: {_format_titles(under_way)}"
        return Interrupted(message, "Run the command again to resume.")


def _format_titles(tasks: Sequence[Task]) -> str:
    """Return what some tasks do, in one line: the first, and how many more there are."""
    more = len(tasks) - NAMED
    named = ", ".join(task.title for task in tasks[:NAMED])
    return f"{named} and {more} more" if more > 0 else named


def _describe_turn(task: Task, other: Task, resource: str) -> str:
    """Return what a task waits for: another, because of a resource (its id in lower case)."""
    name = resource
    for id_ in (other.resource, task.resource):
        at = id_.lower().find(resource)
        name = id_[at : at + len(resource)] if at >= 0 else name
    before = get_last_name(other.resource) or other.title
    return f"waiting for {before} (one write at a time on {get_last_name(name)})"


def build_sorter(tasks: Iterable[Task]) -> TopologicalSorter[str]:
    """Return a sorter that gives the ids of tasks as what they need or come after has ended.

    Raises:
        ValueError: tasks need one another in a circle, or need what is not there.
    """
    before = {task.id: task.needs | task.after for task in tasks}
    for id_, ids in before.items():
        if ids - before.keys():
            unknown = sorted(ids - before.keys())
            raise ValueError(f"{id_} needs {unknown}, which is no task of the run")
    topological_sorter = TopologicalSorter(before)
    try:
        topological_sorter.prepare()
    except CycleError as error:
        circle = sorted(set(error.args[1]))
        raise ValueError(f"these tasks need one another in a circle: {circle}") from None
    return topological_sorter
