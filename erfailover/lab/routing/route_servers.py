"""What a Route Server learns from its peers, and the routes that it brings into VNets.

Reads the resources as they are active; what an appliance has told is the tag ``lab:learned`` of its
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


def learned(world: World, connection: Resource) -> Body:
    """The answer to ``learnedRoutes``: the rows of both instances (observed form)."""
    hub = world.get(connection.id.parent) if connection.id.parent else None
    peer = str(connection.properties.get("peerIp"))
    answer: Body = {"RouteServiceRole_IN_0": [], "RouteServiceRole_IN_1": []}
    for number, local in enumerate(instance_addresses(world, hub) if hub else ()):
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
            for prefix in (_told(hub, connection.id.name) if hub else ())
        ]
    return answer


def routes_in(world: World, vnet: str) -> Iterator[tuple[str, str]]:
    """Prefix and next hop of what the Route Server in a VNet, by key, has been told."""
    if world.get(f"{vnet}/subnets/{SUBNET}") is None:
        return  # nearly always, and cheap to see
    for configuration in world.of_type(rt.HUB_CONFIGURATION):
        if configuration.active is None or configuration.id.parent is None:
            continue
        if not ids.key(configuration.active_properties["subnet"]["id"]).startswith(f"{vnet}/"):
            continue
        hub = world.get(configuration.id.parent)
        for each in world.children(configuration.id.parent, "bgpConnections"):
            if each.active is None or hub is None:
                continue
            for prefix in _told(hub, each.id.name):
                yield prefix, str(each.active_properties.get("peerIp"))


def instance_addresses(world: World, hub: Resource) -> tuple[str, ...]:
    """The two addresses of a Route Server: the first free ones of its subnet (assumed)."""
    for each in world.children(hub.id, "ipConfigurations"):
        subnet = world.get(each.properties["subnet"]["id"])
        prefix = addresses.network(subnet.properties.get("addressPrefix")) if subnet else None
        if prefix is not None and each.active is not None:
            return str(prefix[4]), str(prefix[5])
    return ()


def _told(hub: Resource, connection: str) -> tuple[str, ...]:
    text = str((hub.body.get("tags") or {}).get(LEARNED_TAG) or "")
    for part in text.split():
        name, _, told = part.partition("=")
        if name.lower() == connection.lower():
            return addresses.networks(told.split(","))
    return ()
