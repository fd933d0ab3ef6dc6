"""Run the tasks of a command: every intent is recorded before the act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from erfailover.commands.context import Context
from erfailover.commands.progress import Progress
from erfailover.commands.runs.recorder import Recorder
from erfailover.model.outlook import Foresee
from erfailover.model.tasks import Event, Listener, Results, Task
from erfailover.planning.critical_path import estimate_outlook
from erfailover.runtime import executor
from erfailover.runtime.executor import ConcurrencyLimit


def run_tasks(
    context: Context,
    recorder: Recorder,
    tasks: Sequence[Task],
    width: ConcurrencyLimit | None = None,
    listener: Listener = lambda event: None,
    max_failures: int | None = None,
    foresee: Foresee | None = None,
) -> Results:
    """Run tasks, record every intent before the act and every end, and show the progress.

    Args:
        context: the invocation.
        recorder: records the run.
        tasks: what to do, what matters most first.
        width: how many may be under way at once.
        listener: called with every event, before it is shown.
        max_failures: after how many failures no further task begins; None for no limit.
        foresee: tells how long the rest usually takes; by default, from each task's own time.

    Raises:
        Interrupted: the operator stopped it.
    """
    total = sum(task.run is not None for task in tasks)
    output = context.output
    output.print_heading()
    ahead = foresee or partial(estimate_outlook, tasks)
    with Progress(output.console, context.clock, total, ahead, is_quiet=output.quiet) as progress:
        record = recorder.build_listener(progress.tell)

        def notify(event: Event) -> None:
            listener(event)
            record(event)

        recorded = [_record_intent_first(task, recorder) for task in tasks]
        return executor.run(recorded, context.clock, notify, width, max_failures)


def _record_intent_first(task: Task, recorder: Recorder) -> Task:
    """Return a task that begins only when the journal has its intent."""
    work = task.run
    if work is None or task.records_itself:
        return task

    def run() -> str | None:
        recorder.record_intent(task.id, task.title, task.change, task.resource)
        return work()

    return replace(task, run=run)
