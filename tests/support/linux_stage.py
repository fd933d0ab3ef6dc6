"""A lab on the Linux data plane behind HTTPS, and a command line that knows nothing but ARM."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from erfailover.cli.main import invoke
from erfailover.lab.auth.identity import Identity
from erfailover.lab.core.clock import ScaledClock
from erfailover.lab.engine.lab import Lab
from erfailover.lab.linux.launch import start_agent
from erfailover.lab.linux.plane import LinuxPlane
from erfailover.lab.server.server import LabServer
from tests.support.stage import Provisioned, point_at

SPEED = 20.0
"""At 60 times, a ping that gets no answer outlasts what the controller waits for a probe."""
WAIT_S = 40.0


@dataclass
class LinuxStage:
    """A lab with real routers, and the command line."""

    lab: Lab
    plane: LinuxPlane
    capture: pytest.CaptureFixture[str]
    out: str = ""
    err: str = ""

    def run(self, *arguments: str) -> int:
        """Type a command; its exit code. What it printed is in ``out`` and ``err``."""
        self.capture.readouterr()
        code = invoke(list(arguments))
        self.out, self.err = self.capture.readouterr()
        assert "Traceback" not in self.err
        return code

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds; fail after ``WAIT_S`` of real time."""
        until = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < until, f"not in {WAIT_S:g} s\n{self.out}\n{self.err}"
            time.sleep(0.1)

    def reaches(self, nic: str, destination: str) -> bool:
        """Return whether an echo from a network interface is answered."""
        with self.lab.lock:
            nics = self.lab.world.iter_by_type("Microsoft.Network/networkInterfaces")
            resource = next(each for each in nics if each.id.name == nic)
            return self.plane.trace_packet(resource, destination).reached

    def kill(self, program: str, node: str) -> None:
        """Kill a gateway's daemons of one program, as a crash would end them."""
        kill_daemon(self.plane, program, node)


def kill_daemon(plane: LinuxPlane, program: str, node: str) -> None:
    """Kill a gateway's daemons of one program with SIGKILL; fail if none runs."""
    below = psutil.Process(plane.agent.pid).children(recursive=True)
    found = [process for process in below if _is_of(process, program, node)]
    assert found, f"{program} of {node} does not run"
    for process in found:
        process.kill()


def _is_of(process: psutil.Process, program: str, node: str) -> bool:
    try:
        if process.name() != program:
            return False
        words = [*process.cmdline(), *process.environ().values()]
    except psutil.NoSuchProcess:  # one of those that come and go
        return False
    return any(f"/{node}/" in word for word in words)


@contextmanager
def play_on_linux(
    folder: Path,
    identity: Identity,
    provisioned: Provisioned,
    patch: pytest.MonkeyPatch,
    capture: pytest.CaptureFixture[str],
) -> Iterator[LinuxStage]:
    """A lab with a provisioned world on the Linux data plane, its sessions being established."""
    (folder / "plane").mkdir()
    shutil.copytree(provisioned.folder, folder, dirs_exist_ok=True)
    plane = LinuxPlane(SPEED, folder / "plane", start_agent)
    try:
        lab = Lab(ScaledClock(SPEED), identity_=identity, seed=1, plane=plane)
        lab.restore(provisioned.world)
        with LabServer(lab) as server:
            point_at(server, folder, patch)
            yield LinuxStage(lab, plane, capture)
    finally:
        plane.close()
