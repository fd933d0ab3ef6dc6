"""Which client serves which resource type, and how an id is taken apart for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from erfailover.azure.client.clients import Clients

GROUP_TYPE = "microsoft.resources/resourcegroups"


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
    parts = resource_id.strip("/").split("/")
    if len(parts) == 4 and parts[2].lower() == "resourcegroups":
        return Address(parts[1], GROUP_TYPE, (parts[3],))
    if len(parts) < 8 or len(parts) % 2 or parts[4].lower() != "providers":
        raise ValueError(f"{resource_id!r} is not a resource id")
    type_ = "/".join((parts[5], *parts[6::2])).lower()
    return Address(parts[1], type_, (parts[3], *parts[7::2]))


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
        "microsoft.network/virtualnetworks": "virtual_networks",
        "microsoft.network/virtualnetworks/subnets": "subnets",
        "microsoft.network/virtualnetworks/virtualnetworkpeerings": "virtual_network_peerings",
        "microsoft.network/publicipaddresses": "public_ip_addresses",
        "microsoft.network/networkinterfaces": "network_interfaces",
        "microsoft.network/networksecuritygroups": "network_security_groups",
        "microsoft.network/routetables": "route_tables",
        "microsoft.network/virtualnetworkgateways": "virtual_network_gateways",
        "microsoft.network/localnetworkgateways": "local_network_gateways",
        "microsoft.network/connections": "virtual_network_gateway_connections",
        "microsoft.network/expressroutecircuits": "express_route_circuits",
        "microsoft.network/virtualhubs": "virtual_hubs",
        "microsoft.network/virtualhubs/bgpconnections": "virtual_hub_bgp_connections",
        "microsoft.network/virtualhubs/ipconfigurations": "virtual_hub_ip_configuration",
    }
    if type_ in network:
        return getattr(clients.network, network[type_])
    if type_ == "microsoft.compute/virtualmachines":
        return clients.compute.virtual_machines
    if type_ == GROUP_TYPE:
        return clients.resource.resource_groups
    raise ValueError(f"no client for resources of type {type_}")
