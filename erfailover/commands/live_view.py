"""What is redrawn at the bottom of a terminal while other lines are printed above it.

rich erases as many lines as it drew last, and looks at their number before it waits for its turn
to write. If a thread draws another number of lines meanwhile, a printed line is erased as well. So
here the threads that print and the one that draws exclude each other.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from rich.console import Console, RenderableType
from rich.live import Live

from erfailover.reporting.console import CleanConsole

PER_SECOND = 4


class LiveView(Live):
    """A view that is drawn some times a second and is gone at the end."""

    def __init__(self, console: Console, draw: Callable[[], RenderableType]) -> None:
        super().__init__(
            get_renderable=draw, console=console, transient=True, refresh_per_second=PER_SECOND
        )

    def start(self, refresh: bool = False) -> None:
        """Begin to draw."""
        if isinstance(self.console, CleanConsole):
            self.console.turn = self._lock
        super().start(refresh)

    def stop(self) -> None:
        """Erase what was drawn."""
        super().stop()
        if isinstance(self.console, CleanConsole):
            self.console.turn = nullcontext()
