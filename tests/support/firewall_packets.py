"""What may never be cut while the spokes of a firewall hub move, judged by packets.

Every judgement is the lab's reachability in both directions. It needs no test runner.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from azure.identity import DefaultAzureCredential

from erfailover.lab.core.world import Resource
from erfailover.lab.engine.lab import Lab
from erfailover.lab.machines.reachability import Trace
from tests.support.adopted_world import Arm
from tests.support.firewall_world import CORP, INTERNET, SPOKES, Shape, Spoke

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
    only_moves: bool = False
    _origins: dict[str, Resource] = field(default_factory=dict)

    def install(self, *, only_moves: bool = False) -> Monitor:
        """Look at every change from now on; with ``only_moves``, at the premises only."""
        with self.lab.lock:
            self.lab.catch_up()
            self._origins = {spoke.name: self._find_origin(spoke) for spoke in SPOKES}
            self.only_moves = only_moves
            self._look()
            self.lab.listen(self._look)
        return self

    def remove(self) -> None:
        """Look no longer."""
        with self.lab.lock:
            self.lab.world.listeners.remove(self._look)

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
        return lab.plane.trace_packet(self._find(nic), destination, "tcp", 443)

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

    def _look(self) -> None:
        self.looks += 1
        for spoke in SPOKES:
            changes, connected = self.changes.setdefault(spoke.name, []), self.is_connected(spoke)
            if not changes or changes[-1][1] is not connected:
                changes.append((self.lab.world.now, connected))
            if changes[0][1] and not connected and _uses_gateway(self._origins[spoke.name]):
                self.early.append(f"{self.lab.world.now:.0f} s: {spoke.name}: not broken yet")
        if self.only_moves:
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


def make_arm(environment: dict[str, str], sleep: Callable[[float], None]) -> Arm:
    """Plain ARM requests to the lab that an environment leads to."""
    endpoint = environment["ERFAILOVER_ENDPOINT"]
    token = DefaultAzureCredential().get_token(f"{endpoint}/.default").token
    return Arm(endpoint, token, os.environ["REQUESTS_CA_BUNDLE"], sleep)
