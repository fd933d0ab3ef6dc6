"""Runs the tasks of a command: every event is recorded first, then shown."""

from __future__ import annotations

from collections.abc import Sequence

from erfailover.commands.context import Context
from erfailover.commands.progress import Progress
from erfailover.commands.runs.recorder import Recorder
from erfailover.model.tasks import Event, Listener, Results, Task
from erfailover.runtime import executor
from erfailover.runtime.executor import Width


def run_tasks(
    context: Context,
    recorder: Recorder,
    tasks: Sequence[Task],
    width: Width | None = None,
    listener: Listener = lambda event: None,
    max_failures: int | None = None,
) -> Results:
    """Run tasks, record every event, and show the progress.

    Args:
        context: the invocation.
        recorder: records the run.
        tasks: what to do, what matters most first.
        width: how many may be under way at once.
        listener: called with every event, after it was recorded and shown.
        max_failures: after how many failures no further task begins; None for no limit.

    Raises:
        Interrupted: the operator stopped it.
    """
    total = sum(task.run is not None for task in tasks)
    with Progress(context.output.console, context.clock, total) as progress:
        record = recorder.listener(progress.tell)

        def notify(event: Event) -> None:
            record(event)
            listener(event)

        return executor.run(tasks, context.clock, notify, width, max_failures)
