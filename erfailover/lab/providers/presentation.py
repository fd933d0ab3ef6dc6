"""Answers to a GET: a resource with its children and its users.

Owns the putting together of answers; it never changes a resource. Back references
(``ipConfigurations`` of a subnet, ``virtualMachine`` of an interface) are worked out from the
index of references and stored nowhere.
"""

from __future__ import annotations

from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.provider import Tunnels, View
from erfailover.lab.providers.registry import PROVIDERS


def present_resource(
    context: RuleContext, tunnels: Tunnels, resource: Resource, *, read: bool = True
) -> Body:
    """Return the answer that shows a resource.

    ``read`` is False for the answer to a write, which leaves out what only a GET shows.
    """
    body = dict(resource.body)
    properties = dict(resource.properties)
    provider = PROVIDERS[resource.id.type]
    for child_type in PROVIDERS.get_children(provider.type):
        children = context.world.list_children(resource.id, child_type.collection)
        properties[child_type.collection] = [
            present_resource(context, tunnels, child) for child in children
        ]
    properties |= provider.present(View(context, tunnels, read), resource)
    body["properties"] = properties
    return body
