"""The doubled firewall tutorial on a stage: the fixture ``firewall``, and changes by others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from erfailover.lab.auth.identity import Identity
from tests.support.adopted_world import Arm
from tests.support.firewall_packets import SETTLED_S, Monitor, make_arm
from tests.support.firewall_world import (
    BACKUP,
    PLACE,
    PREMISES,
    PRIMARY,
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
