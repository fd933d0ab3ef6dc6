"""Route tables and their routes: rules, and what prevents a deletion.

A write of a route puts its table in Updating; a second write of the same table is refused until
then, as of every parent (observed: kubernetes/kubernetes, issue 88151), and so is that of a subnet
that refers to it (observed: hashicorp/terraform, pull request 13791). A peering of the subnet's
VNet refers to no table and waits for none (inferred).
"""

from __future__ import annotations

from erfailover.lab.core import addresses, errors
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft, list_users
from erfailover.lab.providers.network.security_group import SERVICE_TAG
from erfailover.lab.providers.provider import Coverage, Provider, View
from erfailover.lab.providers.shapes import make_children_shape

NEXT_HOPS = frozenset(
    {"VirtualNetworkGateway", "VnetLocal", "Internet", "VirtualAppliance", "None"}
)


def _validate_route(
    context: RuleContext, draft: Draft, existing: Resource | None
) -> Refusal | None:
    """Return the refusal if a user-defined route may not be written; None if it may."""
    properties, route_id = draft.body["properties"], draft.id
    prefix = str(properties.get("addressPrefix"))
    if addresses.parse_network(prefix) is None and not SERVICE_TAG.fullmatch(prefix):
        return errors.prefix_invalid(str(properties.get("addressPrefix")), str(route_id))
    hop = properties.get("nextHopType")
    if hop not in NEXT_HOPS:
        return errors.property_invalid("nextHopType", hop, ", ".join(sorted(NEXT_HOPS)))
    is_address = addresses.parse_address(properties.get("nextHopIpAddress")) is not None
    if (hop == "VirtualAppliance") != is_address:
        return errors.property_invalid(
            "nextHopIpAddress",
            properties.get("nextHopIpAddress"),
            "an address is needed for VirtualAppliance, and for no other next hop type",
        )
    return None


def _validate_delete(context: RuleContext, table: Resource) -> Refusal | None:
    users = context.references.find_users(table.id)
    if not users:
        return None
    return Refusal(
        400,
        "InUseRouteTableCannotBeDeleted",
        f"Route table {table.id} is in use and cannot be deleted: it is used by {users[0].source}.",
        details=(),
    )


def _present(view: View, table: Resource) -> Body:
    return list_users(view.context, table, "subnets", "routeTable")


_ROUTE_SHAPE = {"addressPrefix": str, "nextHopType": str, "nextHopIpAddress": str}
ROUTE_TABLE = Provider(
    type=rt.ROUTE_TABLE,
    noun="RouteTable",
    coverage=(
        Coverage(
            names="`Microsoft.Network/routeTables`, `routeTables/routes`",
            modelled="routes and next hops, propagation of gateway routes switched off",
            not_modelled="service tags as prefixes are kept and route nothing",
            rests_on="recording",
        ),
    ),
    shape={"routes": make_children_shape(_ROUTE_SHAPE), "disableBgpRoutePropagation": bool},
    defaults={"disableBgpRoutePropagation": False},
    read_only=frozenset({"routes", "subnets"}),
    has_guid=True,
    drops_children=True,  # recorded
    validate_delete=_validate_delete,
    present=_present,
)
ROUTE = Provider(
    type=rt.ROUTE,
    noun="Route",
    shape=_ROUTE_SHAPE,
    defaults={"hasBgpOverride": False},
    validate=_validate_route,
)
