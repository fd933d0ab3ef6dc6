"""Route tables: what a route may not say, what keeps a table."""

from __future__ import annotations

from erfailover.lab.core import addresses, errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.scene import Scene
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.network.security_group import SERVICE_TAG

NEXT_HOPS = frozenset(
    {"VirtualNetworkGateway", "VnetLocal", "Internet", "VirtualAppliance", "None"}
)


def route_refused(route_id: ids.ResourceId, body: Body) -> Refusal | None:
    """Why a user-defined route may not be written so."""
    properties = body["properties"]
    prefix = str(properties.get("addressPrefix"))
    if addresses.network(prefix) is None and not SERVICE_TAG.fullmatch(prefix):
        return errors.prefix_invalid(str(properties.get("addressPrefix")), str(route_id))
    hop = properties.get("nextHopType")
    if hop not in NEXT_HOPS:
        return errors.property_invalid("nextHopType", hop, ", ".join(sorted(NEXT_HOPS)))
    is_address = addresses.address(properties.get("nextHopIpAddress")) is not None
    if (hop == "VirtualAppliance") != is_address:
        return errors.property_invalid(
            "nextHopIpAddress",
            properties.get("nextHopIpAddress"),
            "an address is needed for VirtualAppliance, and for no other next hop type",
        )
    return None


def _table_in_use(scene: Scene, resource: Resource) -> Refusal | None:
    users = scene.references.users(resource.id)
    if not users:
        return None
    words = {
        rt.ROUTE_TABLE: ("InUseRouteTableCannotBeDeleted", "Route table"),
        rt.SECURITY_GROUP: ("InUseNetworkSecurityGroupCannotBeDeleted", "Network security group"),
    }
    code, noun = words[resource.id.type]
    return Refusal(
        400,
        code,
        f"{noun} {resource.id} is in use and cannot be deleted: it is used by {users[0].source}.",
        details=(),
    )
