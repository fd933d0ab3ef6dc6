"""Hazards in the two hubs: GatewaySubnet, Route Servers, lasting advertisements. Pure.

Owns three conditions. The first is of the arriving hub, the others are of the one being left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv4Network

from erfailover.model import resource_ids
from erfailover.model.arm_json import parse_ipv4_prefix
from erfailover.model.conditions import Condition, ConditionStatus, Weight
from erfailover.model.counting import format_count, join_names
from erfailover.model.prefix_table import PrefixTable, build_table
from erfailover.model.resource_ids import get_last_name
from erfailover.model.route_tables import APPLIANCE, UserRoute
from erfailover.model.routing import StaticPrefix, VnetRouting
from erfailover.model.site import Spoke
from erfailover.planning.conditions import select_learned_routes, select_originated
from erfailover.planning.hazards.scene import (
    ADVERTISED,
    ENFORCED,
    GATEWAY_SUBNET,
    MANAGED,
    ROUTE_SERVER,
    HazardContext,
    build_unknown,
)
from erfailover.planning.route_selection import exclude_prefix, format_merged


def check_gateway_subnet(scene: HazardContext) -> Iterator[Condition]:
    """Yield the route table of the arriving hub's GatewaySubnet.

    Published (expressroute-about-virtual-network-gateways, vpn-gateway): with a route to
    0.0.0.0/0 there, or gateway route propagation disabled, a gateway does not work. A route as
    narrow as a spoke's prefix, or narrower, precedes the peering (published precedence): traffic
    from the far end then takes another way in than the replies take out.
    """
    reading = scene.around.get_network(scene.get_hub_id(scene.arriving))
    hub = scene.get_hub_name(scene.arriving)
    if reading.value is None:
        yield build_unknown(GATEWAY_SUBNET, f"{hub}: {reading.unknown}")
        return
    subnet = reading.value.get_subnet(resource_ids.GATEWAY_SUBNET)
    if subnet is None or not subnet.route_table:
        return
    table = scene.around.get_table(subnet)
    if table.value is None:
        named = get_last_name(subnet.route_table)
        yield build_unknown(
            GATEWAY_SUBNET, f"{hub}/GatewaySubnet: route table {named}: {table.unknown}"
        )
        return
    what = f"{hub}/GatewaySubnet: route table {table.value.name}"
    if not table.value.takes_gateway_routes:
        yield Condition(
            GATEWAY_SUBNET,
            ConditionStatus.FAILS,
            f"{what} has disableBgpRoutePropagation; a gateway does not work with that",
            f"az network route-table update --ids {table.value.id} "
            "--disable-bgp-route-propagation false",
        )
    for route in table.value.routes:
        yield from _check_inward_route(
            scene, route, f"{what} sends {route.prefix} to {_format_hop(route)}"
        )


def _check_inward_route(scene: HazardContext, route: UserRoute, what: str) -> Iterator[Condition]:
    """Yield what a route on the GatewaySubnet does to the spokes."""
    if route.network is None:
        return
    if route.network.prefixlen == 0:
        yield Condition(
            GATEWAY_SUBNET,
            ConditionStatus.FAILS,
            f"{what}; a gateway does not work with a route to 0.0.0.0/0",
            "Remove that route.",
        )
        return
    for spoke, network in scene.iter_spokes():
        beaten = [
            prefix
            for prefix in network.address_space
            if prefix.overlaps(route.network) and route.network.prefixlen >= prefix.prefixlen
        ]
        if beaten and not _is_symmetric(scene, network, route):
            yield Condition(
                GATEWAY_SUBNET,
                ConditionStatus.FAILS,
                f"{what}, but {network.name} does not reply through it",
                f"Remove that route, or route the traffic of {network.name} to the remote prefixes "
                "through the same appliance.",
                spoke.name,
            )


def _format_hop(route: UserRoute) -> str:
    return f"{route.next_hop_type} {route.next_hop}" if route.next_hop else route.next_hop_type


def _is_symmetric(scene: HazardContext, network: VnetRouting, route: UserRoute) -> bool:
    """Whether the spoke replies through the appliance that a GatewaySubnet's route leads to."""
    address, prefix = route.address, route.network
    if route.next_hop_type != APPLIANCE or address is None or prefix is None:
        return False
    near = (scene.get_hub_id(scene.arriving), network.id)
    if not any(scene.is_in_network(name, address) for name in near):
        return False
    for subnet in network.subnets:
        if not any(item.overlaps(prefix) for item in subnet.prefixes):
            continue
        table = scene.around.get_table(subnet).value if subnet.route_table else None
        if table is None:
            return False
        for piece in scene.iter_carried(table):
            if piece.route is None or piece.route.address != address:
                return False
    return True


def check_route_server(scene: HazardContext) -> Iterator[Condition]:
    """Routes of appliances that the spokes have from a Route Server in the hub being left.

    Published (route-server-faq): a VNet whose peering uses the remote gateway or Route Server
    gets the routes that its appliances advertise; without the flag, they are gone. A prefix that
    the arriving gateway or its hub's Route Server has too is not lost.
    """
    hub, reading = (
        scene.get_hub_name(scene.leaving),
        scene.around.get_network(scene.get_hub_id(scene.leaving)),
    )
    if reading.value is None:
        yield build_unknown(ROUTE_SERVER, f"{hub}: {reading.unknown}")
        return
    users = [spoke.name for spoke in scene.site.spokes if _is_using_gateway(scene, spoke)]
    servers = scene.around.route_servers.get(scene.leaving)
    if servers is None or not users:
        return
    if servers.value is None:
        yield build_unknown(ROUTE_SERVER, f"Route Servers in {hub} are unknown: {servers.unknown}")
        return
    others = scene.around.route_servers.get(scene.arriving)
    beside = (others.value if others else None) or ()
    prefixes = [prefix for server in beside for prefix in _parse_prefixes(server.learned.value)]
    gateway = scene.observed.gateways.get(scene.arriving)
    prefixes += select_learned_routes(gateway).prefixes if gateway else ()
    table = build_table(prefixes)
    for server in servers.value:
        if not server.peers:
            continue
        what = f"Route Server {server.name} in {hub}"
        if not server.learned.value:
            why = server.learned.unknown or "Azure listed no route"
            yield build_unknown(
                ROUTE_SERVER,
                f"{what} has {format_count(len(server.peers), 'peer')}, but its routes are unknown"
                f": {why}",
            )
            continue
        lost = [
            prefix
            for prefix in _parse_prefixes(server.learned.value)
            if not _is_covered(prefix, table)
        ]
        if lost:
            yield Condition(
                ROUTE_SERVER,
                ConditionStatus.FAILS,
                f"{join_names(users, 6)} would lose {format_merged(lost)}, which {what} has "
                "learned",
                "Add user-defined routes for these prefixes to their appliance, or add a Route "
                f"Server in {scene.get_hub_name(scene.arriving)}.",
            )


def _is_using_gateway(scene: HazardContext, spoke: Spoke) -> bool:
    """Whether a spoke uses the leaving hub's gateway; yes if that is not known."""
    name = spoke.get_outward(scene.leaving).name
    peering = scene.observed.get_peering(scene.site.build_peering_id(spoke.virtual_network, name))
    return peering is None or peering.flags.use_remote_gateways


def _parse_prefixes(prefixes: Iterable[str] | None) -> list[IPv4Network]:
    return [prefix for name in prefixes or () if (prefix := parse_ipv4_prefix(name)) is not None]


def _is_covered(prefix: IPv4Network, others: PrefixTable[IPv4Network, IPv4Network]) -> bool:
    prefixes = [prefix]
    for other in others.iter_overlapping(prefix):
        prefixes = [rest for part in prefixes for rest in exclude_prefix(part, other)]
    return not prefixes


def check_advertised(scene: HazardContext) -> Iterator[Condition]:
    """Yield why the leaving gateway would advertise a spoke's prefix with its peering off.

    Observed: a gateway originates the prefixes of each local network gateway that it has a
    connection to, and a prefix as narrow as the spoke's own attracts the far end's traffic. A
    summary (``summarizedGatewayPrefixes``, REST specification) stays whatever the peerings say,
    and is beaten only by a narrower one of the arriving hub. A gateway's ``customRoutes`` go to
    point-to-site clients only (REST specification; ExpressRoute gateways reject them): harmless.
    """
    hub, gateway = scene.get_hub_name(scene.leaving), scene.site.get_hub(scene.leaving).gateway
    static = scene.around.static_prefixes.get(scene.leaving)
    if static is not None and static.value is None:
        yield build_unknown(ADVERTISED, f"connections of {gateway} are unknown: {static.unknown}")
    reading = scene.around.get_network(scene.get_hub_id(scene.leaving))
    routing = reading.value
    if routing is None:
        yield build_unknown(ADVERTISED, f"{hub}: {reading.unknown}")
    met = scene.around.get_network(scene.get_hub_id(scene.arriving)).value
    for spoke, network in scene.iter_spokes():
        for own in network.address_space:
            for prefix in (static.value if static else None) or ():
                if prefix.prefix.subnet_of(own):
                    yield Condition(
                        ADVERTISED,
                        ConditionStatus.FAILS,
                        f"{gateway} keeps advertising {prefix.prefix}, within {network.name}'s "
                        f"{own}, because of local network gateway "
                        f"{prefix.local_network_gateway}",
                        "Remove that prefix from the local network gateway's address space.",
                        spoke.name,
                    )
            lasting = _find_lasting_summary(own, routing, met)
            if lasting is not None:
                yield Condition(
                    ADVERTISED,
                    ConditionStatus.FAILS,
                    f"{hub} keeps advertising {lasting} for {network.name}'s {own}, and "
                    f"{scene.get_hub_name(scene.arriving)} advertises nothing narrower",
                    f"Remove {lasting} from summarizedGatewayPrefixes of {hub}, or the summary of "
                    f"{scene.get_hub_name(scene.arriving)}.",
                    spoke.name,
                )
        yield from _check_narrower(scene, spoke, network, static.value if static else None)


def check_enforced(scene: HazardContext) -> Iterator[Condition]:
    """Yield connectivity configurations whose peerings only Virtual Network Manager may write.

    Published (SDK reference, ``PeeringEnforcement``): with ``Enforced`` they "will not be
    modifiable or deletable outside of the network manager".
    """
    for network_id, reading in scene.around.managed.items():
        if reading.value is None:
            yield _report_unread_manager(ENFORCED, network_id, reading.unknown)
        for configuration in reading.value or ():
            if configuration.enforced:
                yield Condition(
                    ENFORCED,
                    ConditionStatus.FAILS,
                    f"Virtual Network Manager enforces the peerings of {get_last_name(network_id)} "
                    f"(configuration {configuration.name}): Azure rejects every other write to "
                    "them",
                    "Set peeringEnforcement of the configuration to Unenforced, or remove the "
                    "VNets from its network group.",
                )
    if not scene.around.managed:
        yield build_unknown(
            ENFORCED, "whether a Virtual Network Manager manages the peerings is unknown"
        )


def check_managed(scene: HazardContext) -> Iterator[Condition]:
    """Yield connectivity configurations that a manager may deploy again, over a switch's writes."""
    for network_id, reading in scene.around.managed.items():
        if reading.value is None:
            yield replace(
                _report_unread_manager(MANAGED, network_id, reading.unknown), weight=Weight.WARNS
            )
        for configuration in reading.value or ():
            if not configuration.enforced and scene.site.managed_by != "network-manager":
                yield Condition(
                    MANAGED,
                    ConditionStatus.FAILS,
                    f"Virtual Network Manager has deployed {configuration.name} to "
                    f"{get_last_name(network_id)}: "
                    "its next deployment, or a change to a network group, may undo a switch",
                    "Do not deploy while the site is failed over, and set managed_by: "
                    "network-manager in the site file so that status warns.",
                    weight=Weight.WARNS,
                )
    if not scene.around.managed:
        message = "whether a Virtual Network Manager manages the peerings is unknown"
        yield replace(build_unknown(MANAGED, message), weight=Weight.WARNS)


def _report_unread_manager(name: str, network_id: str, why: str | None) -> Condition:
    return build_unknown(
        name,
        f"Virtual Network Manager's configurations of {get_last_name(network_id)} are unknown: "
        f"{why}",
        "az network manager list-effective-connectivity-config lists them.",
    )


def _find_lasting_summary(
    own: IPv4Network, routing: VnetRouting | None, met: VnetRouting | None
) -> IPv4Network | None:
    """Return a summary of the leaving hub that the arriving hub's prefixes do not beat."""
    lasting = [
        prefix for prefix in (routing.summarized if routing else ()) if own.subnet_of(prefix)
    ]
    arriving = [prefix for prefix in (met.summarized if met else ()) if own.subnet_of(prefix)]
    narrowest = max((prefix.prefixlen for prefix in arriving), default=own.prefixlen)
    return next((prefix for prefix in lasting if prefix.prefixlen >= narrowest), None)


def _check_narrower(
    scene: HazardContext,
    spoke: Spoke,
    network: VnetRouting,
    prefixes: Iterable[StaticPrefix] | None,
) -> Iterator[Condition]:
    """Yield what the leaving gateway originates within a spoke besides the spoke's own prefixes."""
    gateway = scene.observed.gateways.get(scene.leaving)
    rows = select_originated(gateway).table if gateway else PrefixTable()
    static = {static_prefix.prefix for static_prefix in prefixes or ()}
    inside = {
        item: own for own in reversed(network.address_space) for item in rows.iter_within(own)
    }
    for prefix, own in inside.items():
        if prefix not in network.address_space and prefix not in static:
            yield Condition(
                ADVERTISED,
                ConditionStatus.FAILS,
                f"{gateway.name if gateway else 'the gateway'} originates {prefix}, within "
                f"{network.name}'s {own}, but not because of its peering",
                "Find the cause: a connection's local network gateway, or another VNet.",
                spoke.name,
            )
