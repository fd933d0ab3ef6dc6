"""A lab and a command line in one process, HTTPS between them, on one clock that jumps."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from erfailover.cli import invoke
from erfailover.lab.clock import SteppedClock
from erfailover.lab.reachability import reaches
from erfailover.lab.server import Lab, LabServer
from erfailover.lab.world import Resource


@dataclass
class Stage:
    """A lab, a folder with a site file, and the command line."""

    lab: Lab
    clock: SteppedClock
    folder: Path
    capture: pytest.CaptureFixture[str]
    environment: dict[str, str]
    """The variables that lead to the lab."""
    cuts: list[str] = field(default_factory=list)
    """Every moment at which a watched flow was cut."""
    out: str = ""
    err: str = ""

    def run(self, *arguments: str) -> int:
        """Type a command; its exit code. What it printed stands in ``out`` and ``err``."""
        self.capture.readouterr()
        code = invoke(list(arguments), self.clock)
        self.out, self.err = self.capture.readouterr()
        assert "Traceback" not in self.err
        return code

    def do(self, *arguments: str) -> str:
        """Type a command that must succeed; what it printed."""
        code = self.run(*arguments)
        assert code == 0, f"{arguments}: {code}\n{self.err}\n{self.out}"
        return self.out

    def json(self, *arguments: str) -> Any:
        """Type a command with ``-o json``, whatever its exit code; the parsed result."""
        self.run(*arguments, "-o", "json")
        return json.loads(self.out)

    def resource(self, type_: str, name: str) -> Resource:
        """A resource of the lab's world."""
        self.lab.catch_up()
        for found in self.lab.world.of_type(type_):
            if found.id.name == name:
                return found
        raise AssertionError(f"no {type_} {name}")

    def reaches(self, nic: str, destination: str) -> bool:
        """Whether a packet and its reply pass, by the lab's own routes."""
        with self.lab.lock:
            return self._reaches(nic, destination)

    def _reaches(self, nic: str, destination: str) -> bool:
        source = self.resource("Microsoft.Network/networkInterfaces", nic)
        lab = self.lab
        return reaches(lab.world, lab.bgp, lab.machines, source, destination).reached

    def watch(self, nic: str, destination: str) -> None:
        """Note every change of the world at which a flow is cut."""
        source = self.resource("Microsoft.Network/networkInterfaces", nic)

        def look() -> None:
            lab = self.lab
            trace = reaches(lab.world, lab.bgp, lab.machines, source, destination)
            if not trace.reached:
                self.cuts.append(f"{lab.world.now:.0f} s: {trace.reason}")

        self.lab.listen(look)

    def pass_time(self, seconds: float) -> None:
        """Let modelled time pass."""
        self.clock.sleep(seconds)
        with self.lab.lock:
            self.lab.catch_up()

    def writes(self) -> list[str]:
        """Every write that the lab has seen: ``PUT .../vnet1``."""
        return [f"{each.method} {each.path}" for each in self.lab.trace if each.write]


@pytest.fixture
def stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Stage]:
    """An empty lab whose own paths are refused: the controller knows nothing but ARM."""
    for name in [name for name in os.environ if name.startswith(("AZURE_", "ERFAILOVER_"))]:
        monkeypatch.delenv(name)
    clock = SteppedClock()
    lab = Lab(clock, seed=1, refuse_lab_paths=True)
    with LabServer(lab) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("ERFAILOVER_STATE_DIR", str(tmp_path / "state"))
        monkeypatch.chdir(tmp_path)
        yield Stage(lab, clock, tmp_path, capsys, server.environment())


@pytest.fixture
def provisioned(stage: Stage) -> Stage:
    """The proof of concept's topology, provisioned, sessions up."""
    stage.do("init")
    stage.do("provision", "--yes")
    stage.pass_time(60.0)
    return stage
