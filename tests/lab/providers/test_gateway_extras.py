"""Summarized gateway prefixes, custom BGP addresses, lists of connections, an edge that is down."""

from __future__ import annotations

from typing import Any

import pytest

from erfailover.azure.readers.network import parse_gateway as read_gateway
from erfailover.model.observed import Reading
from erfailover.model.site import Role
from tests.support.arm_client import Arm
from tests.support.lab_express import (
    act,
    connection,
    heard,
    hub_on_a_circuit,
    peers,
    read_learned_routes,
)
from tests.support.lab_gateways import connect

HUB, SPOKE = "10.2.0.0/16", "10.1.0.0/16"


@pytest.fixture
def hub(arm: Arm) -> Arm:
    return hub_on_a_circuit(arm)


def summarize(arm: Arm, *prefixes: str) -> dict[str, Any]:
    """The body of the hub with a summary, as a client would read and write it back."""
    properties: dict[str, Any] = arm.get("virtualNetworks/hub")["properties"]
    summary = {"addressPrefixes": list(prefixes)} if prefixes else None
    return {**properties, "summarizedGatewayPrefixes": summary}


def read_advertised_networks(arm: Arm) -> set[str]:
    rows = act(arm, "getAdvertisedRoutes?peer=10.2.0.4")["value"]
    return {row["network"] for row in rows}


@pytest.mark.parametrize(
    ("summary", "advertised"),
    [
        (["10.0.0.0/14"], {"10.0.0.0/14"}),
        (["172.16.0.0/16"], {"172.16.0.0/16", SPOKE}),
        (["10.2.0.0/15"], {"10.2.0.0/15", SPOKE}),
        ([], {HUB, SPOKE}),
    ],
)
def test_a_summary_stands_for_the_hub_and_for_the_spokes_that_it_covers(
    hub: Arm, summary: list[str], advertised: set[str]
) -> None:
    hub.put("virtualNetworks/hub", summarize(hub, *summary))
    assert read_advertised_networks(hub) == advertised
    assert {row[0] for row in read_learned_routes(hub) if row[3] == "Network"} == advertised


def test_a_spokes_summary_means_nothing(hub: Arm) -> None:
    properties = hub.get("virtualNetworks/spoke")["properties"]
    summary = {"summarizedGatewayPrefixes": {"addressPrefixes": ["10.0.0.0/8"]}}
    hub.put("virtualNetworks/spoke", {**properties, **summary})
    assert read_advertised_networks(hub) == {HUB, SPOKE}


@pytest.mark.parametrize("wrong", [["10.0.0.0/14", "10.2.0.0/16"], ["10.0.0.1/14"], ["everything"]])
def test_a_summary_that_overlaps_itself_or_is_none_is_refused(hub: Arm, wrong: list[str]) -> None:
    assert hub.expect_refusal("virtualNetworks/hub", summarize(hub, *wrong)).status == 400


def test_an_edge_that_is_down_leaves_the_other_with_its_routes(hub: Arm) -> None:
    tags = {"lab:on-premises": "10.5.0.0/16", "lab:edges-down": "primary"}
    assert hub.call("PATCH", "expressRouteCircuits/c1", {"tags": tags}).status == 200
    hub.clock.sleep(60)
    assert [row[2] for row in peers(hub)] == ["Connecting", "Connected"]
    assert {row for row in read_learned_routes(hub) if row[3] == "EBgp"} == heard(
        "10.5.0.0/16", edges=("10.2.0.5",)
    )
    assert hub.get("connections/to-c1")["properties"]["connectionStatus"] == "Connected"
    assert read_advertised_networks(hub) == set()


def test_a_gateway_lists_its_connections_in_every_group_without_their_status(hub: Arm) -> None:
    other = "/resourceGroups/elsewhere"
    root = hub.root.replace("/resourceGroups/rg", other)
    assert hub.call("PUT", root, {"location": "westeurope"}).status == 201
    circuit = hub.get("expressRouteCircuits/c1")
    path = f"{root}/providers/Microsoft.Network/connections/far"
    hub.delete("connections/to-c1")
    body = {"location": "westeurope", "properties": connection(hub, "c1")}
    hub.wait(hub.call("PUT", path, body))
    (row,) = hub.get("virtualNetworkGateways/er/connections")["value"]
    assert other in row["id"]
    assert row["properties"]["peer"]["id"] == circuit["id"]
    assert "connectionStatus" not in row["properties"]
    assert "connectionStatus" in hub.get(path)["properties"]


def custom(arm: Arm, *addresses: str) -> dict[str, Any]:
    configuration = arm.id("virtualNetworkGateways/g/ipConfigurations/default")
    row = {"ipconfigurationId": configuration, "customBgpIpAddresses": list(addresses)}
    settings = {"asn": 65010, "bgpPeeringAddresses": [row]}
    properties: dict[str, Any] = arm.gateway_properties("g", "hub", bgpSettings=settings)
    return properties


def test_custom_bgp_addresses_stand_beside_azures_own(arm: Arm) -> None:
    arm.vnet("hub", HUB, GatewaySubnet="10.2.0.0/24")
    arm.public_ip("g-ip")
    body = arm.put("virtualNetworkGateways/g", custom(arm, "169.254.21.5", "169.254.22.5"))
    assert body["properties"]["bgpSettings"]["bgpPeeringAddress"] == "10.2.0.254"
    gateway = read_gateway(Role.BACKUP, body, Reading(()), Reading(()))
    assert gateway.bgp_addresses == ("10.2.0.254", "169.254.21.5", "169.254.22.5")


def test_a_session_with_a_custom_bgp_address_comes_up(arm: Arm) -> None:
    arm.vnet("hub", HUB, GatewaySubnet="10.2.0.0/24")
    arm.vnet("far", "10.4.0.0/16", GatewaySubnet="10.4.0.0/24")
    arm.public_ip("g-ip")
    arm.put("virtualNetworkGateways/g", custom(arm, "169.254.21.5"))
    arm.gateway("single", "far", bgpSettings={"asn": 65020})
    connect(arm, "there", "g", "single-ip", ("10.9.0.0/16", 65020, "10.4.0.254"))
    connect(arm, "back", "single", "g-ip", ("10.8.0.0/16", 65010, "169.254.21.5"))
    arm.clock.sleep(300)
    reply = arm.wait(arm.call("POST", "virtualNetworkGateways/single/getBgpPeerStatus"))
    (row,) = reply.body["value"]
    assert (row["neighbor"], row["state"]) == ("169.254.21.5", "Connected")


@pytest.mark.parametrize("address", ["169.254.20.5", "169.254.23.1", "10.2.0.9", "x"])
def test_a_custom_bgp_address_outside_azures_range_is_refused(arm: Arm, address: str) -> None:
    arm.vnet("hub", HUB, GatewaySubnet="10.2.0.0/24")
    arm.public_ip("g-ip")
    assert arm.expect_refusal("virtualNetworkGateways/g", custom(arm, address)).status == 400
