"""The scripts that Run Command runs on the machines.

A script runs as root of its machine, at most as long as it may, and all that it prints is read;
the last of it is kept. What it leaves in the background goes on and may go on printing: its
pipes are read until the last of their writers has ended, which nothing waits for.
"""

from __future__ import annotations

import itertools
import os
import select
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from erfailover.lab.linux.agent.machines import PROGRAMS, Machines

KEPT_BYTES = 64 << 10
"""Of each stream, what is kept: the end."""
_CHUNK_BYTES = 64 << 10
_DRAIN_CHUNKS = 16
"""What is read at most after a script's end of what it had printed: more than a pipe holds."""
_KILL_S = 5.0
_STOPPED = "the machine stopped in the middle of the script\n"

Emit = Callable[..., None]
"""Sends an event, by its name, with fields."""


class Scripts:
    """The running scripts."""

    def __init__(self, machines: Machines, folder: Path, emit: Emit) -> None:
        """Run scripts on ``machines``; an end of one is given to ``emit``."""
        self._machines = machines
        self._folder = folder
        self._emit = emit
        self._numbers = itertools.count(1)

    def start(self, node: str, script: str, limit_s: float) -> int:
        """Start a script on a machine; return its number, which the event of its end names.

        Raises MachineError if the machine does not run.
        """
        number = next(self._numbers)
        with tempfile.TemporaryFile(dir=self._folder) as text:
            text.write(script.encode())
            text.seek(0)
            program = self._machines.enter(
                node,
                [f"{PROGRAMS}/lab-run-command", f"/run/run-command/{number}"],
                stdin=text.fileno(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        began = time.monotonic()
        machine = self._machines.get_identity(node)
        streams = _Stream(program.stdout), _Stream(program.stderr)

        def finish() -> None:
            note = _await(program, limit_s)
            if not note and self._machines.get_identity(node) != machine:
                note, program.returncode = _STOPPED, 1
            stdout, stderr = (stream.take() for stream in streams)
            self._machines.keep_disk(node)
            self._emit(
                "script-ended",
                script=number,
                stdout=stdout,
                stderr=stderr + note,
                exit_code=program.returncode,
                duration_s=time.monotonic() - began,
            )

        threading.Thread(target=finish, name=f"script {number}", daemon=True).start()
        return number


def _await(program: subprocess.Popen[bytes], limit_s: float) -> str:
    """Wait for a script's end, kill it at its limit; return what is to be said about that."""
    try:
        program.wait(limit_s)
        return ""
    except subprocess.TimeoutExpired:
        program.terminate()
    try:
        program.wait(_KILL_S)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()
    return f"the script was killed at its time limit of {limit_s:g} s\n"


class _Stream:
    """A stream of a script, read to its end in a separate thread."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert pipe is not None
        self._pipe = pipe
        os.set_blocking(pipe.fileno(), False)
        self._lock = threading.Lock()
        self._kept: bytearray | None = bytearray()
        threading.Thread(target=self._read_all, name="stream", daemon=True).start()

    def _read_all(self) -> None:
        waiting = select.poll()
        waiting.register(self._pipe, select.POLLIN)
        while not self._pipe.closed:
            waiting.poll()
            with self._lock:
                if not self._pipe.closed:  # by ``take``, meanwhile
                    self._read()

    def _read(self) -> bool:
        """Read what there is; return whether there was anything. Close the pipe at its end."""
        try:
            chunk = os.read(self._pipe.fileno(), _CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._pipe.close()
            return False
        if self._kept is not None:
            self._kept += chunk
            del self._kept[:-KEPT_BYTES]
        return True

    def take(self) -> str:
        """Return the last of what was printed until now; from now on, nothing is kept."""
        with self._lock:
            for _ in range(_DRAIN_CHUNKS):
                if self._pipe.closed or not self._read():
                    break
            kept, self._kept = self._kept, None
        return (kept or b"").decode(errors="replace")
