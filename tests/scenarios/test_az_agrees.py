"""az, which we did not write, sees in the lab what ``erfailover status`` prints."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from erfailover.lab.server.az_config import write_configuration
from tests.support import az as az_cli
from tests.support.az import Az
from tests.support.clocks import ResumedClock
from tests.support.express_site import make
from tests.support.stage import Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

PEER = {
    "neighbor": "neighbor",
    "localAddress": "local_address",
    "asn": "asn",
    "state": "state",
    "routesReceived": "routes_received",
}
ROUTE = {
    "network": "network",
    "nextHop": "next_hop",
    "localAddress": "local_address",
    "weight": "weight",
    "sourcePeer": "source_peer",
    "origin": "origin",
    "asPath": "as_path",
}
PEERING = {
    "name": "name",
    "peeringState": "state",
    "peeringSyncLevel": "sync_level",
    "allowVirtualNetworkAccess": "allow_virtual_network_access",
    "allowForwardedTraffic": "allow_forwarded_traffic",
    "allowGatewayTransit": "allow_gateway_transit",
    "useRemoteGateways": "use_remote_gateways",
}
Row = tuple[tuple[str, Any], ...]


def ours(table: list[dict[str, Any]], names: dict[str, str]) -> set[Row]:
    return {tuple((name, row[name]) for name in names.values()) for row in table}


def theirs(table: list[dict[str, Any]], names: dict[str, str]) -> set[Row]:
    """The rows that az printed, in our names; an empty string is no value."""
    return {
        tuple(
            (name, None if row.get(wire) == "" else row.get(wire)) for wire, name in names.items()
        )
        for row in table
    }


@pytest.fixture(scope="module")
def az() -> Az:
    return az_cli.install_az()


def test_az_prints_the_same_as_status(
    provisioned: Stage, az: Az, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    stage.pass_time(60.0)
    status = stage.json("status")
    endpoint = stage.environment["ERFAILOVER_ENDPOINT"]
    folder = write_configuration(stage.folder / "az", stage.lab.identity, endpoint)
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(folder))
    stage.lab.clock = ResumedClock(50.0, stage.clock.now())
    for gateway in status["gateways"]:
        where = ["-g", "rg-we", "-n", gateway["name"]]
        peers = az("network", "vnet-gateway", "list-bgp-peer-status", *where)["value"]
        assert theirs(peers, PEER) == ours(gateway["peers"], PEER)
        routes = az("network", "vnet-gateway", "list-learned-routes", *where)["value"]
        assert theirs(routes, ROUTE) == ours(gateway["learned_routes"], ROUTE)
    for network in ("vnet1", "vnet2", "vnet3"):
        value = az("network", "vnet", "peering", "list", "-g", "rg-we", "--vnet-name", network)
        desired = [item for item in status["peerings"] if item["virtual_network"] == network]
        assert theirs(value, PEERING) == ours(desired, PEERING)
        assert value


def test_az_takes_the_commands_that_disable_and_enable_a_private_peering(
    stage: Stage, az: Az, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(stage, "Amsterdam")
    (test,) = stage.json("drill", "--show-circuit-test")["circuits"]
    endpoint = stage.environment["ERFAILOVER_ENDPOINT"]
    folder = write_configuration(stage.folder / "az", stage.lab.identity, endpoint)
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(folder))
    stage.lab.clock = ResumedClock(50.0, stage.clock.now())
    for key, state in (("disable_az", "Disabled"), ("enable_az", "Enabled")):
        assert az(*shlex.split(test[key])[1:])["state"] == state
        (now,) = stage.json("drill", "--show-circuit-test")["circuits"]
        assert now["peering_state"] == state
