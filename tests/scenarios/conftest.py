"""A lab and a command line in one process, HTTPS between them, on one clock that jumps."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from erfailover.cli import invoke
from erfailover.lab import identity
from erfailover.lab.clock import SteppedClock
from erfailover.lab.identity import Identity
from erfailover.lab.reachability import reaches
from erfailover.lab.server import Lab, LabServer
from erfailover.lab.world import Resource
from tests.schemas import hold, prints_json, schema_of


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
        """Type a command; its exit code. What it printed stands in ``out`` and ``err``.

        JSON is held against its published schema.
        """
        self.capture.readouterr()
        code = invoke(list(arguments), self.clock)
        self.out, self.err = self.capture.readouterr()
        assert "Traceback" not in self.err
        if self.out and prints_json(arguments):
            hold(schema_of(arguments), self.out)
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


@pytest.fixture(scope="session")
def identity_() -> Identity:
    """Who every lab of the scenarios is: the same subscription in all."""
    return identity.make()


@contextmanager
def lab_in(
    folder: Path, known: Identity, patch: pytest.MonkeyPatch
) -> Iterator[tuple[Lab, SteppedClock, dict[str, str]]]:
    """An empty lab, and this process pointed at it and at a folder by ``patch``.

    The lab's own paths are refused: the controller knows nothing but ARM.
    """
    clock = SteppedClock()
    lab = Lab(clock, identity_=known, seed=1, refuse_lab_paths=True)
    with LabServer(lab) as server:
        for name in [name for name in os.environ if name.startswith(("AZURE_", "ERFAILOVER_"))]:
            patch.delenv(name)
        for name, value in server.environment().items():
            patch.setenv(name, value)
        patch.setenv("ERFAILOVER_STATE_DIR", str(folder / "state"))
        patch.setenv("AZURE_CONFIG_DIR", str(folder / "az"))
        patch.chdir(folder)
        yield lab, clock, server.environment()


@pytest.fixture
def stage(
    tmp_path: Path,
    identity_: Identity,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Stage]:
    """An empty lab, an empty folder, the command line."""
    with lab_in(tmp_path, identity_, monkeypatch) as (lab, clock, environment):
        yield Stage(lab, clock, tmp_path, capsys, environment)


@dataclass(frozen=True)
class Provisioned:
    """The proof of concept's topology, provisioned once: the world, and what the machine keeps."""

    world: bytes
    folder: Path


@pytest.fixture(scope="session")
def provisioned_once(tmp_path_factory: pytest.TempPathFactory, identity_: Identity) -> Provisioned:
    """Provision the proof of concept's topology and write the world down."""
    folder = tmp_path_factory.mktemp("provisioned")
    with (
        pytest.MonkeyPatch.context() as patch,
        lab_in(folder, identity_, patch) as (lab, clock, _),
    ):
        for command in (["init"], ["provision", "--yes"]):
            assert invoke(command, clock) == 0
        clock.sleep(60.0)
        return Provisioned(lab.snapshot(), folder)


@pytest.fixture
def provisioned(stage: Stage, provisioned_once: Provisioned) -> Stage:
    """The proof of concept's topology, provisioned, sessions up."""
    stage.lab.restore(provisioned_once.world)
    shutil.copytree(provisioned_once.folder, stage.folder, dirs_exist_ok=True)
    return stage
