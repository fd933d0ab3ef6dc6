"""ExpressRoute gateways, circuits and site failover tests, over HTTPS."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.arm_client import Arm
from tests.support.lab_express import (
    GATEWAY,
    act,
    circuit,
    connection,
    gateway,
    heard,
    hub_on_a_circuit,
    peers,
    private_peering,
    read_learned_routes,
)


@pytest.fixture
def hub(arm: Arm) -> Arm:
    return hub_on_a_circuit(arm)


OWN = {
    ("10.2.0.0/16", None, "10.2.0.12", "Network", "", 32768),
    ("10.1.0.0/16", None, "10.2.0.12", "Network", "", 32768),
}


def test_a_gateway_without_a_public_ip_has_two_edge_peers_of_as_12076(hub: Arm) -> None:
    assert peers(hub) == [
        ("10.2.0.4", 12076, "Connected", 2),
        ("10.2.0.5", 12076, "Connected", 2),
    ]
    settings = hub.get(GATEWAY)["properties"]["bgpSettings"]
    assert (settings["asn"], settings["bgpPeeringAddress"]) == (65515, "10.2.0.12,10.2.0.13")
    assert hub.get("connections/to-c1")["properties"]["connectionStatus"] == "Connected"


def test_routes_come_from_both_edges_and_spokes_are_told_to_them(hub: Arm) -> None:
    assert read_learned_routes(hub) == OWN | heard("10.4.0.0/16", "10.5.0.0/16")
    advertised = act(hub, "getAdvertisedRoutes?peer=10.2.0.5")["value"]
    assert {
        (row["network"], row["origin"], row["asPath"], row["weight"]) for row in advertised
    } == {
        ("10.2.0.0/16", "Igp", "65515", 0),
        ("10.1.0.0/16", "Igp", "65515", 0),
    }


def test_a_disabled_private_peering_leaves_connected_edges_without_routes(hub: Arm) -> None:
    private_peering(hub, "c1", "Disabled")
    hub.clock.sleep(60)
    assert read_learned_routes(hub) == OWN
    assert [row[2:] for row in peers(hub)] == [("Connected", 0), ("Connected", 0)]
    private_peering(hub, "c1")
    hub.clock.sleep(60)
    assert read_learned_routes(hub) == OWN | heard("10.4.0.0/16", "10.5.0.0/16")


def test_what_the_far_end_announces_follows_the_circuits_tag(hub: Arm) -> None:
    body = {"tags": {"lab:on-premises": "10.9.0.0/16"}}
    assert hub.call("PATCH", "expressRouteCircuits/c1", body).status == 200
    hub.clock.sleep(60)
    assert read_learned_routes(hub) == OWN | heard("10.9.0.0/16")


def test_ipv6_shows_in_the_tables_of_an_expressroute_gateway_alone(hub: Arm) -> None:
    body = hub.get("virtualNetworks/spoke")
    body["properties"]["addressSpace"]["addressPrefixes"].append("fd00:1::/48")
    hub.put("virtualNetworks/spoke", body["properties"])
    tags = {"tags": {"lab:on-premises": "10.9.0.0/16 fd00:9::/48"}}
    assert hub.call("PATCH", "expressRouteCircuits/c1", tags).status == 200
    hub.clock.sleep(120)
    own = OWN | {("fd00:1::/48", None, "10.2.0.12", "Network", "", 32768)}
    assert read_learned_routes(hub) == own | heard("10.9.0.0/16", "fd00:9::/48")


def test_a_connection_deleted_takes_its_routes_away(hub: Arm) -> None:
    assert hub.call("DELETE", "expressRouteCircuits/c1").status == 400
    hub.delete("connections/to-c1")
    hub.clock.sleep(60)
    assert read_learned_routes(hub) == OWN
    assert peers(hub) == []
    hub.delete("expressRouteCircuits/c1")


def test_a_machine_reaches_what_lies_behind_the_circuit(hub: Arm) -> None:
    from tests.support.lab_story import has_no_packet_loss, machine, run

    machine(hub, "vm1", ("nic1", "spoke/subnets/apps", "10.1.0.4", False))
    assert has_no_packet_loss(run(hub, "vm1", "ping -c 2 10.5.0.4"))
    rows = hub.wait(hub.call("POST", "networkInterfaces/nic1/effectiveRouteTable")).body["value"]
    routes = {row["addressPrefix"][0]: row["nextHopType"] for row in rows}
    assert routes["10.5.0.0/16"] == "VirtualNetworkGateway"
    private_peering(hub, "c1", "Disabled")
    hub.clock.sleep(60)
    assert not has_no_packet_loss(run(hub, "vm1", "ping -c 2 -W 1 10.5.0.4"))


def second_circuit(arm: Arm, location: str) -> None:
    circuit(arm, "c2", location, "10.5.0.0/16")
    arm.put("connections/to-c2", connection(arm, "c2"))
    arm.clock.sleep(60)


def test_a_site_failover_test_takes_one_of_two_locations_down_until_it_is_stopped(
    hub: Arm,
) -> None:
    second_circuit(hub, "Dublin")
    assert len(peers(hub)) == 4
    second = heard("10.5.0.0/16", edges=("10.2.0.6", "10.2.0.7"))
    assert read_learned_routes(hub) == OWN | heard("10.4.0.0/16", "10.5.0.0/16") | second

    act(hub, "startSiteFailoverTest?peeringLocation=Amsterdam")
    hub.clock.sleep(60)
    assert read_learned_routes(hub) == OWN | second
    assert [row[2] for row in peers(hub)] == ["Connecting"] * 2 + ["Connected"] * 2
    (details,) = act(hub, "getFailoverAllTestsDetails?type=SingleSiteFailover&fetchLatest=true")
    assert (details["status"], details["peeringLocation"]) == ("Running", "Amsterdam")
    assert [row["name"] for row in details["connections"]] == ["to-c2"]
    again = hub.call("POST", f"{GATEWAY}/startSiteFailoverTest?peeringLocation=Dublin")
    assert again.status == 400

    body = {"peeringLocation": "Amsterdam", "wasSimulationSuccessful": True}
    act(hub, "stopSiteFailoverTest", {"stopParameters": body})
    hub.clock.sleep(60)
    assert read_learned_routes(hub) == OWN | heard("10.4.0.0/16", "10.5.0.0/16") | second
    (details,) = act(hub, "getFailoverAllTestsDetails?type=All&fetchLatest=true")
    assert details["status"] == "Completed"


@pytest.mark.parametrize("location", ["Amsterdam", "Nowhere", ""])
def test_a_single_site_has_no_failover_test(hub: Arm, location: str) -> None:
    reply = hub.call("POST", f"{GATEWAY}/startSiteFailoverTest?peeringLocation={location}")
    assert reply.status == 400
    assert len(peers(hub)) == 2


@pytest.mark.parametrize("sku", ["ErGw2AZ", "ErGw3AZ", "ErGwScale"])
def test_a_gateway_takes_each_zone_redundant_sku(arm: Arm, sku: str) -> None:
    arm.vnet("hub", "10.2.0.0/16", GatewaySubnet="10.2.0.0/27")
    assert gateway(arm, sku)["properties"]["sku"]["name"] == sku


def test_both_kinds_of_gateway_need_a_larger_subnet(arm: Arm) -> None:
    arm.vnet("hub", "10.2.0.0/16", GatewaySubnet="10.2.0.0/28")
    gateway(arm)
    arm.public_ip("g-ip")
    refused = arm.expect_refusal("virtualNetworkGateways/g", arm.gateway_properties("g", "hub"))
    assert "too small" in refused.message


def test_an_expressroute_gateway_fits_into_no_29(arm: Arm) -> None:
    arm.vnet("hub", "10.2.0.0/16", GatewaySubnet="10.2.0.0/29")
    with pytest.raises(AssertionError, match="status=400"):
        gateway(arm)


@pytest.mark.parametrize(
    "more",
    [{"peer": None}, {"peer": {"id": "/subscriptions/x"}}, {"virtualNetworkGateway1": None}],
)
def test_a_connection_without_its_circuit_or_gateway_is_refused(hub: Arm, more: Any) -> None:
    assert hub.expect_refusal("connections/other", connection(hub, "c1", **more)).status == 400


def test_a_second_connection_to_one_circuit_is_refused(hub: Arm) -> None:
    reply = hub.expect_refusal("connections/other", connection(hub, "c1"))
    assert "connected to circuit" in reply.message


def test_an_expressroute_gateway_takes_its_circuits_routes_before_the_vpn_gateways(
    hub: Arm,
) -> None:
    from tests.support.lab_story import machine

    hub.gateway("g", "hub")
    far = {
        "gatewayIpAddress": "20.1.1.1",
        "localNetworkAddressSpace": {"addressPrefixes": ["10.5.0.0/16", "10.6.0.0/16"]},
    }
    hub.put("localNetworkGateways/l", far)
    ipsec = {
        "connectionType": "IPsec",
        "sharedKey": "key",
        "virtualNetworkGateway1": {"id": hub.id("virtualNetworkGateways/g")},
        "localNetworkGateway2": {"id": hub.id("localNetworkGateways/l")},
    }
    hub.put("connections/c", ipsec)
    machine(hub, "vm1", ("nic1", "spoke/subnets/apps", "10.1.0.4", False))
    rows = hub.wait(hub.call("POST", "networkInterfaces/nic1/effectiveRouteTable")).body["value"]
    hops = {row["addressPrefix"][0]: row["nextHopIpAddress"] for row in rows}
    assert hops["10.5.0.0/16"] == ["10.2.0.12"]
    assert hops["10.6.0.0/16"] != ["10.2.0.12"]
