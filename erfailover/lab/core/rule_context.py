"""What rules may read: the world, references and operations.

Owns the queries that several rules share; it never changes anything.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from erfailover.lab.core import ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import UnknownCodes
from erfailover.lab.core.operations import Operations
from erfailover.lab.core.references import References
from erfailover.lab.core.world import Resource, World


@dataclass(frozen=True, slots=True)
class RuleContext:
    """What rules may read. ``today`` is the date whose rules apply."""

    world: World
    references: References
    operations: Operations
    unknown: UnknownCodes
    today: dt.date

    def list_peerings(self, vnet: ids.ResourceId) -> list[Resource]:
        """Return the peerings that a VNet owns."""
        return self.world.list_children(vnet, "virtualNetworkPeerings")

    def find_opposite(self, vnet: ids.ResourceId, remote: str) -> Resource | None:
        """Return the peering from the remote VNet back to a VNet."""
        key = self.references.find_child(remote, vnet)
        return self.world.get(key) if key is not None else None

    def list_gateways(self, vnet: str | ids.ResourceId) -> list[Resource]:
        """Return the virtual network gateways in a VNet, in any state."""
        subnet = f"{ids.to_key(vnet)}/subnets/gatewaysubnet"
        sources = {
            reference.source
            for reference in self.references.find_users(subnet, "ipConfigurations.subnet")
        }
        resources = (self.world.get(source) for source in sorted(sources))
        return [
            resource
            for resource in resources
            if resource is not None and resource.id.type == rt.GATEWAY
        ]

    def list_addresses_beside(self, vnet: str, gateway: ids.ResourceId) -> frozenset[str] | None:
        """Return the BGP addresses of the other gateway in a VNet; None if there is none."""
        for neighbor in self.list_gateways(vnet):
            if ids.to_key(neighbor.id) != ids.to_key(gateway):
                settings = neighbor.properties.get("bgpSettings") or {}
                return frozenset(str(settings.get("bgpPeeringAddress") or "").split(","))
        return None

    def list_connections(self, gateway: ids.ResourceId) -> list[Resource]:
        """Return the connections of a gateway."""
        paths = ("virtualNetworkGateway1", "virtualNetworkGateway2")
        users = (
            reference for path in paths for reference in self.references.find_users(gateway, path)
        )
        resources = (self.world.get(reference.source) for reference in users)
        return [resource for resource in resources if resource is not None]


def get_address_prefixes(vnet: Resource) -> list[str]:
    """Return the address space of a VNet as of its last successful write, or as first accepted."""
    properties = vnet.active_properties or vnet.properties
    space = properties.get("addressSpace") or {}
    return list(space.get("addressPrefixes") or ())


def get_remote_id(peering: Resource) -> str:
    """Return the id of the VNet at the other end of a peering."""
    return str((peering.properties.get("remoteVirtualNetwork") or {}).get("id", ""))
