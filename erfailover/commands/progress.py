"""Shows a run as it happens, on standard error: live on a terminal, one line an event elsewhere.

Times are Azure's seconds.
"""

from __future__ import annotations

from types import TracebackType

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table

from erfailover.clock import Clock
from erfailover.durations import duration as duration
from erfailover.executor import Event, State

WORD = {
    State.STARTED: "  started",
    State.DONE: "     done",
    State.FAILED: "   FAILED",
    State.SKIPPED: "  skipped",
}


class Progress:
    """A listener of the executor that shows what is done and what is in flight.

    Use it as a context manager around the run, and pass ``progress.tell`` as the listener.
    """

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._in_flight: dict[str, tuple[str, float]] = {}
        self._live = (
            Live(get_renderable=self._drawn, console=console, transient=True, refresh_per_second=4)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def tell(self, event: Event) -> None:
        """Show one event."""
        task = event.task
        if event.state is State.STARTED:
            self._in_flight[task.id] = (task.title, self._clock.now())
            if self._live and not event.note:
                return
        else:
            self._in_flight.pop(task.id, None)
        line = f"{WORD[event.state]}  {event.at_s:6.0f} s  {task.title}"
        if event.state in (State.DONE, State.FAILED):
            line += f"  ({duration(event.elapsed_s)})"
        if event.note:
            line += f": {event.note}"
        self._console.print(line, markup=False)

    def _drawn(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        now = self._clock.now()
        for title, began in list(self._in_flight.values()):
            table.add_row("    ...", title, duration(now - began))
        return table
