"""ARM resource types, and what is read from a resource id. Pure."""

from __future__ import annotations

import re

GROUP = "Microsoft.Resources/resourceGroups"
NETWORK = "Microsoft.Network/virtualNetworks"
PEERING = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"
ROUTE_TABLE = "Microsoft.Network/routeTables"
PUBLIC_IP = "Microsoft.Network/publicIPAddresses"
SECURITY_GROUP = "Microsoft.Network/networkSecurityGroups"
GATEWAY = "Microsoft.Network/virtualNetworkGateways"
LOCAL_GATEWAY = "Microsoft.Network/localNetworkGateways"
CONNECTION = "Microsoft.Network/connections"
INTERFACE = "Microsoft.Network/networkInterfaces"
MACHINE = "Microsoft.Compute/virtualMachines"

WORDS = {
    GROUP: "resource group",
    NETWORK: "VNet",
    PEERING: "peering",
    ROUTE_TABLE: "route table",
    PUBLIC_IP: "public IP",
    SECURITY_GROUP: "network security group",
    GATEWAY: "gateway",
    LOCAL_GATEWAY: "local network gateway",
    CONNECTION: "connection",
    INTERFACE: "network interface",
    MACHINE: "machine",
}
"""What people call each type."""

GATEWAY_SUBNET = "GatewaySubnet"
"""Azure puts gateways into the subnet of this name only."""

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""A subscription's id."""


def network_of(peering_id: str) -> str:
    """The id of the VNet that owns a peering."""
    return peering_id.rsplit("/virtualNetworkPeerings/", 1)[0]


def group_of(resource_id: str) -> str:
    """The id of the resource group that holds a resource."""
    return "/".join(resource_id.split("/")[:5])


def last_of(resource_id: str) -> str:
    """The name at the end of a resource id."""
    return resource_id.rsplit("/", 1)[-1]
