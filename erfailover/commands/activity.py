"""Says what is waited for, and for how long, if that takes more than two seconds.

On a terminal that is one line at the bottom, which moves and is gone at the end. Anything else
gets one line an event, and only of what is announced or said.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from erfailover.commands.live_view import PER_SECOND, LiveView
from erfailover.reporting.progress import render_activity
from erfailover.runtime.clock import Clock

PATIENCE_S = 2.0
"""What takes less is not shown, in wall seconds."""


@dataclass
class Activity:
    """Something that is going on.

    Attributes:
        text: what it is, in words.
        began_s: when it began, in seconds of the clock.
        print_event: prints a line, if there is no terminal.
    """

    text: str
    began_s: float
    print_event: Callable[[str], None]

    def say(self, text: str) -> None:
        """Say what is waited for now, if that is something else than before."""
        if text != self.text:
            self.text = text
            self.print_event(text)


class Activities:
    """The activities of a command; of nested ones, the innermost is shown."""

    def __init__(
        self,
        console: Console,
        clock: Clock,
        print_line: Callable[[str], None],
        *,
        is_quiet: bool = False,
    ) -> None:
        self._console, self._clock, self._is_quiet = console, clock, is_quiet
        self._print_line = print_line
        self._shown: list[Activity] = []
        self._live: LiveView | None = None
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    @contextmanager
    def show_activity(self, text: str, *, announced: bool = False) -> Iterator[Activity]:
        """Show what the body does.

        Args:
            text: what it does: ``Reading poc: VNets, gateways, routes``.
            announced: whether it gets a line at its beginning if there is no terminal.
        """
        activity = Activity(text, self._clock.now(), self._print_event)
        if announced:
            self._print_event(f"{text} ...")
        self._shown.append(activity)
        if len(self._shown) == 1:
            self._begin()
        try:
            yield activity
        finally:
            self._shown.remove(activity)
            if not self._shown:
                self._end()

    def _print_event(self, text: str) -> None:
        if not self._is_quiet and not self._console.is_terminal:
            self._print_line(text)

    def _begin(self) -> None:
        if self._is_quiet or not self._console.is_terminal:
            return
        self._timer = threading.Timer(PATIENCE_S, self._show)
        self._timer.daemon = True
        self._timer.start()

    def _show(self) -> None:
        with self._lock:
            if self._timer is None:
                return  # it has ended meanwhile
            self._live = LiveView(self._console, self._render)
            self._live.start()

    def _end(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        with self._lock:
            live, self._live = self._live, None
            if live is not None:
                live.stop()

    def _render(self) -> Text:
        activities = self._shown[-1:]
        if not activities:
            return Text()
        elapsed_s = self._clock.now() - activities[0].began_s
        return render_activity(activities[0].text, elapsed_s, int(time.monotonic() * PER_SECOND))
