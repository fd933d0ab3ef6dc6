"""Worlds restored on the Linux data plane: when they carry packets, and what they take.

Owns the worlds and the processes that are looked at: the agent with all that it started, and the
process of the lab, which is this one.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

from erfailover.lab.core.clock import ScaledClock
from erfailover.lab.core.world import Resource
from erfailover.lab.engine.lab import Lab
from erfailover.lab.linux.launch import Agent, start_agent
from erfailover.lab.linux.plane import LinuxPlane
from tests.tools.bench.outages import NIC, OFFICE
from tests.tools.bench.worlds import Worlds
from tests.tools.data_plane.table import AGENT, LAB, Cost, Program

SPEED = 20.0
TIMEOUT_S = 180.0
LOOK_EVERY_S, ECHO_S = 0.02, 0.2
GATEWAY = "Microsoft.Network/virtualNetworkGateways"
MIB = 1 << 20


def measure(worlds: Worlds, spokes: int) -> Cost:
    """Restore a world with so many spokes, each with a machine, and wait until all is reachable."""
    world = worlds.get(spokes, prestaged=False, dark=False, machines=True)
    agents: list[Agent] = []

    def start(folder: Path, on_event: Callable[[Any], None]) -> Agent:
        agents.append(start_agent(folder, on_event))
        return agents[0]

    folder = worlds.folder / f"disks-{spokes}"
    folder.mkdir(exist_ok=True)
    began = time.monotonic()
    with closing(LinuxPlane(SPEED, folder, start, echo_s=ECHO_S)) as plane:
        agent_s = time.monotonic() - began
        lab = Lab(ScaledClock(SPEED), identity_=worlds.identity, seed=1, plane=plane)
        lab.restore(world.snapshot)

        def wait(is_so: Callable[[], bool]) -> float:
            _await(lab, is_so)
            return time.monotonic() - began

        applied_s = wait(plane.is_settled)
        gateways = list(lab.world.iter_by_type(GATEWAY))
        established_s = wait(lambda: all(_is_established(plane, each) for each in gateways))
        waiting = [nic for nic in lab.world.iter_by_type(NIC) if _is_of_spoke(nic)]
        assert len(waiting) == spokes

        def is_reachable() -> bool:
            while waiting and plane.trace_packet(waiting[-1], OFFICE).reached:
                waiting.pop()
            return not waiting

        reachable_s = wait(is_reachable)
        counts = agents[0].call("describe")
        programs, files = _look(agents[0].pid)
        return Cost(
            spokes,
            *(agent_s, applied_s, established_s, reachable_s),
            *(counts["nodes"], counts["links"], files, programs),
        )


def _await(lab: Lab, is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until:
        with lab.lock:
            lab.catch_up()
            if is_so():
                return
        time.sleep(LOOK_EVERY_S)
    raise TimeoutError(f"the data plane was not ready within {TIMEOUT_S:g} s")


def _is_established(plane: LinuxPlane, gateway: Resource) -> bool:
    """Whether every session of a gateway is up."""
    rows = plane.list_peers(gateway)
    return bool(rows) and all(row["state"] == "Connected" for row in rows)


def _is_of_spoke(nic: Resource) -> bool:
    name: str = nic.id.name
    return name == "vm1-nic1" or name.startswith("spoke")


def _look(agent: int) -> tuple[dict[str, Program], int]:
    """Return the agent's processes and this one by program, and the open files of both."""
    root, own = psutil.Process(agent), psutil.Process()
    found: dict[str, list[Any]] = defaultdict(list)
    files = own.num_fds()
    for process in (root, *root.children(recursive=True)):
        try:
            name, memory = _name_program(process), process.memory_full_info()
            files += process.num_fds()
        except psutil.NoSuchProcess:
            continue
        found[name].append(memory)
    found[LAB].append(own.memory_full_info())
    programs = {
        name: Program(
            len(memories),
            sum(memory.rss for memory in memories) / MIB,
            sum(memory.pss for memory in memories) / MIB,
        )
        for name, memories in found.items()
    }
    return programs, files


def _name_program(process: psutil.Process) -> str:
    """Return a process's name; the agent's is that of Python."""
    if "erfailover.lab.linux.agent" in process.cmdline():
        return AGENT
    return str(process.name())
