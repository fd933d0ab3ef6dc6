"""Hazards in the route tables of the spokes' subnets. Pure.

Owns three conditions: which remote prefixes do not follow the gateway in use, and why not.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.resource_ids import get_last_name
from erfailover.model.route_tables import APPLIANCE, GATEWAY_HOP, UserRoute
from erfailover.model.routing import VnetRouting
from erfailover.model.site import Role, Spoke
from erfailover.planning.hazards.scene import (
    APPLIANCES,
    NEXT_HOP,
    PROPAGATION,
    HazardContext,
    build_unknown,
)
from erfailover.planning.route_selection import format_merged


def list_unread_tables(scene: HazardContext) -> Iterator[str]:
    """VNets and route tables of the spokes that could not be read."""
    for spoke in scene.site.spokes:
        reading = scene.around.get_network(scene.site.build_network_id(spoke.virtual_network))
        if reading.value is None:
            yield f"{spoke.name}: {reading.unknown}"
            continue
        for subnet in reading.value.subnets:
            table = scene.around.get_table(subnet)
            if subnet.route_table and table.value is None:
                named = get_last_name(subnet.route_table)
                yield f"{spoke.name}/{subnet.name}: route table {named}: {table.unknown}"


def check_propagation(scene: HazardContext) -> Iterator[Condition]:
    """Yield subnets that receive no gateway routes and have no route of the user instead.

    Published (virtual-networks-udr-overview): with gateway route propagation disabled neither
    static nor BGP routes of a gateway are added. What is left for a remote prefix are system
    routes, which lead nowhere or to the Internet; a switch changes nothing for such a subnet. A
    user-defined route that carries the prefix is judged by the checks of its next hop.
    """
    for spoke, network, subnet, table in scene.iter_tables():
        if table.takes_gateway_routes:
            continue
        lost = [
            routed_range.prefix
            for routed_range in scene.iter_carried(table)
            if routed_range.route is None
        ]
        if lost:
            yield Condition(
                PROPAGATION,
                ConditionStatus.FAILS,
                f"{network.name}/{subnet.name} receives no gateway routes: route table "
                f"{table.name} has disableBgpRoutePropagation and no route to "
                f"{format_merged(lost)}",
                f"az network route-table update --ids {table.id} "
                "--disable-bgp-route-propagation false",
                spoke.name,
            )


def check_appliances(scene: HazardContext) -> Iterator[Condition]:
    """Yield remote prefixes that a user-defined route sends through the hub being left.

    The appliance's own VNet forwards them through its own gateway, so they stay on the path being
    left whatever the peerings say. Only routes that win count: a route to 0.0.0.0/0 loses
    against a gateway's route to the remote prefix. A route to anything else, such as the
    proof of concept's 8.8.4.4/32 through the NAT machine in the primary hub, is not a hazard.
    """
    for spoke, network, subnet, table in scene.iter_tables():
        carried: dict[UserRoute, list[IPv4Network]] = {}
        for piece in scene.iter_carried(table):
            if piece.route is not None and piece.route.next_hop_type == APPLIANCE:
                carried.setdefault(piece.route, []).append(piece.prefix)
        for route, prefixes in carried.items():
            what = (
                f"{network.name}/{subnet.name}: route {route.name} of {table.name} sends "
                f"{format_merged(prefixes)} through the appliance {route.next_hop}"
            )
            yield from _check_appliance(scene, spoke, network, route, what)


def _check_appliance(
    scene: HazardContext, spoke: Spoke, network: VnetRouting, route: UserRoute, what: str
) -> Iterator[Condition]:
    leaving, arriving = scene.get_hub_name(scene.leaving), scene.get_hub_name(scene.arriving)
    address = route.address
    if address is not None and scene.is_in_network(scene.get_hub_id(scene.leaving), address):
        yield Condition(
            APPLIANCES,
            ConditionStatus.FAILS,
            f"{what} in {leaving}, the hub being left",
            f"Remove the route, or point it to an appliance in {arriving}.",
            spoke.name,
        )
    elif address is None or not (
        scene.is_in_network(scene.get_hub_id(scene.arriving), address)
        or scene.is_in_network(network.id, address)
    ):
        yield build_unknown(
            APPLIANCES,
            f"{what}, which is not in {network.name}, {leaving} or {arriving}",
            "Find out which path that appliance uses to reach them.",
        )


def check_next_hops(scene: HazardContext) -> Iterator[Condition]:
    """Routes with the next hop VirtualNetworkGateway if a gateway is of type ExpressRoute.

    Published (virtual-networks-udr-overview): the gateway that such a route names must be of
    type Vpn; ExpressRoute takes custom routes by BGP only. With VPN gateways on both paths the
    route follows the gateway in use.
    """
    kinds = scene.around.gateway_types
    unread = [role for role in Role if kinds.get(role) is None or kinds[role].value is None]
    express = [role for role in Role if role in kinds and kinds[role].value == "ExpressRoute"]
    for spoke, network, subnet, table in scene.iter_tables():
        for route in table.routes:
            if route.next_hop_type != GATEWAY_HOP:
                continue
            what = (
                f"{network.name}/{subnet.name}: route {route.name} of {table.name} "
                f"({route.prefix}) has the next hop VirtualNetworkGateway"
            )
            if express:
                gateways = ", ".join(scene.site.get_hub(role).gateway for role in express)
                yield Condition(
                    NEXT_HOP,
                    ConditionStatus.FAILS,
                    f"{what}, which an ExpressRoute gateway ({gateways}) does not support",
                    "Remove the route: the gateway's routes reach the subnet by BGP.",
                    spoke.name,
                )
            elif unread:
                gateways = ", ".join(scene.site.get_hub(role).gateway for role in unread)
                yield build_unknown(NEXT_HOP, f"{what}, and the type of {gateways} is unknown")
