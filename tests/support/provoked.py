"""Each hazard, provoked in the lab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.arm_client import Arm
from tests.support.stage import Stage

NAT_ROUTE = {
    "name": "to-8.8.4.4-32",
    "properties": {
        "addressPrefix": "8.8.4.4/32",
        "nextHopType": "VirtualAppliance",
        "nextHopIpAddress": "10.2.2.4",
    },
}
TABLE = "routeTables/vnet1-sub1-routes"


def arm_of(stage: Stage) -> Arm:
    """Somebody else who writes to the same resource group."""
    endpoint = stage.environment["ERFAILOVER_ENDPOINT"]
    return Arm(
        stage.lab, stage.clock, endpoint, stage.environment["REQUESTS_CA_BUNDLE"], group="rg-we"
    )


def route(prefix: str, type_: str = "VirtualAppliance", hop: str | None = None) -> Any:
    by_name = {"addressPrefix": prefix, "nextHopType": type_}
    return by_name | ({"nextHopIpAddress": hop} if hop else {})


def appliance(arm: Arm, stage: Stage) -> None:
    arm.put(f"{TABLE}/routes/office", route("10.5.0.0/16", hop="10.2.2.4"))


def propagation(arm: Arm, stage: Stage) -> None:
    arm.put(TABLE, {"disableBgpRoutePropagation": True, "routes": [NAT_ROUTE]})


def next_hop(arm: Arm, stage: Stage) -> None:
    arm.put(f"{TABLE}/routes/office", route("10.5.0.0/16", "VirtualNetworkGateway"))
    # What a GET shows; the stand-in goes on routing as the VPN gateway that it is.
    gateway = stage.resource("Microsoft.Network/virtualNetworkGateways", "vng1")
    gateway.body["properties"]["gatewayType"] = "ExpressRoute"


def gateway_subnet(arm: Arm, stage: Stage) -> None:
    rows = [{"name": "in", "properties": route("10.1.0.0/16", hop="10.3.2.4")}]
    arm.put("routeTables/inward", {"routes": rows})
    prefix = arm.get("virtualNetworks/vnet3/subnets/GatewaySubnet")["properties"]["addressPrefix"]
    table = {"id": arm.id("routeTables/inward")}
    path = "virtualNetworks/vnet3/subnets/GatewaySubnet"
    arm.put(path, {"addressPrefix": prefix, "routeTable": table})


def route_server(arm: Arm, stage: Stage) -> None:
    path = "virtualNetworks/vnet2/subnets/RouteServerSubnet"
    arm.put(path, {"addressPrefix": "10.2.9.0/27"})
    arm.public_ip("rs1-ip")
    tags = {"lab:learned": "nva1=192.168.50.0/24"}
    arm.put("virtualHubs/rs1", {"sku": "Standard"}, tags=tags)
    parts = {
        "subnet": {"id": arm.id(path)},
        "publicIPAddress": {"id": arm.id("publicIPAddresses/rs1-ip")},
    }
    arm.put("virtualHubs/rs1/ipConfigurations/one", parts)
    arm.put("virtualHubs/rs1/bgpConnections/nva1", {"peerIp": "10.2.2.4", "peerAsn": 65099})


def static_prefix(arm: Arm, stage: Stage) -> None:
    value = arm.get("localNetworkGateways/lng1")["properties"]
    value["localNetworkAddressSpace"]["addressPrefixes"].append("10.1.4.0/24")
    arm.put("localNetworkGateways/lng1", value)


def network_manager(arm: Arm, stage: Stage) -> None:
    vnet = stage.resource("Microsoft.Network/virtualNetworks", "vnet2")
    vnet.body.setdefault("tags", {})["lab:network-manager"] = "Enforced"


PROVOKED: dict[str, tuple[Callable[[Arm, Stage], None], str]] = {
    "no_user_route_leads_to_the_hub_being_left": (
        appliance,
        "route office of vnet1-sub1-routes sends 10.5.0.0/16 through the appliance 10.2.2.4 in "
        "vnet2",
    ),
    "subnets_take_gateway_routes": (propagation, "has disableBgpRoutePropagation"),
    "no_user_route_names_the_virtual_network_gateway": (
        next_hop,
        "which an ExpressRoute gateway (vng1) does not support",
    ),
    "gateway_subnet_sends_nothing_astray": (
        gateway_subnet,
        "route table inward sends 10.1.0.0/16 to VirtualAppliance 10.3.2.4",
    ),
    "spokes_lose_no_route_of_a_route_server": (
        route_server,
        "vnet1 would lose 192.168.50.0/24, which Route Server rs1 in vnet2 has learned",
    ),
    "network_manager_enforces_no_peering": (
        network_manager,
        "Virtual Network Manager enforces the peerings of vnet2",
    ),
    "leaving_gateway_gives_up_the_spokes": (
        static_prefix,
        "because of local network gateway lng1",
    ),
}
