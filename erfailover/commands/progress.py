"""Shows a run as it happens, on standard error: live on a terminal, one line an event elsewhere.

Times are Azure's seconds. With ``--log-format json`` every event is an object with its fields.
Nothing here costs more with more tasks: an event touches one task, and the live table is drawn
four times a second, whatever happens.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console, RenderableType

from erfailover.commands.live_view import LiveView
from erfailover.model.durations import describe_usual
from erfailover.model.outlook import Foresee, Outlook, RunState
from erfailover.model.tasks import Event, State, Task
from erfailover.reporting.progress import (
    ProgressView,
    TaskRow,
    build_table,
    describe_wait,
    format_line,
    format_took,
)
from erfailover.reporting.words import wrap
from erfailover.runtime import logs
from erfailover.runtime.clock import Clock

WORD = {
    State.STARTED: "started",
    State.WAITING: "waiting",
    State.DONE: "done",
    State.FAILED: "FAILED",
    State.SKIPPED: "skipped",
}
LOOK_AHEAD_S = 1.0
"""How often it is estimated what is left, in wall seconds."""
SCROLL = 60
"""With more tasks than this a terminal shows counts, and of what has ended only what failed."""


@dataclass
class _InFlight:
    """A task in flight, and why it waits."""

    task: Task
    began_s: float
    attempts: int = 1
    why: str = ""
    until_s: float | None = None


class Progress:
    """A listener of the executor that shows what is done and what is in flight.

    Use it as a context manager around the run, and pass ``progress.tell`` as the listener. The
    threads that wait report their waits to it.
    """

    def __init__(
        self,
        console: Console,
        clock: Clock,
        total: int | None = None,
        foresee: Foresee | None = None,
        *,
        is_quiet: bool = False,
    ) -> None:
        self._console = console
        self._clock = clock
        self._total = total
        self._foresee, self._is_quiet = foresee, is_quiet
        self._outlook: Outlook | None = None
        self._foreseen_s = -math.inf
        self._began_s = clock.now()
        self._in_flight: dict[str, _InFlight] = {}
        self._held_up: dict[str, tuple[str, str]] = {}
        self._ended: dict[str, State] = {}
        self._counts = dict.fromkeys((State.DONE, State.FAILED, State.SKIPPED), 0)
        self._live = (
            LiveView(console, self._render) if console.is_terminal and not is_quiet else None
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
        attempts = 1
        if event.state is State.WAITING:
            if not self._note_wait(event):
                return
        elif event.state is State.STARTED:
            if not event.note:
                self._held_up.pop(event.task.id, None)
                self._in_flight[event.task.id] = _InFlight(event.task, self._clock.now())
        else:
            in_flight = self._in_flight.pop(event.task.id, None)
            attempts = in_flight.attempts if in_flight else 1
            self._held_up.pop(event.task.id, None)
            self._ended[event.task.id] = event.state
            self._counts[event.state] += 1
        if self._has_own_line(event):
            self._print(event, attempts)

    def _note_wait(self, event: Event) -> bool:
        """Note why a task waits; tells whether that is news."""
        in_flight = self._in_flight.get(event.task.id)
        if in_flight is None:
            self._held_up[event.task.id] = event.task.title, event.note or ""
            return True
        news = (
            bool(event.note) and in_flight.why != event.note
        ) or in_flight.attempts < event.attempt
        in_flight.why, in_flight.attempts = event.note or "", max(in_flight.attempts, event.attempt)
        in_flight.until_s = None if event.wait_s is None else self._clock.now() + event.wait_s
        return news

    def _has_own_line(self, event: Event) -> bool:
        """Whether an event gets its own line; on a terminal the table shows what is live."""
        if self._is_quiet:
            return False
        if self._live is None:
            return True
        if event.state is State.WAITING:
            return False
        if event.state is State.STARTED:
            return event.note is not None
        return not self._is_long or event.state is not State.DONE

    @property
    def _is_long(self) -> bool:
        return self._total is not None and self._total > SCROLL

    def _print(self, event: Event, attempts: int) -> None:
        detail, note = "", event.note
        if event.state is State.STARTED:
            detail = describe_usual(event.task.usual) if event.task.usual else ""
        elif event.state is State.WAITING:
            note = describe_wait(event.note or "", event.wait_s, event.attempt)
        elif event.state is not State.SKIPPED:
            detail = format_took(event.elapsed_s, attempts)
        text = format_line(WORD[event.state], event.at_s, event.task.title, detail, note)
        if event.state is State.STARTED and note:
            text = format_line("stopping", event.at_s, note)
        if logs.is_json():
            fields = _build_fields(event, max(attempts, event.attempt))
            logging.getLogger(logs.PROGRESS).info("%s", text.strip(), extra={"fields": fields})
        elif self._live:
            width = max(self._console.width, 40)
            for name in wrap(text, width, rest=" " * 24, cut_words=True):
                self._console.print(name, markup=False)
        else:  # rich takes as long for a line as the whole step takes otherwise
            self._console.file.write(text + "\n")
            self._console.file.flush()

    def _render(self) -> RenderableType:
        now = self._clock.now()
        rows = [
            TaskRow(
                in_flight.task.title,
                now - in_flight.began_s,
                in_flight.task.usual,
                self._describe_wait(in_flight, now),
            )
            for in_flight in list(self._in_flight.values())
        ]
        ended = self._counts
        return build_table(
            ProgressView(
                now - self._began_s,
                self._total,
                ended[State.DONE],
                ended[State.FAILED],
                ended[State.SKIPPED],
                rows,
                list(self._held_up.values()),
                self._look_ahead(now),
            )
        )

    def _look_ahead(self, now: float) -> Outlook | None:
        """Return what is left; of many tasks once a second, because it looks at every one."""
        due_s = LOOK_AHEAD_S if self._is_long else 0.0
        if self._foresee is not None and time.monotonic() - self._foreseen_s >= due_s:
            in_flight = {id_: now - flight.began_s for id_, flight in list(self._in_flight.items())}
            state = RunState(now - self._began_s, dict(self._ended), in_flight)
            self._outlook = self._foresee(state)
            self._foreseen_s = time.monotonic()
        return self._outlook

    def _describe_wait(self, in_flight: _InFlight, now: float) -> str:
        """Return why a task waits, counting down; empty when the wait is over."""
        if in_flight.until_s is None or in_flight.until_s <= now:
            return in_flight.why if in_flight.until_s is None else ""
        return describe_wait(in_flight.why, in_flight.until_s - now, in_flight.attempts)


def _build_fields(event: Event, attempts: int) -> dict[str, object]:
    """Return what an event holds, for a program."""
    task, usual = event.task, event.task.usual
    return {
        "event": str(event.state),
        "task": task.id,
        "title": task.title,
        "change": task.change or None,
        "resource": task.resource or None,
        "at_s": round(event.at_s, 1),
        "elapsed_s": round(event.elapsed_s, 1),
        "usually_s": usual.usually_s if usual else None,
        "one_in_ten_s": usual.one_in_ten_s if usual else None,
        "attempt": attempts,
        "wait_s": None if event.wait_s is None else round(event.wait_s, 1),
        "note": event.note,
    }
