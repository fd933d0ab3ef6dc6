"""Route Servers, and what a GatewaySubnet's route table does."""

from __future__ import annotations

from typing import Any

import pytest

from erfailover.lab.routing.effective_routes import list_subnet_routes
from tests.support.arm_client import Arm
from tests.support.model import get_model

API_PATH = "virtualHubs/rs"


def add_route_server(arm: Arm, prefix: str = "10.2.9.0/27") -> None:
    arm.put("virtualNetworks/hub/subnets/RouteServerSubnet", {"addressPrefix": prefix})
    arm.public_ip("rs-ip")
    arm.put(API_PATH, {"sku": "Standard"}, tags={"lab:learned": "nva=192.168.50.0/24,10.9.0.0/16"})


def configuration(arm: Arm, subnet: str = "RouteServerSubnet") -> Any:
    return {
        "subnet": {"id": arm.id(f"virtualNetworks/hub/subnets/{subnet}")},
        "publicIPAddress": {"id": arm.id("publicIPAddresses/rs-ip")},
    }


def test_a_route_server_tells_what_its_peers_have_told_it(hub_and_spoke: Arm) -> None:
    arm = hub_and_spoke
    add_route_server(arm)
    arm.put(f"{API_PATH}/ipConfigurations/one", configuration(arm))
    arm.put(f"{API_PATH}/bgpConnections/nva", {"peerIp": "10.2.3.4", "peerAsn": 65010})
    hub = arm.get(API_PATH)
    assert hub["kind"] == "RouteServer"
    assert hub["properties"]["virtualRouterAsn"] == 65515
    assert hub["properties"]["virtualRouterIps"] == ["10.2.9.4", "10.2.9.5"]
    assert [reference["id"] for reference in hub["properties"]["bgpConnections"]] == [
        arm.id(f"{API_PATH}/bgpConnections/nva")
    ]
    routes = arm.wait(arm.call("POST", f"{API_PATH}/bgpConnections/nva/learnedRoutes")).body
    assert set(routes) == {"RouteServiceRole_IN_0", "RouteServiceRole_IN_1"}
    assert routes["RouteServiceRole_IN_1"][0] == {
        "localAddress": "10.2.9.5",
        "network": "192.168.50.0/24",
        "nextHop": "10.2.3.4",
        "sourcePeer": "10.2.3.4",
        "origin": "EBgp",
        "asPath": "65010",
        "weight": 32768,
    }
    again = arm.put(API_PATH, {**hub["properties"], "allowBranchToBranchTraffic": True})
    assert again["properties"]["bgpConnections"] == hub["properties"]["bgpConnections"]
    arm.delete(API_PATH)
    arm.delete("virtualNetworks/hub/subnets/RouteServerSubnet")


@pytest.mark.parametrize(
    ("path", "properties"),
    [
        (API_PATH, {"sku": "Basic"}),
        (f"{API_PATH}/ipConfigurations/one", {}),
        (f"{API_PATH}/ipConfigurations/one", "GatewaySubnet"),
        (f"{API_PATH}/bgpConnections/nva", {"peerIp": "10.2.3.4", "peerAsn": 65515}),
        (f"{API_PATH}/bgpConnections/nva", {"peerIp": "10.2.3.4", "peerAsn": 65010}),
        (f"{API_PATH}/bgpConnections/nva", {"peerIp": "nobody", "peerAsn": 65010}),
    ],
)
def test_what_a_route_server_cannot_be_is_refused(
    hub_and_spoke: Arm, path: str, properties: Any
) -> None:
    arm = hub_and_spoke
    add_route_server(arm)
    if isinstance(properties, str):
        properties = configuration(arm, properties)
    assert arm.expect_refusal(path, properties).status == 400


def test_a_virtual_wans_hub_is_not_modelled(hub_and_spoke: Arm) -> None:
    reply = hub_and_spoke.expect_refusal("virtualHubs/wan", {"addressPrefix": "10.99.0.0/24"})
    assert reply.status == 501


def test_the_routes_of_a_route_server_reach_those_that_use_it(hub_and_spoke: Arm) -> None:
    arm = hub_and_spoke
    add_route_server(arm)
    arm.put(f"{API_PATH}/ipConfigurations/one", configuration(arm))
    arm.put(f"{API_PATH}/bgpConnections/nva", {"peerIp": "10.2.3.4", "peerAsn": 65010})
    subnet = arm.id("virtualNetworks/spoke/subnets/apps").lower()

    def heard() -> set[tuple[str, str]]:
        return {
            (route.prefix, route.next_hop)
            for route in list_subnet_routes(get_model(arm.lab).bgp, subnet)
            if route.source == "VirtualNetworkGateway"
        }

    arm.peering("hub", "spoke", transit=True)
    arm.peering("spoke", "hub")
    assert heard() == set()
    arm.peering("spoke", "hub", remote=True)
    assert heard() == {("192.168.50.0/24", "10.2.3.4"), ("10.9.0.0/16", "10.2.3.4")}


def test_a_gateway_is_not_made_in_a_subnet_with_a_default_route(arm: Arm) -> None:
    arm.vnet("hub", "10.2.0.0/16", GatewaySubnet="10.2.0.0/24")
    properties = {"addressPrefix": "0.0.0.0/0", "nextHopType": "Internet"}
    arm.put("routeTables/away", {"routes": [{"name": "all", "properties": properties}]})
    table = {"id": arm.id("routeTables/away")}
    subnet = "virtualNetworks/hub/subnets/GatewaySubnet"
    arm.put(subnet, {"addressPrefix": "10.2.0.0/24", "routeTable": table})
    arm.public_ip("g1-ip")
    reply = arm.expect_refusal("virtualNetworkGateways/g1", arm.gateway_properties("g1", "hub"))
    assert reply.status == 400
    assert "0.0.0.0/0" in reply.message


def test_a_gateway_lists_its_connections(hub_and_spoke: Arm) -> None:
    arm = hub_and_spoke
    assert arm.get("virtualNetworkGateways/g1/connections") == {"value": []}
    arm.put(
        "localNetworkGateways/far",
        {
            "gatewayIpAddress": "203.0.113.7",
            "localNetworkAddressSpace": {"addressPrefixes": ["10.50.0.0/16"]},
        },
    )
    arm.put(
        "connections/c1",
        {
            "connectionType": "IPsec",
            "virtualNetworkGateway1": {"id": arm.id("virtualNetworkGateways/g1")},
            "localNetworkGateway2": {"id": arm.id("localNetworkGateways/far")},
            "sharedKey": "key",
        },
    )
    connections = arm.get("virtualNetworkGateways/g1/connections")["value"]
    assert [connection["name"] for connection in connections] == ["c1"]
    assert arm.get("virtualNetworkGateways/g2/connections") == {"value": []}
