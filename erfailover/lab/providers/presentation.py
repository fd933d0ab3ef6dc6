"""What a GET answers: a resource with its children, and with who refers to it.

Owns the putting together of answers; it never changes a resource. Back references
(``ipConfigurations`` of a subnet, ``virtualMachine`` of an interface) are worked out from the
index of references and stored nowhere.
"""

from __future__ import annotations

from erfailover.lab.core.scene import Scene
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.provider import Tunnels, View
from erfailover.lab.providers.registry import PROVIDERS


def shown(scene: Scene, tunnels: Tunnels, resource: Resource, *, read: bool = True) -> Body:
    """The answer that shows a resource.

    ``read`` is False for the answer to a write, which leaves out what only a GET shows.
    """
    body = dict(resource.body)
    properties = dict(resource.properties)
    provider = PROVIDERS[resource.id.type]
    for child_type in PROVIDERS.children(provider.type):
        children = scene.world.children(resource.id, child_type.collection)
        properties[child_type.collection] = [shown(scene, tunnels, each) for each in children]
    properties |= provider.present(View(scene, tunnels, read), resource)
    body["properties"] = properties
    return body
