"""A console of rich's that shows no control character of what it is given to print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from erfailover.errors import escape_controls


class CleanConsole(Console):
    """A console: rich's own control sequences pass, those in texts are shown as escapes.

    Attributes:
        turn: held while something is printed, so that nothing else writes to the terminal.
    """

    turn: AbstractContextManager[Any] = nullcontext()

    def print(self, *objects: Any, **options: Any) -> None:
        """Print something, as rich does."""
        with self.turn:
            super().print(*objects, **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render something, with printable characters only."""
        return _clean(super().render(renderable, options))


def _clean(segments: Iterable[Segment]) -> Iterator[Segment]:
    for segment in segments:
        text = segment.text if segment.control else escape_controls(segment.text)
        yield segment if text is segment.text else segment._replace(text=text)
