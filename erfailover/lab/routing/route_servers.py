"""Routes that a Route Server learns from its peers and adds to VNets.

Reads the active resources; the routes of an appliance are in the tag ``lab:learned`` of its
virtual hub.
"""

from __future__ import annotations

from collections.abc import Iterator

from erfailover.lab.core import addresses, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.world import Body, Resource, World

SUBNET = "routeserversubnet"

LEARNED_TAG = "lab:learned"
WEIGHT = 32768


def list_learned(world: World, connection: Resource) -> Body:
    """Return the answer to ``learnedRoutes``: the rows of both instances (observed form)."""
    hub = world.get(connection.id.parent) if connection.id.parent else None
    peer = str(connection.properties.get("peerIp"))
    answer: Body = {"RouteServiceRole_IN_0": [], "RouteServiceRole_IN_1": []}
    for number, local in enumerate(pick_instance_addresses(world, hub) if hub else ()):
        answer[f"RouteServiceRole_IN_{number}"] = [
            {
                "localAddress": local,
                "network": prefix,
                "nextHop": peer,
                "sourcePeer": peer,
                "origin": "EBgp",
                "asPath": str(connection.properties.get("peerAsn")),
                "weight": WEIGHT,
            }
            for prefix in (_read_learned(hub, connection.id.name) if hub else ())
        ]
    return answer


def list_routes(world: World, vnet: str) -> Iterator[tuple[str, str]]:
    """Yield prefix and next hop of the routes that a VNet's Route Server has learned."""
    if world.get(f"{vnet}/subnets/{SUBNET}") is None:
        return  # nearly always, and cheap to see
    for configuration in world.iter_by_type(rt.HUB_CONFIGURATION):
        if configuration.active is None or configuration.id.parent is None:
            continue
        if not ids.to_key(configuration.active_properties["subnet"]["id"]).startswith(f"{vnet}/"):
            continue
        hub = world.get(configuration.id.parent)
        for child in world.list_children(configuration.id.parent, "bgpConnections"):
            if child.active is None or hub is None:
                continue
            for prefix in _read_learned(hub, child.id.name):
                yield prefix, str(child.active_properties.get("peerIp"))


def pick_instance_addresses(world: World, hub: Resource) -> tuple[str, ...]:
    """Return a Route Server's two addresses: the first free ones of its subnet (assumed)."""
    for child in world.list_children(hub.id, "ipConfigurations"):
        subnet = world.get(child.properties["subnet"]["id"])
        prefix = addresses.parse_network(subnet.properties.get("addressPrefix")) if subnet else None
        if prefix is not None and child.active is not None:
            return str(prefix[4]), str(prefix[5])
    return ()


def _read_learned(hub: Resource, connection: str) -> tuple[str, ...]:
    text = str((hub.body.get("tags") or {}).get(LEARNED_TAG) or "")
    for part in text.split():
        name, _, routes = part.partition("=")
        if name.lower() == connection.lower():
            return addresses.parse_ipv4_networks(routes.split(","))
    return ()
