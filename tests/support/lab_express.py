"""ExpressRoute gateways and circuits of the lab, connected, and what is asked of them."""

from __future__ import annotations

from typing import Any

from tests.support.arm_client import Arm

GATEWAY = "virtualNetworkGateways/er"


def circuit(arm: Arm, name: str, location: str, *prefixes: str) -> None:
    provider = {
        "serviceProviderName": "Equinix",
        "peeringLocation": location,
        "bandwidthInMbps": 50,
    }
    sku = {"name": "Standard_MeteredData", "tier": "Standard", "family": "MeteredData"}
    tags = {"lab:on-premises": ", ".join(prefixes)}
    properties = {"serviceProviderProperties": provider}
    arm.put(f"expressRouteCircuits/{name}", properties, sku=sku, tags=tags)
    private_peering(arm, name)


def private_peering(arm: Arm, name: str, state: str = "Enabled") -> None:
    properties = {
        "peeringType": "AzurePrivatePeering",
        "peerASN": 65020,
        "primaryPeerAddressPrefix": "192.168.1.0/30",
        "secondaryPeerAddressPrefix": "192.168.2.0/30",
        "vlanId": 100,
        "state": state,
    }
    arm.put(f"expressRouteCircuits/{name}/peerings/AzurePrivatePeering", properties)


def gateway(arm: Arm, sku: str = "ErGw1AZ") -> Any:
    inner = {"subnet": {"id": arm.id("virtualNetworks/hub/subnets/GatewaySubnet")}}
    return arm.put(
        GATEWAY,
        {
            "gatewayType": "ExpressRoute",
            "sku": {"name": sku, "tier": sku},
            "ipConfigurations": [{"name": "default", "properties": inner}],
        },
    )


def connection(arm: Arm, name: str, **more: Any) -> dict[str, Any]:
    return {
        "connectionType": "ExpressRoute",
        "virtualNetworkGateway1": {"id": arm.id(GATEWAY)},
        "peer": {"id": arm.id(f"expressRouteCircuits/{name}")},
        **more,
    }


def hub_on_a_circuit(arm: Arm) -> Arm:
    """Make a hub with an ExpressRoute gateway on a circuit, and a spoke that uses it."""
    arm.vnet("hub", "10.2.0.0/16", GatewaySubnet="10.2.0.0/27")
    arm.vnet("spoke", "10.1.0.0/16", apps="10.1.0.0/24")
    circuit(arm, "c1", "Amsterdam", "10.4.0.0/16", "10.5.0.0/16")
    gateway(arm)
    arm.put("connections/to-c1", connection(arm, "c1"))
    arm.peering("hub", "spoke", transit=True)
    arm.peering("spoke", "hub", remote=True)
    arm.clock.sleep(60)
    return arm


def act(arm: Arm, action: str, body: Any = None) -> Any:
    reply = arm.wait(arm.call("POST", f"{GATEWAY}/{action}", body))
    assert reply.status == 200, reply
    return reply.body


def peers(arm: Arm) -> list[tuple[Any, ...]]:
    rows = act(arm, "getBgpPeerStatus")["value"]
    return [(row["neighbor"], row["asn"], row["state"], row["routesReceived"]) for row in rows]


def read_learned_routes(arm: Arm) -> set[tuple[Any, ...]]:
    rows = act(arm, "getLearnedRoutes")["value"]
    names = ("network", "nextHop", "sourcePeer", "origin", "asPath", "weight")
    return {tuple(row.get(name) for name in names) for row in rows}


def heard(*prefixes: str, edges: tuple[str, ...] = ("10.2.0.4", "10.2.0.5")) -> set[Any]:
    return {
        (prefix, edge, edge, "EBgp", "12076-65020", 32769) for prefix in prefixes for edge in edges
    }
