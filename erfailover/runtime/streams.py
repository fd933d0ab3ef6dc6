"""Standard output and error that never end a run.

The reader of a pipe goes away, a terminal hangs up, a disk is full: what is shown is lost from
then on, and the run continues.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from erfailover.errors import DRAWING, escape_controls


class LastingStream:
    """A text stream that falls silent after its first error.

    Attributes:
        error: the first error; None if there was none.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: Exception | None = None

    def write(self, text: str) -> int:
        """Write a text, or lose it.

        Whatever is written, nothing but what draws a live display controls the terminal.
        """
        text = escape_controls(text, DRAWING)
        if self.error is None:
            try:
                return self._stream.write(text)
            except (OSError, ValueError) as error:
                self.error = error
        return len(text)

    def flush(self) -> None:
        """Flush what was written, or lose it."""
        if self.error is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self.error = error

    def discard(self) -> None:
        """Throw away what could not be written, so that the interpreter's end does not fail."""
        if self.error is not None:
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def isatty(self) -> bool:
        """Return whether it is a terminal that still answers."""
        return self.error is None and self._stream.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def protect_streams() -> Iterator[LastingStream]:
    """Make standard output and error outlast their readers; yield standard output."""
    before = sys.stdout, sys.stderr
    streams = LastingStream(sys.stdout), LastingStream(sys.stderr)
    sys.stdout, sys.stderr = (cast(TextIO, lasting_stream) for lasting_stream in streams)
    try:
        yield streams[0]
    finally:
        sys.stdout, sys.stderr = before
        for stream in streams:
            stream.discard()
