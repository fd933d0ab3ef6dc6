"""Commands as processes of their own, stopped at a moment, against a lab that is served."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from erfailover.model.lease import Holder
from tests.support.stage import Stage

SPEED = 50.0

ELSEWHERE = Holder("bert", "ops2", 17, "switch --to ipsec")
SWITCH = ("switch", "--to", "ipsec", "--yes", "--planned")


def command(*arguments: str, speed: float = SPEED) -> subprocess.Popen[str]:
    """erfailover in a process of its own."""
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "ERFAILOVER_CLOCK_SPEED": f"{speed:g}"}
    return subprocess.Popen(
        [sys.executable, "-m", "erfailover", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=_heed_signals,
    )


def _heed_signals() -> None:
    """Heed Ctrl-C also where the tests themselves run in the background and must not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def puts(stage: Stage) -> int:
    return sum(write.startswith("PUT") for write in stage.writes())


def wait_for_puts(stage: Stage, process: subprocess.Popen[str], more: int) -> None:
    """Wait until a process has had some more PUTs accepted by the lab."""
    before = puts(stage)
    deadline = time.monotonic() + 60.0
    while puts(stage) < before + more:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.002)
