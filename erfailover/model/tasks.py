"""Tasks for the executor, and their results: values only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from erfailover.errors import Failure
from erfailover.model.durations import DurationEstimate


@dataclass(frozen=True)
class Task:
    """One thing to do.

    Attributes:
        id: unique within a run.
        title: what it does, as an imperative.
        run: does it and returns a note for the operator; raises ``Failure``. None for a
            milestone: nothing is done, what comes after it has only one task to name.
        needs: ids of tasks that must be done before it.
        after: ids of tasks that must be done, failed or skipped before it.
        owns: ids (lower case) of the resources whose state it changes.
        refers: ids (lower case) of the resources that must be at rest meanwhile.
        change: what it does to ``resource``: create, update, delete; for the journal.
        resource: the id of the resource that it changes; empty if there is none.
        completes: it completes what the tasks that it needs have started, so it runs even if
            the run is being stopped.
        usual: how long it usually takes; None if that is not known.
        records_itself: whether ``run`` records in the journal what it is about to do.
    """

    id: str
    title: str
    run: Callable[[], str | None] | None
    needs: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    owns: frozenset[str] = frozenset()
    refers: frozenset[str] = frozenset()
    change: str = ""
    resource: str = ""
    completes: bool = False
    usual: DurationEstimate | None = None
    records_itself: bool = False


class State(StrEnum):
    """The state of a task."""

    STARTED = "started"
    WAITING = "waiting"
    """It is in flight and waits for something, or could start and waits for another."""
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Event:
    """Something that happened to a task.

    Attributes:
        at_s: seconds since the run began.
        elapsed_s: seconds since the task started.
        note: what it returned, or why it failed, was skipped or waits.
        attempt: which attempt comes after the wait.
        wait_s: how long it waits, in seconds; None if that is not known.
    """

    task: Task
    state: State
    at_s: float
    elapsed_s: float = 0.0
    note: str | None = None
    attempt: int = 1
    wait_s: float | None = None


Listener = Callable[[Event], None]
"""Receives events from the thread that runs the tasks; waits from the thread that waits."""


@dataclass
class Results:
    """The results of every task of a run."""

    events: list[Event] = field(default_factory=list)
    """All but the waits."""
    failures: dict[str, Failure] = field(default_factory=dict)
    elapsed_s: float = 0.0

    def list_tasks(self, state: State) -> list[Task]:
        """Return the tasks that ended in a state."""
        return [event.task for event in self.events if event.state is state]

    def raise_first(self) -> None:
        """Raise the first failure, if there was one."""
        for failure in self.failures.values():
            raise failure
