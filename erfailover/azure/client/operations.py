"""Which client serves which resource type."""

from __future__ import annotations

from typing import Any

from erfailover.azure.client import answers
from erfailover.azure.client.clients import Clients
from erfailover.model import resource_ids as ids


def shorten_id(resource_id: str) -> str:
    """Return a resource id without the provider, for messages: ``rg-we/virtualNetworks/vnet1``."""
    parts = resource_id.strip("/").split("/")
    return "/".join(parts[3:4] + parts[6:])


def parse_raw(response: Any, _model: Any, _headers: Any) -> dict[str, Any]:
    """Return an answer as it was sent, fields that the SDK does not know included.

    Raises:
        ValueError: it is no JSON object.
    """
    return answers.parse_object(response.http_response)


def parse_raw_resource(response: Any, _model: Any, _headers: Any) -> dict[str, Any]:
    """Return a resource as it was sent.

    Raises:
        ValueError: it is none.
    """
    return answers.parse_resource(response.http_response)


CLIENTS = {
    ids.NETWORK: "virtual_networks",
    ids.SUBNET: "subnets",
    ids.PEERING: "virtual_network_peerings",
    ids.PUBLIC_IP: "public_ip_addresses",
    ids.INTERFACE: "network_interfaces",
    ids.FIREWALL: "azure_firewalls",
    ids.LOAD_BALANCER: "load_balancers",
    ids.SECURITY_GROUP: "network_security_groups",
    ids.ROUTE_TABLE: "route_tables",
    ids.ROUTE: "routes",
    ids.GATEWAY: "virtual_network_gateways",
    ids.LOCAL_GATEWAY: "local_network_gateways",
    ids.CONNECTION: "virtual_network_gateway_connections",
    ids.CIRCUIT: "express_route_circuits",
    ids.HUB: "virtual_hubs",
    ids.HUB_PEER: "virtual_hub_bgp_connections",
    ids.HUB_ADDRESS: "virtual_hub_ip_configuration",
    ids.NETWORK_WATCHER: "network_watchers",
    ids.MACHINE: "virtual_machines",
    ids.GROUP: "resource_groups",
}
"""The SDK's group of operations for each type."""

_CLIENTS = {type_.lower(): name for type_, name in CLIENTS.items()}


def get_client_name(type_: str) -> str:
    """Return the SDK's name of the operations for a resource type.

    Raises:
        ValueError: a type that erfailover has no business with.
    """
    actual = _CLIENTS.get(type_.lower())
    if actual is None:
        raise ValueError(f"no client for resources of type {type_}")
    return actual


def get_operations(clients: Clients, type_: str) -> Any:
    """Return the SDK's group of operations for a resource type.

    Raises:
        ValueError: a type that erfailover has no business with.
    """
    name = get_client_name(type_)
    owners = {"virtual_machines": "compute", "resource_groups": "resource"}
    return getattr(getattr(clients, owners.get(name, "network")), name)
