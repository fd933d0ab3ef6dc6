"""What a GET answers: a resource with its children, and with who refers to it.

Owns the putting together of answers; it never changes a resource. Back references
(``ipConfigurations`` of a subnet, ``virtualMachine`` of an interface) are worked out from the
index of references and stored nowhere.
"""

from __future__ import annotations

from typing import Protocol

from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.scene import Scene
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.network import peering, route_server
from erfailover.lab.providers.network.security_group import default_rules


class Tunnels(Protocol):
    """Who knows whether a connection's tunnel is up."""

    def connection_status(self, connection: Resource) -> str:
        """Connected, NotConnected, Connecting or Unknown."""


def shown(scene: Scene, tunnels: Tunnels, resource: Resource, *, read: bool = True) -> Body:
    """The answer that shows a resource.

    ``read`` is False for the answer to a write, which leaves out what only a GET shows.
    """
    body = dict(resource.body)
    properties = dict(resource.properties)
    for child_type in rt.children(resource.id.type):
        children = scene.world.children(resource.id, child_type.collection)
        properties[child_type.collection] = [shown(scene, tunnels, each) for each in children]
    properties |= _added(scene, tunnels, resource, read)
    body["properties"] = properties
    return body


def _added(scene: Scene, tunnels: Tunnels, resource: Resource, read: bool) -> Body:
    match resource.id.type:
        case rt.SUBNET:
            return _ids(scene, resource, "ipConfigurations", "ipConfigurations.subnet")
        case rt.PEERING:
            return peering.shown(scene, resource)
        case rt.PUBLIC_IP:
            users = scene.references.users(resource.id)
            return {"ipConfiguration": {"id": users[0].via}} if users else {}
        case rt.NIC:
            users = scene.references.users(resource.id, "networkProfile.networkInterfaces")
            return {"virtualMachine": {"id": users[0].source}} if users else {}
        case rt.ROUTE_TABLE:
            return _ids(scene, resource, "subnets", "routeTable")
        case rt.SECURITY_GROUP:
            return {
                "defaultSecurityRules": default_rules(resource),
                **_ids(scene, resource, "subnets", "networkSecurityGroup", rt.SUBNET),
                **_ids(scene, resource, "networkInterfaces", "networkSecurityGroup", rt.NIC),
            }
        case rt.VIRTUAL_HUB:
            return route_server.shown(scene, resource)
        case rt.CONNECTION:
            added: Body = {}
            if "sharedKey" in resource.hidden:
                added["sharedKey"] = resource.hidden["sharedKey"]  # recorded: Azure shows it
            if read and resource.active is not None:
                added["connectionStatus"] = tunnels.connection_status(resource)
            return added
        case _:
            return {}


def _ids(scene: Scene, resource: Resource, name: str, path: str, type_: str = "") -> Body:
    found = [
        {"id": each.via}
        for each in scene.references.users(resource.id, path)
        if not type_ or f"/{type_.rsplit('/', 1)[1]}/" in each.source
    ]
    return {name: found} if found else {}
