"""``erfailover status --watch``: reads again and again, shows what changed, until Ctrl-C.

Changes nothing. A reading that fails is reported and retried; only the first must succeed.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text

from erfailover.azure.readers.network import format_utc_now
from erfailover.commands.context import Context
from erfailover.commands.output import detect_screen
from erfailover.commands.status import snapshot
from erfailover.commands.status.snapshot import StatusReading
from erfailover.errors import Failure, UsageFailure
from erfailover.model.durations import format_duration
from erfailover.reporting import formats
from erfailover.reporting.azure_context import UNFOLDED
from erfailover.reporting.console import CleanConsole
from erfailover.reporting.status.changes import find_changes
from erfailover.reporting.status.watch import (
    KEPT,
    Event,
    Page,
    list_events,
    list_first_events,
    render_page,
)


class WatchView(Protocol):
    """Where a watch shows what it has read."""

    def __enter__(self) -> WatchView:
        """Begin to show."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, however the watch ended."""

    def show(self, page: Page, new: list[Event], reading: StatusReading | None) -> None:
        """Show a reading, or that one failed: what is known now, and what of it is new."""

    def wait(self, seconds: float) -> None:
        """Do nothing: a log does not report waiting."""


def run(context: Context, every_s: float) -> None:
    """Watch the site until Ctrl-C, which is not an error.

    Args:
        context: the invocation.
        every_s: how long to wait between the end of a reading and the next, in seconds.

    Raises:
        Failure: the first reading failed.
    """
    try:
        began = context.clock.now()
        reading = snapshot.read_visibly(context)
        page = _build_page(context, reading, context.clock.now() - began)
        with _select_shower(context) as shower:
            shower.show(page, list_first_events(page), reading)
            while True:
                shower.wait(every_s)
                context.clock.sleep(every_s)
                page = _read_again(context, shower, page)
    except KeyboardInterrupt:
        return


def _build_page(context: Context, reading: StatusReading, took_s: float) -> Page:
    return Page(context.azure_context, reading.picture, reading.notes, took_s=took_s)


def _read_again(context: Context, shower: WatchView, before: Page) -> Page:
    """Read once more and show it; if that fails, keep what is known."""
    began = context.clock.now()
    shower.wait(0.0)
    try:
        reading = snapshot.read(context)
    except UsageFailure:
        raise
    except Failure as failure:
        event = Event(format_utc_now(), f"read failed: {failure.message}")
        new = [event] if before.failure != failure.message else []
        events = (*before.events, *new)[-KEPT:]
        page = replace(before, failure=failure.message, events=events, changed=())
        shower.show(page, new, None)
        return page
    page = _build_page(context, reading, context.clock.now() - began)
    changed = find_changes(before.picture, page.picture, (before.notes, page.notes))
    new = list_events(before, page, changed)
    if before.failure:
        new.insert(0, Event(page.picture.taken_at, "read succeeded again"))
    events = (*before.events, *new)[-KEPT:]
    page = replace(page, changed=changed, events=events)
    shower.show(page, new, reading)
    return page


def _select_shower(context: Context) -> WatchView:
    if context.output.format != formats.TABLE or context.output.query is not None:
        return _Documents(context)
    console = CleanConsole()
    return _Live(context, console) if _can_redraw(console) else _Lines(context)


def _can_redraw(console: Console) -> bool:
    return sys.stdout.isatty() and not console.is_dumb_terminal


class _Lines:
    """One line per event, as in a log."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> _Lines:
        """Begin with where it is read."""
        sys.stdout.write(self._context.format_heading(UNFOLDED) + "\n")
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def show(self, page: Page, new: list[Event], reading: StatusReading | None) -> None:
        for event in new:
            sys.stdout.write(f"{event.at}  {event.text}\n")
        sys.stdout.flush()

    def wait(self, seconds: float) -> None:
        """Do nothing: a log does not report waiting."""


class _Documents(_Lines):
    """One document per reading: JSON on one line, YAML after ``---``, other formats as they are."""

    def __enter__(self) -> _Documents:
        return self

    def show(self, page: Page, new: list[Event], reading: StatusReading | None) -> None:
        if reading is None:
            self._context.output.print_info("\n".join(event.text for event in new))
            return
        data, form = snapshot.build_data(self._context, reading), self._context.output.format
        try:
            text = formats.format_result("", data, form, self._context.output.query)
        except formats.QueryProblem as problem:
            raise UsageFailure(f"--query: {problem}", "Look at the result with -o json.") from None
        if form == formats.JSON and text:
            text = json.dumps(json.loads(text)) + "\n"
        sys.stdout.write(f"---\n{text}" if form == formats.YAML else text)
        sys.stdout.flush()


class _Live(_Lines):
    """One page on the terminal's alternate screen, redrawn twice a second."""

    def __init__(self, context: Context, console: Console) -> None:
        super().__init__(context)
        self._console = console
        self._shown: Page | None = None
        self._next_at: float | None = None
        self._live = Live(
            get_renderable=self._render, console=console, screen=True, refresh_per_second=2
        )

    def __enter__(self) -> _Live:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was, with the last page on it."""
        self._live.stop()
        if self._shown is not None:
            on = detect_screen(self._context.environment)
            sys.stdout.write(render_page(self._shown, "stopped watching", on) + "\n")
            sys.stdout.flush()

    def show(self, page: Page, new: list[Event], reading: StatusReading | None) -> None:
        self._shown = page
        self._live.refresh()

    def wait(self, seconds: float) -> None:
        self._next_at = self._context.clock.now() + seconds if seconds else None
        self._live.refresh()

    def _render(self) -> Text:
        if self._shown is None:
            return Text("reading")
        on = detect_screen(self._context.environment)
        now = "reading now"
        if self._next_at is not None:
            left = max(self._next_at - self._context.clock.now(), 0.0)
            now = f"next in {format_duration(left)}"
        height = self._console.size.height
        text = render_page(self._shown, f"{now}; Ctrl-C to exit", on, height)
        return Text.from_ansi("\n".join(text.splitlines()[:height]), no_wrap=True)
