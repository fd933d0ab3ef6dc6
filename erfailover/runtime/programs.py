"""Runs the operator's programs: probes, and the commands that notifications are given to.

The only place that starts them. No shell, no terminal; each has a separate session and a time-out,
and only the end of its output is kept. What a program has started ends
with it, in other sessions too (``descendants``). Times are the machine's: a program knows nothing
of a lab's clock.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from erfailover.runtime.descendants import MARK, Family

MOST_OUTPUT = 16_000
"""How many bytes of a program's output are kept: its end."""


@dataclass
class Programs:
    """The operator's programs that run at the moment. Safe to use from several threads.

    Attributes:
        folder: where they run: the site file's.
    """

    folder: Path
    _running: set[Family] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: bool = False

    def run(
        self,
        words: Sequence[str],
        timeout_s: float,
        environment: Mapping[str, str],
        content: bytes = b"",
    ) -> tuple[int | None, str]:
        """Run a program, and end what it leaves behind.

        Args:
            words: the program and its arguments.
            timeout_s: how long it may run, in the machine's seconds.
            environment: its variables, without secrets.
            content: its standard input.

        Returns:
            Its exit code, None if it did not end in time, and the end of its output.

        Raises:
            FileNotFoundError: there is no such program, or no such folder.
            OSError: it cannot be started.
            ValueError: an argument or a variable has a null character.
        """
        if os.name != "posix":
            raise OSError("programs need Linux or macOS")
        family = Family()
        with _open_input(content) as source, self._lock:
            if self._over:
                return None, ""
            process = subprocess.Popen(
                words,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**environment, MARK: family.mark},
                start_new_session=True,
            )
            family.pid = process.pid
            self._running.add(family)
        try:
            output = _read_tail(process, time.monotonic() + timeout_s)
            code = process.poll()
        finally:
            with self._lock:
                self._running.discard(family)
            family.end()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        return code, output.decode("utf-8", "replace")

    def stop(self) -> None:
        """End what still runs, and start nothing more."""
        with self._lock:
            self._over = True
            for family in self._running:
                family.end()


def _open_input(content: bytes) -> IO[bytes]:
    """Return a file to be read from its start; unlike a pipe, it needs no thread that fills it."""
    if not content:
        return open(os.devnull, "rb")
    source = tempfile.TemporaryFile()  # noqa: SIM115
    source.write(content)
    source.seek(0)
    return source


def _read_tail(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Return the end of what a program prints until it ends, or the deadline."""
    assert process.stdout is not None
    content = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(min(left, 0.2)):
                if process.poll() is not None:
                    break  # what it left behind in the background holds the pipe
                continue
            read = os.read(process.stdout.fileno(), 65536)
            if not read:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(deadline - time.monotonic(), 0.0))
                break
            content = (content + read)[-MOST_OUTPUT:]
    return content
