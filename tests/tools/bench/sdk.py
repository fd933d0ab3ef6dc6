"""Row 2: the same four writes through the SDK with its default polling, in Terraform's order.

The proof of concept's Terraform has the four peerings depend on one another: the spoke and the
primary hub let go first, then the spoke's side of the new peering is made, then the backup
hub's. The azurerm provider besides takes one lock for all peerings of a run and asks for
``syncRemoteAddressSpace`` (virtual_network_peering_resource.go), so nothing overlaps for many
spokes either. Its own delay of 15 s before a creation is left out in its favour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from azure.core.pipeline.transport import RequestsTransport
from azure.identity import DefaultAzureCredential
from azure.mgmt.network import NetworkManagementClient

from tests.tools.bench import machine, worlds
from tests.tools.bench.rows import Switch, Way
from tests.tools.bench.watching import Watch
from tests.tools.bench.worlds import BACKUP, PRIMARY, Served, Worlds

OFF: Mapping[str, bool] = {}
USES = {"allow_forwarded_traffic": True, "use_remote_gateways": True}
LENDS = {"allow_forwarded_traffic": True, "allow_gateway_transit": True}


def _transport(clock: Any) -> RequestsTransport:
    """The SDK's own transport; its pollers' and retries' waits are the lab's."""
    transport = RequestsTransport()
    transport.sleep = clock.sleep
    return transport


def switch(result: Worlds, spokes: int, seed: int) -> Switch:
    """Switch all spokes, one write after the other, then read until the routes show it."""
    world = result.get(spokes, False)
    with result.serve(world.snapshot, world.site, seed) as served:
        watch, meter = Watch(served.lab), machine.Meter()
        carry_out(served, spokes)
        spent, watched = meter.spent(), watch.collect(worlds.spoke_names(spokes))
    bar = watched.shows(worlds.BACKUP_GATEWAY, watched.arrived_s)
    assert bar is not None
    assert bar.answered_s is not None
    return Switch(
        way=Way.SDK,
        spokes=spokes,
        seed=seed,
        whole_s=bar.answered_s,
        requests=watched.requests,
        refused=watched.refused,
        wall_s=spent.wall_s,
        cpu_s=spent.cpu_s,
    )


def carry_out(served: Served, spokes: int) -> None:
    """Write all, one after the other, then read until the routes show it."""
    endpoint = served.environment["ERFAILOVER_ENDPOINT"]
    with (
        DefaultAzureCredential() as credential,
        NetworkManagementClient(
            credential,
            worlds.SUBSCRIPTION,
            base_url=endpoint,
            credential_scopes=[f"{endpoint}/.default"],
            transport=_transport(served.clock),
        ) as client,
    ):
        for name in worlds.spoke_names(spokes):
            _write(client, name, PRIMARY, OFF)
            _write(client, PRIMARY, name, OFF)
            _write(client, name, BACKUP, USES)
            _write(client, BACKUP, name, LENDS)
        _read_until_shown(client, spokes)


def _write(client: Any, owner: str, other: str, flags: Mapping[str, bool]) -> None:
    peering = {
        "properties": {
            "remoteVirtualNetwork": {"id": f"{worlds.NETWORK}/virtualNetworks/{other}"},
            "allowVirtualNetworkAccess": True,
            "allowForwardedTraffic": flags.get("allow_forwarded_traffic", False),
            "allowGatewayTransit": flags.get("allow_gateway_transit", False),
            "useRemoteGateways": flags.get("use_remote_gateways", False),
        }
    }
    client.virtual_network_peerings.begin_create_or_update(
        "rg-we", owner, f"{owner}-to-{other}", peering, sync_remote_address_space="true"
    ).result()


def _read_until_shown(client: Any, spokes: int) -> None:
    """Read the backup gateway's routes until they show every spoke."""
    desired = worlds.spoke_prefixes(spokes)
    while True:
        rows = client.virtual_network_gateways.begin_get_learned_routes("rg-we", "vng2").result()
        if desired <= {row.network for row in rows.value if row.origin == "Network"}:
            return
