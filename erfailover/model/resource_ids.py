"""ARM resource ids and types: the one place that takes an id apart. Pure.

ARM compares ids without regard to letter case, in the names of segments such as
``resourceGroups`` too; so does everything here. What is returned keeps its letter case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SHORTEST = len(("", "subscriptions", "ID"))
"""The parts of the shortest id, a subscription's."""

NETWORK_PROVIDER = "Microsoft.Network"

SUBSCRIPTION = "Microsoft.Resources/subscriptions"
GROUP = "Microsoft.Resources/resourceGroups"
NETWORK = f"{NETWORK_PROVIDER}/virtualNetworks"
SUBNET = f"{NETWORK}/subnets"
PEERING = f"{NETWORK}/virtualNetworkPeerings"
ROUTE_TABLE = f"{NETWORK_PROVIDER}/routeTables"
ROUTE = f"{ROUTE_TABLE}/routes"
PUBLIC_IP = f"{NETWORK_PROVIDER}/publicIPAddresses"
SECURITY_GROUP = f"{NETWORK_PROVIDER}/networkSecurityGroups"
GATEWAY = f"{NETWORK_PROVIDER}/virtualNetworkGateways"
LOCAL_GATEWAY = f"{NETWORK_PROVIDER}/localNetworkGateways"
CONNECTION = f"{NETWORK_PROVIDER}/connections"
CIRCUIT = f"{NETWORK_PROVIDER}/expressRouteCircuits"
HUB = f"{NETWORK_PROVIDER}/virtualHubs"
"""Route Servers are virtual hubs without a virtual WAN (published, REST specification)."""
HUB_PEER = f"{HUB}/bgpConnections"
HUB_ADDRESS = f"{HUB}/ipConfigurations"
INTERFACE = f"{NETWORK_PROVIDER}/networkInterfaces"
FIREWALL = f"{NETWORK_PROVIDER}/azureFirewalls"
LOAD_BALANCER = f"{NETWORK_PROVIDER}/loadBalancers"
NETWORK_WATCHER = f"{NETWORK_PROVIDER}/networkWatchers"
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

_FORM = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)"
    r"(/resourceGroups/(?P<group>[^/]+)"
    r"(/providers/(?P<provider>[^/]+)/(?P<path>[^/]+/[^/]+(/(?!providers/)[^/]+/[^/]+)*))?)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ResourceId:
    """The parts of the id of a subscription, a resource group or a resource in one.

    Attributes:
        subscription: the subscription's id.
        type: the full type, ``Microsoft.Network/virtualNetworks/subnets``.
        names: the name of the resource group, then those down to the resource's own, as the
            SDK's calls take them; none for a subscription.
    """

    subscription: str
    type: str
    names: tuple[str, ...]

    @property
    def group(self) -> str:
        """The name of the resource group; empty for a subscription."""
        return self.names[0] if self.names else ""

    def is_a(self, type_: str) -> bool:
        """Return whether it is the id of a resource of a type."""
        return self.type.lower() == type_.lower()


def parse(resource_id: str) -> ResourceId:
    """Take an id apart.

    Raises:
        ValueError: the text is no id of a subscription, a resource group or a resource in one.
    """
    match = _FORM.fullmatch(resource_id)
    if match is None:
        raise ValueError(f"{resource_id!r} is not a resource id")
    subscription, group = match["subscription"], match["group"]
    if group is None:
        return ResourceId(subscription, SUBSCRIPTION, ())
    if match["path"] is None:
        return ResourceId(subscription, GROUP, (group,))
    parts = match["path"].split("/")
    type_ = "/".join((match["provider"], *parts[::2]))
    return ResourceId(subscription, type_, (group, *parts[1::2]))


_SEGMENTS = {
    part.lower(): part
    for type_ in (
        *(SUBSCRIPTION, GROUP, NETWORK, SUBNET, PEERING, ROUTE, PUBLIC_IP, SECURITY_GROUP),
        *(GATEWAY, LOCAL_GATEWAY, CONNECTION, CIRCUIT, HUB, HUB_PEER, HUB_ADDRESS, INTERFACE),
        *(
            FIREWALL,
            LOAD_BALANCER,
            MACHINE,
            "Microsoft.ClassicNetwork",
            "providers",
            "ipConfigurations",
        ),
    )
    for part in type_.split("/")
}


def canonicalize(resource_id: str) -> str:
    """Return an id with its segments spelled as ARM documents them; names stay as they are.

    Terraform and Bicep compare ids by letter case, and Azure returns what was once sent. A text
    that is no id is returned unchanged.
    """
    parts = resource_id.rstrip("/").split("/")
    if parts[:1] != [""] or len(parts) < SHORTEST:
        return resource_id
    at = 1
    while at < len(parts):
        segment = parts[at].lower()
        parts[at] = _SEGMENTS.get(segment, parts[at])
        if segment == "providers" and at + 1 < len(parts):
            parts[at + 1] = _SEGMENTS.get(parts[at + 1].lower(), parts[at + 1])
        at += 2
    return "/".join(parts)


def is_network(resource_id: str) -> bool:
    """Return whether an id is one of a VNet of Azure Resource Manager: no classic one."""
    try:
        return parse(resource_id).is_a(NETWORK)
    except ValueError:
        return False


def is_resource_id(text: str) -> bool:
    """Return whether a text is an id of a subscription, a resource group or a resource in one."""
    return _FORM.fullmatch(text) is not None and text.isprintable()


def get_subscription(resource_id: str) -> str:
    """Return the subscription in an id, or in a longer path below one.

    Raises:
        ValueError: there is none.
    """
    _, segment, subscription, *_ = (*resource_id.split("/", 3), "", "")
    if segment.lower() != "subscriptions" or not subscription:
        raise ValueError(f"{resource_id!r} has no subscription")
    return subscription


def get_group_id(resource_id: str) -> str:
    """Return the id of the resource group that holds a resource."""
    return "/".join(resource_id.split("/")[:5])


def get_network_id(peering_id: str) -> str:
    """Return the id of the VNet that owns a peering."""
    return re.split("/virtualNetworkPeerings/", peering_id, flags=re.IGNORECASE)[0]


def get_resource_id(child_id: str) -> str:
    """Return the id of the resource, right below its provider, that a child belongs to."""
    return "/".join(child_id.split("/")[:9])


def build_child_id(parent_id: str, type_: str, name: str) -> str:
    """Return the id of a child of a resource, by the child's type and name."""
    return f"{parent_id}/{get_last_name(type_)}/{name}"


def get_last_name(resource_id: str) -> str:
    """Return the name at the end of a resource id; of a mere name, the name."""
    return resource_id.rsplit("/", 1)[-1]


def get_full_name(resource_id: str, type_: str) -> str:
    """Return the name of a resource; of a peering with its VNet, ``vnet1/vnet1-to-vnet2``."""
    parts = resource_id.split("/")
    return f"{parts[-3]}/{parts[-1]}" if type_ == PEERING else parts[-1]
