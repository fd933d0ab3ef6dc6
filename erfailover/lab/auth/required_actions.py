"""Which action of Azure RBAC a request is, and at which scope; pure.

Owns the names. Azure names an action ``{type}/{read|write|delete}``, and a POST
``{type}/{name}/action`` (published: resource provider operations; the effective configurations of a
Network Manager are a POST whose published action is a read). The tables of a circuit's peering are
``.../routeTablesSummary/read``, although a POST (published, 2024; in 2017 the list had
``/action``). Assumed: polling an operation,
and what stands around the resources (tenants, subscriptions, locations, providers, images), is
open to whoever has a role anywhere; nobody has published what ARM asks for there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from erfailover.lab.core import arm_url
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.arm_url import Kind, Target
from erfailover.lab.core.references import references_at
from erfailover.lab.core.world import Body

GROUP = "Microsoft.Resources/subscriptions/resourceGroups"
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """An action at a scope."""

    action: str
    scope: str


def wanted(method: str, target: Target) -> Wanted | None:
    """What a client must be allowed to do for a request; None for what is open."""
    verb = _VERBS.get(method, "action")
    match target.kind:
        case Kind.ITEM if target.type:
            name = f"{target.type.type}/{verb}"
        case Kind.PART if target.name == "listnetworkmanagereffectiveconnectivityconfigurations":
            name = f"{rt.VNET}/listNetworkManagerEffectiveConnectivityConfigurations/read"
        case Kind.PART if target.type and target.type.type == rt.CIRCUIT_PEERING:
            name = f"{target.type.type}/{target.name.partition('/')[0]}/read"
        case Kind.PART if target.type:
            name = f"{target.type.type}/{target.name}/{verb}"
        case Kind.COLLECTION if target.type and target.id is not None:
            name = f"{target.type.type}/{verb}"
        case Kind.GROUP:
            name = f"{GROUP}/{verb}"
        case Kind.DEPLOYMENTS:
            name = f"{rt.DEPLOYMENT}/{verb}"
        case Kind.RESOURCES if target.group:
            name = f"{GROUP}/resources/read"
        case Kind.EXTENSION:
            return Wanted(arm_url.action(target.name, verb), target.scope)
        case _:
            return None
    return Wanted(name, str(target.id))


_LINKED = {
    "remoteVirtualNetwork": f"{rt.VNET}/peer/action",
    "ipConfigurations.subnet": f"{rt.SUBNET}/join/action",
    "ipConfigurations.publicIPAddress": f"{rt.PUBLIC_IP}/join/action",
}
"""The action on the other resource that a reference needs, by its path."""


def linked(type_: rt.ResourceType, body: Body) -> Iterator[Wanted]:
    """What a client must be allowed to do to other resources that a body names.

    Published: peering needs ``peer/action`` on the remote VNet; an interface and a gateway need
    ``join/action`` on their subnet and public address.
    """
    properties = body.get("properties")
    for path in type_.references:
        if path in _LINKED and isinstance(properties, dict):
            for each in references_at(properties, path, ""):
                yield Wanted(_LINKED[path], each.target)
