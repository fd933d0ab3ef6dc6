"""How long the spokes are without a path: what a switch costs those who use the network.

Owns the packets: one from each spoke's machine to the office and back, at every change of the
world, by the lab's own routing; nothing here asks the client that is measured.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from erfailover.lab.engine.lab import Lab
from tests.support.door import open_door
from tests.tools.bench import sdk, worlds
from tests.tools.bench.rows import Outage, Way
from tests.tools.bench.worlds import DARK_S, Served, Worlds

OFFICE = "10.5.0.4"
NIC = "Microsoft.Network/networkInterfaces"
EVERY_S = 1
"""How often the probe asks."""


class Packets:
    """From when to when each spoke's machine had no answer from the office."""

    def __init__(self, lab: Lab, spokes: list[str]) -> None:
        self._lab, self._began = lab, lab.world.now
        names = {f"{name}-nic1" if name != "vnet1" else "vm1-nic1": name for name in spokes}
        self._nics = {
            names[resource.id.name]: resource
            for resource in lab.world.iter_by_type(NIC)
            if resource.id.name in names
        }
        self.changes: dict[str, list[tuple[float, bool]]] = {name: [] for name in spokes}
        with lab.lock:
            self._look()
            lab.listen(self._look)

    def passes(self, spoke: str) -> bool:
        """Whether a packet passes now, and its answer."""
        lab = self._lab
        return lab.plane.trace_packet(self._nics[spoke], OFFICE).reached

    def passes_now(self, spoke: str) -> bool:
        """The same, from a thread of its own, once the lab has done what is due."""
        with self._lab.lock:
            self._lab.catch_up()
            return self.passes(spoke)

    def _look(self) -> None:
        for spoke, changes in self.changes.items():
            up = self.passes(spoke)
            if not changes or changes[-1][1] is not up:
                changes.append((self._lab.world.now - self._began, up))

    def outages_s(self) -> tuple[float, ...]:
        """Return how long each spoke was out: from the first packet lost, or from the start."""
        rows = []
        for spoke, changes in self.changes.items():
            lost = [at for at, up in changes if not up]
            if not changes[-1][1]:
                raise RuntimeError(f"{spoke}: no packet passes after the switch")
            rows.append(changes[-1][0] - lost[0] if lost else 0.0)
        return tuple(rows)


def measure_erfailover(result: Worlds, way: Way, spokes: int, seed: int, planned: bool) -> Outage:
    """Switch, with a probe from the first spoke beside it."""
    world = result.get(spokes, way is Way.PRESTAGED, dark=not planned, machines=True)
    with result.serve(world.snapshot, world.site, seed) as served:
        packets = Packets(served.lab, worlds.spoke_names(spokes))
        with open_door(lambda: packets.passes_now("vnet1")) as port:
            _add_probe(served, port)
            report = served.folder / "outage.json"
            served.run_or_raise(
                "switch", "--to", "ipsec", "--yes", "--planned", "--report", str(report)
            )
        value = json.loads(report.read_text())["outages"][0]
        probe_s = float(value["longest_s"]) if value["how"] == "probe" else None
        return Outage(
            way,
            spokes,
            seed,
            planned,
            packets.outages_s(),
            0.0 if planned else DARK_S,
            probe_s if planned else None,
        )


def measure_sdk(result: Worlds, spokes: int, seed: int, planned: bool) -> Outage:
    """The same writes with the SDK's default polling."""
    world = result.get(spokes, False, dark=not planned, machines=True)
    with result.serve(world.snapshot, world.site, seed) as served:
        packets = Packets(served.lab, worlds.spoke_names(spokes))
        sdk.carry_out(served, spokes)
        failed_s = 0.0 if planned else DARK_S
        return Outage(Way.SDK, spokes, seed, planned, packets.outages_s(), failed_s)


def _add_probe(served: Served, port: int) -> None:
    script = f"exec 3<>/dev/tcp/127.0.0.1/{port}; read -r word <&3; [ $word = up ]"
    command = ["bash", "-c", script]
    file = Path(served.environment["ERFAILOVER_SITE"])
    site: Any = yaml.safe_load(file.read_text())
    site["probes"] = {"office": {"command": command, "continuous": True, "every_s": EVERY_S}}
    file.write_text(yaml.safe_dump(site, sort_keys=False))
