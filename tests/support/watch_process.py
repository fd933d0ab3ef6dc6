"""``erfailover watch`` as a process of its own, and what it has said so far."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.processes import SPEED


@dataclass
class WatchProcess:
    """A watch whose output goes to a file."""

    process: subprocess.Popen[bytes]
    file: Path
    ended_s: float = field(default=0.0, init=False)
    """How long it took to end, in wall seconds."""

    def read(self) -> str:
        """Return what it has printed and logged."""
        text = self.file.read_text("utf-8")
        assert "Traceback" not in text, text
        return text

    def wait_for(self, pattern: str, timeout_s: float = 60.0) -> float:
        """Wait until it has said something; return how long that took, in wall seconds."""
        began = time.monotonic()
        while not re.search(pattern, self.read()):
            assert self.process.poll() is None, self.read()
            assert time.monotonic() < began + timeout_s, self.read()
            time.sleep(0.02)
        return time.monotonic() - began

    def stop(self, *signals: signal.Signals, timeout_s: float = 60.0) -> int:
        """Send signals, wait until it has ended, and return its exit code."""
        for sent in signals or (signal.SIGTERM,):
            began = time.monotonic()
            self.process.send_signal(sent)
            time.sleep(0.2 if len(signals) > 1 else 0.0)
        code = self.process.wait(timeout_s)
        self.ended_s = time.monotonic() - began
        return code


@contextmanager
def run_watch(
    folder: Path,
    *arguments: str,
    prefix: Sequence[str] = (),
    variables: Mapping[str, str] = {},
) -> Iterator[WatchProcess]:
    """Provide a watch; it is killed at the end, if it still runs."""
    file = folder / f"watch-{time.monotonic_ns()}.log"
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "ERFAILOVER_CLOCK_SPEED": f"{SPEED:g}",
        **variables,
    }
    with file.open("wb") as stream:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "erfailover", "watch", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment,
            preexec_fn=_heed_signals,
        )
    try:
        yield WatchProcess(process, file)
    finally:
        process.kill()
        process.wait()


def _heed_signals() -> None:
    """Heed Ctrl-C and SIGHUP also if the tests run in the background, or under nohup."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
