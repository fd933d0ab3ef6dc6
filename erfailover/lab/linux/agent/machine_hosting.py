"""The machines of a layout: started and stopped as it says, and what runs on them."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from erfailover.lab.linux.agent.captures import Captures
from erfailover.lab.linux.agent.disks import Disks
from erfailover.lab.linux.agent.machine_limits import MachineLimits
from erfailover.lab.linux.agent.machines import MachineError, Machines
from erfailover.lab.linux.agent.pings import ping
from erfailover.lab.linux.agent.scripts import Scripts
from erfailover.lab.linux.layout import Layout

_STARTS_AT_ONCE = 4
_START_S = 60.0
_END_S = 3.0
_PAUSE_S = 0.01


class MachineHosting:
    """Machines, their scripts and captures; ``methods`` are those that the lab calls."""

    def __init__(self, run: Path, archives: Path, emit: Callable[..., None]) -> None:
        folder = run / "machines"
        folder.mkdir()
        self._disks = Disks(folder / "disks", archives)
        self._machines = Machines(folder, self._disks, MachineLimits())
        self._scripts = Scripts(self._machines, folder, emit)
        self._captures = Captures(lambda: self._layout)
        self._layout = Layout()
        self._pool = ThreadPoolExecutor(_STARTS_AT_ONCE, thread_name_prefix="machine")
        self._starts: dict[str, Future[None]] = {}
        self.methods: dict[str, Callable[..., Any]] = {
            "start_script": self.start_script,
            "ping": self.ping,
            "start_capture": self._captures.start,
            "end_capture": lambda capture: self._captures.end(capture),
        }

    def stop(self, nodes: frozenset[str]) -> None:
        """Stop the machines of nodes that are about to go."""
        for node in nodes:
            if (start := self._starts.pop(node, None)) is not None:
                start.cancel()  # in vain if it has begun; the stop then waits for it
            self._machines.stop(node)

    def close(self) -> None:
        """Stop all machines, so that their disks are saved, but do not wait for ever for that."""
        for start in self._starts.values():
            start.cancel()
        stopping = ThreadPoolExecutor(thread_name_prefix="stop")
        stops = [stopping.submit(self._machines.stop, node) for node in list(self._starts)]
        wait(stops, _END_S)

    def follow(self, layout: Layout, errors: list[str]) -> None:
        """Start the layout's machines that do not run, and remove the disks of those deleted.

        Does not wait for the scripts of their start; what failed at an earlier one is reported.
        """
        if layout.disks != self._layout.disks:
            self._disks.keep(layout.disks)
        self._layout = layout
        for node in layout.nodes:
            if node.machine is None:
                continue
            start = self._starts.get(node.name)
            if start is None:
                boot = self._machines.boot
                self._starts[node.name] = self._pool.submit(boot, node.name, node.machine)
            elif start.done() and (problem := start.exception()) is not None:
                errors.append(str(problem))
                del self._starts[node.name]

    def start_script(self, node: str, script: str, limit_s: float) -> dict[str, int]:
        """Start a script on a machine that runs, or that is being started."""
        until = time.monotonic() + _START_S
        while not self._machines.is_running(node):
            start = self._starts.get(node)
            if start is None or start.done() or time.monotonic() > until:
                problem = start.exception() if start is not None and start.done() else None
                raise MachineError(str(problem or f"The machine {node} is not running."))
            time.sleep(_PAUSE_S)
        return {"script": self._scripts.start(node, script, limit_s)}

    def ping(
        self, node: str, interface: str, destination: str, timeout_s: float
    ) -> dict[str, bool]:
        """Send one echo request from a machine."""
        return {"reached": ping(node, interface, destination, timeout_s)}
