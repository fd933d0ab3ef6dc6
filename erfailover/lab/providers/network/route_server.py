"""Route Servers: virtual hubs of kind RouteServer, their IP configurations and BGP connections.

Owns their defaults and what ARM refuses of them; which routes they bring is ``routing``'s. Names
and values are those of the REST specification (virtualWan.json) and of the Route Server
documentation; codes of refusals are not published.

An appliance's own routing is no part of ARM: the tag ``lab:learned`` of the virtual hub lists the
routes that each BGP connection has advertised: ``nva1=192.168.50.0/24,0.0.0.0/0 nva2=10.9.0.0/16``.
Not modelled:
what a Route Server advertises to its peers and the gateway (branch-to-branch), its effect on a
gateway.
"""

from __future__ import annotations

from erfailover.lab.core import addresses, errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import ValueGenerator
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft
from erfailover.lab.providers.provider import Coverage, Provider, View
from erfailover.lab.providers.shapes import REFERENCE
from erfailover.lab.routing.route_servers import SUBNET, pick_instance_addresses

ASN = 65515
"""A Route Server's ASN cannot be changed (documented)."""

LARGEST_PREFIX = 27
MOST_PEERS = 8


def _complete_hub(draft: Draft, existing: Resource | None, generator: ValueGenerator) -> None:
    """Complete a virtual hub's body."""
    body = draft.body
    body["kind"] = "RouteServer"
    properties: Body = body["properties"]
    properties.setdefault("allowBranchToBranchTraffic", False)
    properties.setdefault("hubRoutingPreference", "ExpressRoute")
    properties.setdefault("virtualRouterAutoScaleConfiguration", {"minCapacity": 2})
    properties["virtualRouterAsn"] = ASN
    properties["routingState"] = "Provisioned"


def _validate_hub(context: RuleContext, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Return the refusal if a virtual hub may not be written; None if it may."""
    properties = draft.body["properties"]
    if properties.get("virtualWan") or properties.get("addressPrefix"):
        return errors.not_modelled("virtual hubs of a virtual WAN")
    if properties.get("sku") != "Standard":
        return errors.property_invalid("sku", properties.get("sku"), "Standard")
    return None


def _validate_configuration(
    context: RuleContext, draft: Draft, existing: Resource | None
) -> Refusal | None:
    """Return the refusal if a Route Server's IP configuration may not be written; None if it may.

    Documented: a subnet RouteServerSubnet of /27 or wider, a public address, one a VNet.
    """
    properties, configuration_id = draft.body["properties"], draft.id
    for name in ("subnet", "publicIPAddress"):
        if not (properties.get(name) or {}).get("id"):
            return errors.property_missing(name, str(configuration_id))
    subnet = ids.parse(properties["subnet"]["id"])
    target = context.world.get(properties["subnet"]["id"])
    if subnet is None or target is None or subnet.name.lower() != SUBNET:
        return errors.property_invalid("subnet", properties["subnet"]["id"], "RouteServerSubnet")
    prefix = addresses.parse_network(target.properties.get("addressPrefix"))
    if prefix is None or prefix.prefixlen > LARGEST_PREFIX:
        return context.unknown.refuse(
            "RouteServerSubnet too small",
            f"Subnet {target.id} is too small for a Route Server; /{LARGEST_PREFIX} is needed.",
        )
    users = context.references.find_users(target.id, "subnet")
    others = [
        reference
        for reference in users
        if ids.to_key(reference.source) != ids.to_key(configuration_id)
    ]
    if others:
        return context.unknown.refuse(
            "second Route Server in a VNet",
            f"Subnet {target.id} has a Route Server already: {others[0].source}.",
        )
    return None


def _validate_connection(
    context: RuleContext, draft: Draft, existing: Resource | None
) -> Refusal | None:
    """Return the refusal of a Route Server's BGP connection (documented limits)."""
    properties, connection_id = draft.body["properties"], draft.id
    for name in ("peerIp", "peerAsn"):
        if not properties.get(name):
            return errors.property_missing(name, str(connection_id))
    if addresses.parse_address(properties["peerIp"]) is None:
        return errors.property_invalid("peerIp", properties["peerIp"], "an IPv4 address")
    if properties["peerAsn"] == ASN:
        return errors.property_invalid("peerAsn", ASN, f"any but the Route Server's own {ASN}")
    assert connection_id.parent is not None
    if not context.world.list_children(connection_id.parent, "ipConfigurations"):
        return context.unknown.refuse(
            "peer of a Route Server without subnet",
            f"Virtual hub {connection_id.parent} has no IP configuration yet.",
        )
    peer_addresses = {
        connection.id.name.lower()
        for connection in context.world.list_children(connection_id.parent, "bgpConnections")
    }
    if len(peer_addresses | {connection_id.name.lower()}) > MOST_PEERS:
        return context.unknown.refuse(
            "too many peers of a Route Server",
            f"Virtual hub {connection_id.parent} has {MOST_PEERS} BGP connections already.",
        )
    return None


def _present(view: View, hub: Resource) -> Body:
    """Add a virtual hub's children, by id, and its own two addresses."""
    world = view.context.world
    added: Body = {
        name: [{"id": str(child.id)} for child in world.list_children(hub.id, name)]
        for name in ("ipConfigurations", "bgpConnections")
    }
    return added | {"virtualRouterIps": list(pick_instance_addresses(world, hub))}


VIRTUAL_HUB = Provider(
    type=rt.VIRTUAL_HUB,
    noun="VirtualHub",
    coverage=(
        Coverage(
            names="`Microsoft.Network/virtualHubs`, `virtualHubs/ipConfigurations`, "
            "`virtualHubs/bgpConnections`, `bgpConnections/learnedRoutes`",
            modelled="Route Servers: their subnet, two addresses, eight peers; the routes that "
            "appliances advertise (tag `lab:learned`), in the VNet and in those that use it",
            not_modelled="virtual WAN; advertising to peers and gateways (branch-to-branch); "
            "gateway transit from a VNet with a Route Server but no gateway",
            rests_on="document; the form of learned routes: observed; durations: assumed",
        ),
    ),
    shape={
        "sku": str,
        "virtualWan": REFERENCE,
        "addressPrefix": str,
        "allowBranchToBranchTraffic": bool,
        "hubRoutingPreference": str,
    },
    read_only=frozenset({"ipConfigurations", "bgpConnections", "virtualRouterIps", "routingState"}),
    children_in_body=False,
    complete=_complete_hub,
    validate=_validate_hub,
    present=_present,
)
HUB_CONFIGURATION = Provider(
    type=rt.HUB_CONFIGURATION,
    noun="VirtualHubIpConfiguration",
    references=("subnet", "publicIPAddress"),
    shape={"subnet": REFERENCE, "publicIPAddress": REFERENCE},
    validate=_validate_configuration,
)
HUB_CONNECTION = Provider(
    type=rt.HUB_CONNECTION,
    noun="VirtualHubBgpConnection",
    actions=("learnedroutes",),
    shape={"peerIp": str, "peerAsn": int},
    validate=_validate_connection,
)
