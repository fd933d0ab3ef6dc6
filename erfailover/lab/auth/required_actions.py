"""The Azure RBAC action and scope that a request needs; pure.

Owns the names. Azure names an action ``{type}/{read|write|delete}``, and a POST
``{type}/{name}/action`` (published: resource provider operations; the effective configurations of a
Network Manager are a POST whose published action is a read). The tables of a circuit's peering are
``.../routeTablesSummary/read``, although a POST (published, 2024; in 2017 the list had
``/action``). Assumed: polling an operation,
and the endpoints around the resources (tenants, subscriptions, locations, providers, images) are
open to every client with a role anywhere; ARM's requirements there are unpublished.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from erfailover.lab.core import arm_url
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.arm_url import Target, TargetKind
from erfailover.lab.core.references import read_references
from erfailover.lab.core.world import Body

GROUP = "Microsoft.Resources/subscriptions/resourceGroups"
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class RequiredAction:
    """An action at a scope."""

    action: str
    scope: str


def find_required_action(method: str, target: Target) -> RequiredAction | None:
    """Return the action that a request needs; None if it is open to every client."""
    verb = _VERBS.get(method, "action")
    match target.kind:
        case TargetKind.ITEM if target.type:
            name = f"{target.type.type}/{verb}"
        case TargetKind.PART if (
            target.name == "listnetworkmanagereffectiveconnectivityconfigurations"
        ):
            name = f"{rt.VNET}/listNetworkManagerEffectiveConnectivityConfigurations/read"
        case TargetKind.PART if target.type and target.type.type == rt.CIRCUIT_PEERING:
            name = f"{target.type.type}/{target.name.partition('/')[0]}/read"
        case TargetKind.PART if target.type:
            name = f"{target.type.type}/{target.name}/{verb}"
        case TargetKind.COLLECTION if target.type and target.id is not None:
            name = f"{target.type.type}/{verb}"
        case TargetKind.GROUP:
            name = f"{GROUP}/{verb}"
        case TargetKind.DEPLOYMENTS:
            name = f"{rt.DEPLOYMENT}/{verb}"
        case TargetKind.RESOURCES if target.group:
            name = f"{GROUP}/resources/read"
        case TargetKind.EXTENSION:
            return RequiredAction(arm_url.resolve_action(target.name, verb), target.scope)
        case _:
            return None
    return RequiredAction(name, str(target.id))


_LINKED = {
    "remoteVirtualNetwork": f"{rt.VNET}/peer/action",
    "ipConfigurations.subnet": f"{rt.SUBNET}/join/action",
    "ipConfigurations.publicIPAddress": f"{rt.PUBLIC_IP}/join/action",
}
"""The action on the other resource that a reference needs, by its path."""


def find_linked_actions(type_: rt.ResourceType, body: Body) -> Iterator[RequiredAction]:
    """Yield the actions on other resources that a body needs.

    Published: peering needs ``peer/action`` on the remote VNet; an interface and a gateway need
    ``join/action`` on their subnet and public address.
    """
    properties = body.get("properties")
    for path in type_.references:
        if path in _LINKED and isinstance(properties, dict):
            for reference in read_references(properties, path, ""):
                yield RequiredAction(_LINKED[path], reference.target)
