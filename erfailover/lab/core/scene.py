"""What the rules may look at: the world, who refers to whom, what is under way.

Owns the questions that several rules ask; it never changes anything.
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
class Scene:
    """What the rules look at. ``today`` is the date whose rules are in force."""

    world: World
    references: References
    operations: Operations
    unknown: UnknownCodes
    today: dt.date

    def peerings(self, vnet: ids.ResourceId) -> list[Resource]:
        """The peerings that a VNet owns."""
        return self.world.children(vnet, "virtualNetworkPeerings")

    def opposite(self, vnet: ids.ResourceId, remote: str) -> Resource | None:
        """The peering from the remote VNet back to a VNet."""
        found = self.references.between(remote, vnet)
        return self.world.get(found) if found is not None else None

    def gateways(self, vnet: str | ids.ResourceId) -> list[Resource]:
        """The virtual network gateways in a VNet, whatever their state."""
        subnet = f"{ids.key(vnet)}/subnets/gatewaysubnet"
        sources = {each.source for each in self.references.users(subnet, "ipConfigurations.subnet")}
        found = (self.world.get(each) for each in sorted(sources))
        return [each for each in found if each is not None and each.id.type == rt.GATEWAY]

    def addresses_beside(self, vnet: str, gateway: ids.ResourceId) -> frozenset[str] | None:
        """The BGP addresses of the other gateway in a gateway's VNet; None without one."""
        for each in self.gateways(vnet):
            if ids.key(each.id) != ids.key(gateway):
                settings = each.properties.get("bgpSettings") or {}
                return frozenset(str(settings.get("bgpPeeringAddress") or "").split(","))
        return None

    def connections(self, gateway: ids.ResourceId) -> list[Resource]:
        """The connections of a gateway."""
        paths = ("virtualNetworkGateway1", "virtualNetworkGateway2")
        users = (each for path in paths for each in self.references.users(gateway, path))
        found = (self.world.get(each.source) for each in users)
        return [each for each in found if each is not None]


def address_prefixes(vnet: Resource) -> list[str]:
    """The address space of a VNet as of its last successful write, or as first accepted."""
    properties = vnet.active_properties or vnet.properties
    space = properties.get("addressSpace") or {}
    return list(space.get("addressPrefixes") or ())


def remote_of(peering: Resource) -> str:
    """The id of the VNet at the other end of a peering."""
    return str((peering.properties.get("remoteVirtualNetwork") or {}).get("id", ""))
