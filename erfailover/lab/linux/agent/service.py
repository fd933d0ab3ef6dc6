"""The agent's methods: what the lab can ask of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from erfailover.lab.linux.agent.gateways import Gateways
from erfailover.lab.linux.agent.machine_hosting import MachineHosting
from erfailover.lab.linux.agent.network import Network
from erfailover.lab.linux.agent.tunnel_devices import choose_device
from erfailover.lab.linux.layout import Layout, from_json

Emit = Callable[..., None]


class Service:
    """Makes the system match the layout, and reads it.

    ``run`` is a folder that goes with the agent, ``disks`` one that outlives it.
    Every change of the kernel's network runs on one thread, in order: ``run_in_order``.
    """

    def __init__(self, run: Path, disks: Path, emit: Emit):
        self.run = run
        self.disks = disks
        self.emit = emit
        self._order = ThreadPoolExecutor(1, thread_name_prefix="network")
        self.network: Network = self.run_in_order(Network)
        device, reason = choose_device()
        self.encryption = device.ENCRYPTION
        print(f"IPsec by {self.encryption}: {reason}", file=sys.stderr, flush=True)
        self.gateways = Gateways(run, emit, device, self._set_device)
        self.machines = MachineHosting(run, disks, emit)
        self.methods: dict[str, Callable[..., Any]] = {
            "apply": self.apply,
            "read_gateway": self.gateways.read,
            "restart_gateway": self.gateways.restart,
            "describe": self.describe,
            **self.machines.methods,
        }

    def run_in_order(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a function of the network returns, after all that was asked before."""
        return self._order.submit(function, *arguments).result()

    def apply(self, layout: dict[str, Any]) -> dict[str, int]:
        """Make the system match a layout; return how many writes that took."""
        counts: dict[str, int] = self.run_in_order(self._apply, from_json(layout))
        return counts

    def describe(self) -> dict[str, Any]:
        """Return what exists, who encrypts, and the memory of every process."""
        return {
            **self.run_in_order(self.network.count),
            "ipsec": self.encryption,
            "memory_kib": measure_memory(),
        }

    def _apply(self, layout: Layout) -> dict[str, int]:
        self.gateways.stop_obsolete(layout)
        self.machines.stop(self.network.find_obsolete(layout))
        errors: list[str] = []
        counts = self.network.apply(layout, errors)
        counts["daemons"] = self.gateways.apply(layout, errors)
        self.machines.follow(layout, errors)
        if errors:
            raise RuntimeError("; ".join(errors))
        return counts

    def _set_device(self, node: str, device: str, up: bool) -> None:
        """Note, later, that a tunnel's device came up or went: its routes follow it."""
        self._order.submit(self.network.set_device, node, device, up)


def measure_memory() -> dict[str, int]:
    """Return the resident memory of the agent's processes in KiB, by program."""
    memory: dict[str, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            lines = (folder / "status").read_text().splitlines()
        except OSError:
            continue
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        if "VmRSS" in fields:
            name = fields["Name"].strip()
            memory[name] = memory.get(name, 0) + int(fields["VmRSS"].split()[0])
    return memory
