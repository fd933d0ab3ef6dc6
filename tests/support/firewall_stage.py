"""The doubled firewall tutorial on a stage, and what may never be cut while its spokes move.

Owns the fixture ``firewall`` and the monitor of packets. Every judgement is the lab's
reachability in both directions; no flag of a peering is read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from azure.identity import DefaultAzureCredential

from erfailover.lab.auth.identity import Identity
from erfailover.lab.core.world import Resource
from erfailover.lab.engine.lab import Lab
from erfailover.lab.machines.reachability import Trace, trace_packet
from tests.support.adopted_world import Arm
from tests.support.firewall_world import (
    BACKUP,
    CORP,
    INTERNET,
    PLACE,
    PREMISES,
    PRIMARY,
    SPOKES,
    TABLES,
    UNUSED,
    FirewallWorld,
    Shape,
    Spoke,
    build,
    make_machine,
    write_site,
)
from tests.support.stage import Stage, lab_in

PEERINGS = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"
NICS = "Microsoft.Network/networkInterfaces"
SETTLED_S = 300.0
"""After this time the far end has let go of a failed path (hold time 180 s)."""


@dataclass
class Monitor:
    """Packets at every change of the lab's resources.

    Attributes:
        cuts: each moment at which a path was cut that a switch may never cut: spoke to Internet and
            spoke to spoke, each through the primary's appliance, in either direction.
        changes: for each spoke, when it began or ceased to reach the premises and be reached.
        early: each moment at which a spoke that had worked was stranded although Azure had not yet
            accepted its break: what a right order never does.
    """

    lab: Lab
    shape: Shape
    cuts: list[str] = field(default_factory=list)
    changes: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)
    looks: int = 0
    early: list[str] = field(default_factory=list)
    _origins: dict[str, Resource] = field(default_factory=dict)

    def install(self, *, only_moves: bool = False) -> Monitor:
        """Look at every change from now on; with ``only_moves``, at the premises only."""
        with self.lab.lock:
            self.lab.catch_up()
            self._origins = {spoke.name: self._find_origin(spoke) for spoke in SPOKES}
            self._look(only_moves)
            self.lab.listen(lambda: self._look(only_moves))
        return self

    def is_connected(self, spoke: Spoke) -> bool:
        """Whether a spoke reaches the premises and is reached from there."""
        return not self.explain(spoke)

    def explain(self, spoke: Spoke) -> str:
        """Why a spoke is stranded; empty if it is not."""
        there = self.trace(spoke.nic, CORP)
        back = self.trace("vm-corp-nic", spoke.address)
        return there.reason or back.reason

    def trace(self, nic: str, destination: str) -> Trace:
        """A TCP connection from an interface's machine."""
        lab = self.lab
        return trace_packet(
            lab.world, lab.bgp, lab.machines, self._find(nic), destination, "tcp", 443
        )

    def get_outage_s(self, spoke: Spoke) -> float:
        """From the first moment at which a spoke was stranded to the last, in modelled seconds."""
        changes = self.changes[spoke.name]
        assert changes[-1][1], f"{spoke.name} is stranded at the end: {self.explain(spoke)}"
        lost = [at for at, connected in changes if not connected]
        return changes[-1][0] - lost[0] if lost else 0.0

    def _find_origin(self, spoke: Spoke) -> Resource:
        """The peering by which a spoke uses a gateway."""
        return next(
            peering
            for peering in self.lab.world.iter_by_type(PEERINGS)
            if peering.id.names[0] == spoke.name and _uses_gateway(peering)
        )

    def _find(self, name: str) -> Resource:
        return next(nic for nic in self.lab.world.iter_by_type(NICS) if nic.id.name == name)

    def _look(self, only_moves: bool) -> None:
        self.looks += 1
        for spoke in SPOKES:
            changes, connected = self.changes.setdefault(spoke.name, []), self.is_connected(spoke)
            if not changes or changes[-1][1] is not connected:
                changes.append((self.lab.world.now, connected))
            if changes[0][1] and not connected and _uses_gateway(self._origins[spoke.name]):
                self.early.append(f"{self.lab.world.now:.0f} s: {spoke.name}: not broken yet")
        if only_moves:
            return
        for spoke in SPOKES:
            self._require(spoke, INTERNET)
            for other in SPOKES:
                if other is not spoke:
                    self._require(spoke, other.address)

    def _require(self, spoke: Spoke, destination: str) -> None:
        """Require a connection that goes through the primary's appliance."""
        trace = self.trace(spoke.nic, destination)
        way = f"VirtualAppliance {self.shape.primary_address}"
        reason = trace.reason
        if trace.reached and not any(hop.endswith(way) for hop in trace.hops):
            reason = "it goes around the primary's appliance"
        if reason:
            at = f"{self.lab.world.now:.0f} s"
            self.cuts.append(f"{at}: {spoke.name} to {destination}: {reason}")


def _uses_gateway(peering: Resource) -> bool:
    """Whether a peering uses a remote gateway, by the last write that Azure accepted."""
    return bool(peering.properties.get("useRemoteGateways"))


@dataclass
class FirewallSite:
    """A stage with the world in its lab."""

    stage: Stage
    world: FirewallWorld

    @property
    def init(self) -> list[str]:
        """The words that adopt it."""
        hubs = ["--primary-hub", self.world.primary_hub, "--backup-hub", self.world.backup_hub]
        return ["init", "--from-azure", *hubs]

    def write_site(self, mode: str = "") -> None:
        """Write the site file; with ``overlay`` or ``replace`` the next hops move too."""
        text = write_site(self.world.shape, mode)
        (self.stage.folder / "erfailover.yaml").write_text(text)

    def arm(self) -> Arm:
        """Plain ARM requests to the lab, by another client."""
        return make_arm(self.stage.environment, self.stage.clock.sleep)

    def put(self, path: str, properties: Any) -> None:
        """Write a child resource, by another client."""
        arm = self.arm()
        arm.put(self.world.id(path), properties)
        arm.pool.clear()

    def delete(self, path: str) -> None:
        """Delete a resource, by another client."""
        arm = self.arm()
        arm.finish([arm.call("DELETE", self.world.id(path))])
        arm.pool.clear()

    def get(self, path: str) -> Any:
        """Read a resource, as another client."""
        arm = self.arm()
        body = arm.get(self.world.id(path))
        arm.pool.clear()
        return body

    def prepare(self, spoke: Spoke) -> None:
        """Steps 1 and 2 of a switch, by hand."""
        name = spoke.name
        self._peer(BACKUP.name, f"hub-dr-to-{name}", name, allowGatewayTransit=True)
        self._peer(name, f"{name}-to-hub-dr", BACKUP.name)

    def move(self, spoke: Spoke) -> None:
        """Break and make, by hand."""
        name = spoke.name
        self._peer(name, f"{name}-to-hub", PRIMARY.name)
        self._peer(name, f"{name}-to-hub-dr", BACKUP.name, useRemoteGateways=True)

    def overlay(self, table: str) -> None:
        """Give a table the next hop to the premises, and no other, by hand."""
        name = "to-premises" if table == TABLES[1] else "erfailover-premises"
        hop = {
            "nextHopType": "VirtualAppliance",
            "nextHopIpAddress": self.world.shape.backup_address,
        }
        self.put(f"routeTables/{table}/routes/{name}", {"addressPrefix": PREMISES, **hop})

    def add_interface(self, name: str, *, machine: bool) -> None:
        """An interface with IP forwarding in the backup hub; with a machine if it is to run."""
        arm = self.arm()
        inner = {"subnet": {"id": self.world.id(f"virtualNetworks/{BACKUP.name}/subnets/nva")}}
        configurations = [{"name": "ipconfig1", "properties": inner}]
        properties = {"enableIPForwarding": True, "ipConfigurations": configurations}
        arm.put(self.world.id(f"networkInterfaces/{name}"), properties, location=PLACE)
        if machine:
            make_machine(arm, self.world, name.replace("-nic", ""), name, "#!/bin/sh\n")
        arm.pool.clear()

    def stop_machine(self, name: str) -> None:
        """Deallocate a machine, by another client."""
        path = self.world.id(f"Microsoft.Compute/virtualMachines/{name}")
        arm = self.arm()
        arm.finish([arm.call("POST", f"{path}/deallocate")])
        arm.pool.clear()

    def _peer(self, owner: str, name: str, other: str, **flags: bool) -> None:
        properties = {
            "remoteVirtualNetwork": {"id": self.world.id(f"virtualNetworks/{other}")},
            "allowForwardedTraffic": True,
            **flags,
        }
        self.put(f"virtualNetworks/{owner}/virtualNetworkPeerings/{name}", properties)

    def cut_expressroute(self, *, repair: bool = False) -> None:
        """The primary's BGP session fails, or comes back; the far end has noticed."""
        path = "localNetworkGateways/lng-hub-to-onprem"
        body = self.get(path)
        address = "192.168.2.254" if repair else UNUSED
        body["properties"]["bgpSettings"]["bgpPeeringAddress"] = address
        arm = self.arm()
        arm.finish([arm.begin(self.world.id(path), body)])
        arm.pool.clear()
        self.stage.pass_time(SETTLED_S)

    def list_routes(self, table: str) -> dict[str, tuple[str, str]]:
        """Prefix and next hop of each route of a table, by name."""
        rows = self.get(f"routeTables/{table}")["properties"]["routes"]
        return {
            row["name"]: (
                row["properties"]["addressPrefix"],
                row["properties"].get("nextHopIpAddress", row["properties"]["nextHopType"]),
            )
            for row in rows
        }

    def monitor(self, *, only_moves: bool = False) -> Monitor:
        """Watch the packets from now on."""
        return Monitor(self.stage.lab, self.world.shape).install(only_moves=only_moves)


def make_arm(environment: dict[str, str], sleep: Callable[[float], None]) -> Arm:
    """Plain ARM requests to the lab that an environment leads to."""
    endpoint = environment["ERFAILOVER_ENDPOINT"]
    token = DefaultAzureCredential().get_token(f"{endpoint}/.default").token
    return Arm(endpoint, token, os.environ["REQUESTS_CA_BUNDLE"], sleep)


@dataclass
class MadeWorlds:
    """Worlds by shape, each made once."""

    identity: Identity
    factory: pytest.TempPathFactory
    made: dict[Shape, tuple[bytes, FirewallWorld]] = field(default_factory=dict)

    def get(self, shape: Shape) -> tuple[bytes, FirewallWorld]:
        """The snapshot of a world of that shape, and its ids."""
        if shape not in self.made:
            folder = self.factory.mktemp("firewall")
            with ExitStack() as stack:
                patch = stack.enter_context(pytest.MonkeyPatch.context())
                lab, clock, env = stack.enter_context(lab_in(folder, self.identity, patch))
                arm = make_arm(env, clock.sleep)
                world = build(arm, shape)
                arm.pool.clear()
                self.made[shape] = lab.snapshot(), world
        return self.made[shape]


@pytest.fixture(scope="session")
def firewall_worlds(tmp_path_factory: pytest.TempPathFactory, identity_: Identity) -> MadeWorlds:
    """Worlds of any shape."""
    return MadeWorlds(identity_, tmp_path_factory)


@pytest.fixture
def firewall(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    firewall_worlds: MadeWorlds,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[FirewallSite]:
    """The world in a lab of its own; its shape is the fixture's parameter, if it has one."""
    snapshot, world = firewall_worlds.get(getattr(request, "param", Shape()))
    with lab_in(tmp_path, firewall_worlds.identity, monkeypatch) as (lab, clock, environment):
        lab.restore(snapshot)
        yield FirewallSite(Stage(lab, clock, tmp_path, capsys, environment), world)
