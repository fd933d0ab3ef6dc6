"""A lab and a command line in one process, HTTPS between them, on one clock that jumps."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from erfailover.cli.main import invoke
from erfailover.lab.auth.identity import Identity
from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.core.world import Resource
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server.server import LabServer
from tests.support.schemas import hold, prints_json, schema_of


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
        for resource in self.lab.world.iter_by_type(type_):
            if resource.id.name == name:
                return resource
        raise AssertionError(f"no {type_} {name}")

    def reaches(self, nic: str, destination: str) -> bool:
        """Whether a packet and its reply pass, by the lab's own routes."""
        with self.lab.lock:
            return self._reaches(nic, destination)

    def _reaches(self, nic: str, destination: str) -> bool:
        source = self.resource("Microsoft.Network/networkInterfaces", nic)
        lab = self.lab
        return lab.plane.trace_packet(source, destination).reached

    def watch(self, nic: str, destination: str) -> None:
        """Note every change of the world at which a flow is cut."""
        source = self.resource("Microsoft.Network/networkInterfaces", nic)

        def look() -> None:
            lab = self.lab
            trace = lab.plane.trace_packet(source, destination)
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
        return [
            f"{trace_entry.method} {trace_entry.path}"
            for trace_entry in self.lab.trace
            if trace_entry.write
        ]


def below_heading(text: str) -> str:
    """What is below the first line of a result, which names the lab."""
    first, _, rest = text.partition("\n")
    assert "  ·  LAB 127.0.0.1:" in first, first
    return rest


def point_at(server: LabServer, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Point this process at a lab and at a folder, and at nothing else of the machine's."""
    for name in [name for name in os.environ if name.startswith(("AZURE_", "ERFAILOVER_"))]:
        patch.delenv(name)
    for name, value in server.build_environment().items():
        patch.setenv(name, value)
    patch.setenv("ERFAILOVER_STATE_DIR", str(folder / "state"))
    patch.setenv("AZURE_CONFIG_DIR", str(folder / "az"))
    patch.chdir(folder)


@contextmanager
def lab_in(
    folder: Path, identity: Identity, patch: pytest.MonkeyPatch
) -> Iterator[tuple[Lab, SteppedClock, dict[str, str]]]:
    """An empty lab, and this process pointed at it and at a folder by ``patch``.

    The lab's own paths are refused: the controller knows nothing but ARM.
    """
    clock = SteppedClock()
    lab = Lab(clock, identity_=identity, seed=1, refuse_lab_paths=True)
    with LabServer(lab) as server:
        point_at(server, folder, patch)
        yield lab, clock, server.build_environment()


@dataclass(frozen=True)
class Provisioned:
    """The proof of concept's topology, provisioned once: the world, and what the machine keeps."""

    world: bytes
    folder: Path
