"""What a run cost: processor time, memory, requests.

Lab and controller share a process on the stepped clock. All of the lab's work is done by the one
thread that serves it (TLS, JSON and routing included), and the operating system keeps a clock for
every thread: the controller's processor time is the process' less that thread's. For memory, and
to check the former, a controller runs as a separate process, and the system's account of it
is read when it ends.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from erfailover import __version__

ROOT = Path(__file__).parents[3]


def setting() -> dict[str, str]:
    """Return what the figures depend on: the date, the machine, the versions."""
    packages = ("azure-mgmt-network", "azure-identity", "azure-core")
    return {
        "Date:": datetime.now(UTC).date().isoformat(),
        "machine:": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "Python": platform.python_version(),
        "erfailover": __version__,
        **{name: version(name) for name in packages},
    }


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of the wall and of the processor, the lab's thread apart."""

    wall_s: float
    cpu_s: float


class Meter:
    """Measures what this process spends beside the thread that serves the lab."""

    def __init__(self) -> None:
        self._lab = next(thread for thread in threading.enumerate() if thread.name == "lab")
        self._began = self._now()

    def spent(self) -> Spent:
        """What was spent since the meter was made."""
        wall, ours = self._now()
        return Spent(wall - self._began[0], ours - self._began[1])

    def cpu_now(self) -> float:
        """The processor time of this process without that thread, since it was started."""
        assert self._lab.ident is not None
        lab = time.clock_gettime(time.pthread_getcpuclockid(self._lab.ident))
        return time.process_time() - lab

    def _now(self) -> tuple[float, float]:
        return time.monotonic(), self.cpu_now()


@dataclass(frozen=True, slots=True)
class Child:
    """What a separate process came to."""

    code: int
    out: str
    err: str
    wall_s: float
    cpu_s: float
    memory_mb: float


LAUNCHER = """
import os, resource, subprocess, sys, time
began = time.monotonic()
process = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
with open(sys.argv[1], "w") as file:
    print(os.waitstatus_to_exitcode(status), time.monotonic() - began,
          usage.ru_utime + usage.ru_stime, usage.ru_maxrss, file=file)
"""
"""Starts a program and writes down the system's account of it. A process begins as a copy of the
one that starts it, and its memory counts: so that one must be small, which the benchmark is not."""


def child(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> Child:
    """Run ``python -m erfailover`` with arguments; processor time and memory by the system."""
    return program(["-m", "erfailover", *arguments], environment, folder)


def program(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> Child:
    """Run Python with arguments; processor time and memory by the system."""
    account = folder / "account"
    command = [sys.executable, *arguments]
    ran = subprocess.run(
        [sys.executable, "-S", "-c", LAUNCHER, str(account), *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        env={**environment, "PYTHONPATH": str(ROOT)},
        cwd=folder,
    )
    code, wall_s, cpu_s, kilobytes = account.read_text().split()
    return Child(
        int(code), ran.stdout, ran.stderr, float(wall_s), float(cpu_s), int(kilobytes) / 1024
    )
