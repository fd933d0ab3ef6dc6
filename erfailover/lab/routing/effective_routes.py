"""Effective routes of a network interface, and the route that a destination uses.

Pure: everything follows from the parsed resources and the gateways' tables. Azure's precedence
(documented): the longest prefix; for equal prefixes a user-defined route, then a gateway's,
then a system one; except that the system routes of the VNet and of its peerings win over a
gateway's routes even if those are more specific. A user-defined route to 0.0.0.0/0 removes the
system routes of the private ranges (documented: *Virtual network traffic routing*, routing
example), so that it takes what is for another spoke as well.

A gateway's route that is never taken is listed as ``Invalid``, and a gateway's next hop is its
public address (both assumed).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from erfailover.lab.core import addresses, ids
from erfailover.lab.core.world import Body, Resource, World
from erfailover.lab.routing import records
from erfailover.lab.routing.expressroute import get_local_address
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.route_servers import list_routes

DEFAULT, GATEWAY, USER = "Default", "VirtualNetworkGateway", "User"
VNET_LOCAL, VNET_PEERING = "VnetLocal", "VNetPeering"
TO_GATEWAY, INTERNET = "VirtualNetworkGateway", "Internet"
APPLIANCE, NONE = "VirtualAppliance", "None"

EVERYTHING = "0.0.0.0/0"
_RANK = {DEFAULT: 0, GATEWAY: 1, USER: 2}


@dataclass(frozen=True, slots=True)
class EffectiveRoute:
    """An effective route of one prefix.

    ``target`` is the key of the VNet that a peering leads to, or of the gateway.
    """

    source: str
    prefix: str
    next_hop_type: str
    next_hop: str = ""
    target: str = ""
    name: str = ""
    active: bool = True


class RouteSource(Protocol):
    """What effective routes follow from."""

    @property
    def world(self) -> World:
        """The resources, for the routes of Route Servers."""

    @property
    def network(self) -> Network:
        """The parsed resources."""

    def list_remote_prefixes(self, gateway: str) -> Iterable[str]:
        """Return the prefixes beyond a gateway's tunnels and circuits, by the gateway's key."""


def list_effective_routes(source: RouteSource, nic: Resource) -> list[Body]:
    """Return the rows of effectiveRouteTable for a network interface.

    Args:
        source: the network and what its gateways have learned.
        nic: the network interface.

    Returns:
        Rows with the keys that are always there (recorded), ``name`` for user-defined routes.
        Empty for an interface that does not exist yet.
    """
    record = source.network.nics.get(ids.to_key(nic.id))
    if record is None or source.world.get(nic.id) is None:
        return []
    return [_build_row(route) for route in list_subnet_routes(source, record.subnet)]


def find_next_hop(source: RouteSource, nic: Resource, destination: str) -> Body:
    """Return the answer of Network Watcher's ``nextHop`` for a network interface.

    Published: REST specification of networkWatchers, ``NextHopResult``; what is no user-defined
    route has the route table ``System Route``. That no route is type ``None`` is assumed.
    """
    record = source.network.nics.get(ids.to_key(nic.id))
    route = select_route(list_subnet_routes(source, record.subnet), destination) if record else None
    body: Body = {
        "nextHopType": _NEXT_HOPS.get(route.next_hop_type, route.next_hop_type) if route else NONE,
        "routeTableId": "System Route",
    }
    if route is not None and route.next_hop:
        body["nextHopIpAddress"] = route.next_hop
    subnet = source.network.subnets.get(record.subnet) if record else None
    if route is not None and route.source == USER and subnet is not None:
        table = source.world.get(subnet.route_table)
        body["routeTableId"] = str(table.id) if table is not None else subnet.route_table
    return body


_NEXT_HOPS = {VNET_LOCAL: "VirtualNetwork", VNET_PEERING: "VirtualNetworkPeering"}
"""What Network Watcher calls two next hop types (published: "Network Watcher next hop")."""


def list_subnet_routes(source: RouteSource, subnet: str) -> list[EffectiveRoute]:
    """Return the effective routes of every network interface in a subnet, by the subnet's key."""
    network = source.network
    place = network.subnets.get(subnet)
    vnet = network.vnets.get(place.vnet) if place is not None else None
    if place is None or vnet is None:
        return []
    system = [*_list_system_routes(network, vnet)]
    user = [*_list_user_routes(source, place, vnet)]
    gateway = [] if network.tables.get(place.route_table) else [*_list_gateway_routes(source, vnet)]
    strong: addresses.PrefixMap[str] = addresses.PrefixMap()
    for route in system:
        if route.next_hop_type in (VNET_LOCAL, VNET_PEERING):
            strong.set_default(route.prefix, route.prefix)
    names = {route.prefix for route in user}
    if EVERYTHING in names:
        system = [route for route in system if route.next_hop_type != NONE]
    routes = [replace(route, active=route.prefix not in names) for route in system]
    for route in gateway:
        wider = strong.find_all(route.prefix.partition("/")[0])
        beaten = any(addresses.covers(prefix, route.prefix) for prefix in wider)
        routes.append(replace(route, active=not beaten and route.prefix not in names))
    learned = {route.prefix for route in routes if route.source == GATEWAY and route.active}
    routes = [
        replace(route, active=False)
        if route.next_hop_type in (INTERNET, NONE) and route.prefix in learned
        else route
        for route in routes
    ]
    return [*routes, *user]


def select_route(routes: Iterable[EffectiveRoute], destination: str) -> EffectiveRoute | None:
    """Return the route that a destination address uses; None if no route contains it."""
    best: EffectiveRoute | None = None
    for route in routes:
        if not route.active or not addresses.contains(route.prefix, destination):
            continue
        if best is None or rank_route(route) > rank_route(best):
            best = route
    return best


def select_direct_route(routes: Iterable[EffectiveRoute], hop: str) -> EffectiveRoute | None:
    """Return the system route by which an appliance is reached as a next hop; None without one.

    Documented (*Virtual network traffic routing*): a next hop must have direct connectivity, that
    is, be in the VNet or a peered one. User-defined routes do not lead to it: in the routing
    example that page has, the route of the VNet's whole space covers its own next hop.
    """
    candidates = (
        replace(route, active=True)
        for route in routes
        if route.source == DEFAULT and route.next_hop_type in (VNET_LOCAL, VNET_PEERING)
    )
    return select_route(candidates, hop)


def find_gateway(network: Network, vnet: str) -> records.Gateway | None:
    """Return the gateway of a user-defined route: a VPN one (documented: no ExpressRoute one)."""
    return next(
        (gateway for gateway in list_gateways(network, vnet) if gateway.kind == "vpn"), None
    )


def list_gateways(network: Network, vnet: str) -> list[records.Gateway]:
    """Return the gateways that a VNet uses: its own, or its remote gateways.

    Of an ExpressRoute and a VPN gateway the former comes first: it is preferred for one and
    the same prefix (documented).
    """
    own = sorted(network.gateways.list_group(vnet), key=lambda gateway: gateway.kind)
    lender = find_lender(network, vnet)
    if own or lender is None:
        return own
    return sorted(network.gateways.list_group(lender), key=lambda gateway: gateway.kind)


def find_lender(network: Network, vnet: str) -> str | None:
    """Return the key of the VNet whose gateway or Route Server a VNet uses; None without one."""
    for here in network.peerings.list_group(vnet):
        there = network.find_peering(here.remote, vnet)
        if there is None or not (here.remote_gateways and there.transit):
            continue
        if here.connected and here.access and there.connected and there.access:
            return here.remote
    return None


def rank_route(route: EffectiveRoute) -> tuple[int, int]:
    """Return a key by which the route that wins is the largest."""
    parsed_prefix = addresses.parse_ipv4_network(route.prefix)
    return (parsed_prefix.prefixlen if parsed_prefix is not None else 0, _RANK[route.source])


def _list_system_routes(network: Network, vnet: records.Vnet) -> Iterable[EffectiveRoute]:
    for prefix in vnet.prefixes:
        yield EffectiveRoute(DEFAULT, prefix, VNET_LOCAL, target=vnet.key)
    for peering in network.peerings.list_group(vnet.key):
        remote = network.vnets.get(peering.remote)
        if peering.connected and peering.access and remote is not None:
            for prefix in peering.remote_prefixes or remote.prefixes:
                yield EffectiveRoute(DEFAULT, prefix, VNET_PEERING, target=remote.key)
    yield EffectiveRoute(DEFAULT, EVERYTHING, INTERNET)
    for prefix in addresses.PRIVATE:
        if not any(addresses.covers(own, prefix) for own in vnet.prefixes):
            yield EffectiveRoute(DEFAULT, prefix, NONE)


def _list_gateway_routes(source: RouteSource, vnet: records.Vnet) -> Iterable[EffectiveRoute]:
    prefixes: set[str] = set()
    for gateway in list_gateways(source.network, vnet.key):
        hop = source.network.public_ips.get(gateway.instances[0].public_ip) or ""
        if gateway.kind == "expressroute":
            hop = get_local_address(source.network, gateway)
        for prefix in source.list_remote_prefixes(gateway.key):
            if prefix not in prefixes:
                yield EffectiveRoute(GATEWAY, prefix, TO_GATEWAY, hop, gateway.key)
            prefixes.add(prefix)
    # Documented: an appliance's routes reach the VNet and those that use its Route Server.
    for host in (vnet.key, find_lender(source.network, vnet.key)):
        for prefix, hop in list_routes(source.world, host) if host else ():
            if prefix not in prefixes:
                yield EffectiveRoute(GATEWAY, prefix, TO_GATEWAY, hop)
            prefixes.add(prefix)


def _list_user_routes(
    source: RouteSource, subnet: records.Subnet, vnet: records.Vnet
) -> Iterable[EffectiveRoute]:
    gateway = find_gateway(source.network, vnet.key)
    for route in source.network.routes.list_group(subnet.route_table):
        parsed_prefix = addresses.parse_ipv4_network(route.prefix)
        if parsed_prefix is None:
            continue
        target = ""
        if route.next_hop_type == TO_GATEWAY:
            target = gateway.key if gateway is not None else ""
        elif route.next_hop_type == VNET_LOCAL:
            target = vnet.key
        yield EffectiveRoute(
            USER, str(parsed_prefix), route.next_hop_type, route.next_hop, target, route.name
        )


def _build_row(route: EffectiveRoute) -> Body:
    row: Body = {"name": route.name} if route.name else {}
    return row | {
        "source": route.source,
        "state": "Active" if route.active else "Invalid",
        "addressPrefix": [route.prefix],
        "nextHopIpAddress": [route.next_hop] if route.next_hop else [],
        "nextHopType": route.next_hop_type,
        "disableBgpRoutePropagation": False,  # recorded, in every row
    }
