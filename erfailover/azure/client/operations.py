"""Which client serves which resource type, and how an id is taken apart for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from erfailover.azure.client.clients import Clients
from erfailover.model.resource_ids import (
    CIRCUIT,
    CONNECTION,
    GATEWAY,
    GROUP,
    HUB,
    HUB_ADDRESS,
    HUB_PEER,
    INTERFACE,
    LOCAL_GATEWAY,
    MACHINE,
    NETWORK,
    PEERING,
    PUBLIC_IP,
    ROUTE_TABLE,
    SECURITY_GROUP,
    SUBNET,
    parse,
)

GROUP_TYPE = GROUP.lower()


@dataclass(frozen=True)
class Address:
    """A resource id, as the SDK's calls take it: the group, then the names."""

    subscription: str
    type: str
    """The full type in lower case."""
    names: tuple[str, ...]
    """Resource group first, the resource's own name last."""


def address(resource_id: str) -> Address:
    """Take a resource id apart.

    Raises:
        ValueError: the text is no id of a resource or resource group.
    """
    id_ = parse(f"/{resource_id.strip('/')}")
    if not id_.group:
        raise ValueError(f"{resource_id!r} is not a resource id")
    return Address(id_.subscription, id_.type.lower(), (id_.group, *id_.names))


def label(resource_id: str) -> str:
    """Return a resource id without the provider, for messages: ``rg-we/virtualNetworks/vnet1``."""
    parts = resource_id.strip("/").split("/")
    return "/".join(parts[3:4] + parts[6:])


def raw(response: Any, _model: Any, _headers: Any) -> Any:
    """Return an answer as it was sent, fields that the SDK does not know included."""
    answer = response.http_response
    return answer.json() if answer.text() else {}


def operations(clients: Clients, type_: str) -> Any:
    """The SDK's group of operations for a resource type.

    Raises:
        ValueError: a type that erfailover has no business with.
    """
    network = {
        NETWORK: "virtual_networks",
        SUBNET: "subnets",
        PEERING: "virtual_network_peerings",
        PUBLIC_IP: "public_ip_addresses",
        INTERFACE: "network_interfaces",
        SECURITY_GROUP: "network_security_groups",
        ROUTE_TABLE: "route_tables",
        GATEWAY: "virtual_network_gateways",
        LOCAL_GATEWAY: "local_network_gateways",
        CONNECTION: "virtual_network_gateway_connections",
        CIRCUIT: "express_route_circuits",
        HUB: "virtual_hubs",
        HUB_PEER: "virtual_hub_bgp_connections",
        HUB_ADDRESS: "virtual_hub_ip_configuration",
    }
    known = {each.lower(): name for each, name in network.items()}
    if type_.lower() in known:
        return getattr(clients.network, known[type_.lower()])
    if type_.lower() == MACHINE.lower():
        return clients.compute.virtual_machines
    if type_.lower() == GROUP_TYPE:
        return clients.resource.resource_groups
    raise ValueError(f"no client for resources of type {type_}")
