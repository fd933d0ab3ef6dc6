"""A world on the Linux data plane, without HTTP: resources written directly, packets real."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import psutil

from erfailover.lab.core.world import Resource
from erfailover.lab.linux.launch import SYSTEM_PATH, start_agent
from erfailover.lab.linux.plane import LinuxPlane
from erfailover.lab.machines.machines import CommandOutput
from tests.support.patience import PATIENCE
from tests.support.worlds import Builder

FASTEST = 60.0
TICK_S = 0.02
MACHINE = "Microsoft.Compute/virtualMachines"


class LinuxWorld:
    """A builder's world with every machine running, served by a Linux plane."""

    def __init__(self, folder: Path, builder: Builder, speed: float = FASTEST) -> None:
        self.builder = builder
        self.speed = speed
        for vm in builder.world.iter_by_type(MACHINE):
            vm.hidden["powerState"] = "running"
        self.plane = LinuxPlane(speed, folder, start_agent)
        self.plane.attach(builder.world)
        builder.world.listeners.append(self.plane.refresh)

    def __enter__(self) -> LinuxWorld:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.plane.close()

    def run_for(self, seconds: float) -> None:
        """Let real time pass, and the world's time with it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.builder.world.advance_to(self.builder.world.now + TICK_S * self.speed)
            self.plane.catch_up()
            time.sleep(TICK_S)

    def wait_for(self, condition: Callable[[], bool], limit_s: float = 40.0) -> None:
        """Let time pass until a condition holds; fail after ``limit_s`` of real time."""
        until = time.monotonic() + limit_s * PATIENCE
        while not condition():
            assert time.monotonic() < until, "the condition did not come about"
            self.run_for(0.1)

    def reaches(self, nic: str, destination: str) -> bool:
        """Return whether an echo from a network interface is answered."""
        resource = self.builder.get("networkInterfaces", nic)
        return self.plane.trace_packet(resource, destination).reached

    def run_script(self, machine: str, *lines: str) -> CommandOutput:
        """Run a script on a machine to its end."""
        outputs: list[CommandOutput] = []
        self.plane.start_script(self.get_machine(machine), lines, outputs.append)
        self.wait_for(lambda: bool(outputs))
        return outputs[0]

    def get_machine(self, name: str) -> Resource:
        """Return a virtual machine."""
        return self.builder.get("virtualMachines", name, provider="Microsoft.Compute")

    def get_gateway(self, name: str) -> Resource:
        """Return a gateway."""
        return self.builder.get("virtualNetworkGateways", name)

    def list_states(self, gateway: str) -> list[str]:
        """Return the states of a gateway's peers."""
        return [str(row["state"]) for row in self.plane.list_peers(self.get_gateway(gateway))]

    def list_learned(self, gateway: str) -> list[str]:
        """Return the prefixes that a gateway learned from others."""
        rows = self.plane.list_learned_routes(self.get_gateway(gateway))
        return [str(row["network"]) for row in rows if row["origin"] != "Network"]

    def ask_bird(self, node: str, command: str) -> str:
        """Return what a node's own birdc prints."""
        return self.run_inside(f"birdc -r -s /run/erfailover/{node}/bird.ctl {command}")

    def run_inside(self, command: str) -> str:
        """Return what a shell prints among the agent's processes."""
        first = psutil.Process(self.plane.agent.pid).children()[0].pid
        place = ("nsenter", "-t", str(first), *_list_user(first), "-n", "-m", "-p")
        done = subprocess.run(
            (*place, "sh", "-c", command),
            capture_output=True,
            text=True,
            timeout=20 * PATIENCE,
            env={"PATH": SYSTEM_PATH},
        )
        return done.stdout


def _list_user(pid: int) -> tuple[str, ...]:
    own = Path("/proc/self/ns/user").readlink()
    # Without --preserve-credentials, only root could enter.
    words = ("--user", "--preserve-credentials")
    return words if Path(f"/proc/{pid}/ns/user").readlink() != own else ()
