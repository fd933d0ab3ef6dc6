"""Effective routes of a network interface, and the one that a destination takes.

Pure: everything follows from the parsed resources and the gateways' tables. Azure's precedence
(documented): the longest prefix; for equal prefixes a user-defined route, then a gateway's,
then a system one; except that the system routes of the VNet and of its peerings win over a
gateway's routes even where those are more specific.

A gateway's route that is never taken is listed as ``Invalid``, and a gateway's next hop is its
public address (both assumed).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from erfailover.lab.core import addresses, ids
from erfailover.lab.core.world import Body, Resource, World
from erfailover.lab.routing import records
from erfailover.lab.routing.bgp import Bgp
from erfailover.lab.routing.expressroute import local_address
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.route_servers import routes_in

DEFAULT, GATEWAY, USER = "Default", "VirtualNetworkGateway", "User"
VNET_LOCAL, VNET_PEERING = "VnetLocal", "VNetPeering"
TO_GATEWAY, INTERNET = "VirtualNetworkGateway", "Internet"
APPLIANCE, NONE = "VirtualAppliance", "None"

_RANK = {DEFAULT: 0, GATEWAY: 1, USER: 2}


@dataclass(frozen=True, slots=True)
class EffectiveRoute:
    """One effective route of one prefix.

    ``target`` is the key of the VNet that a peering leads to, or of the gateway.
    """

    source: str
    prefix: str
    next_hop_type: str
    next_hop: str = ""
    target: str = ""
    name: str = ""
    active: bool = True


def effective_routes(world: World, bgp: Bgp, nic: Resource) -> list[Body]:
    """The rows of effectiveRouteTable for a network interface.

    Args:
        world: the lab's world.
        bgp: its routing.
        nic: the network interface.

    Returns:
        Rows with the keys that are always there (recorded), ``name`` for user-defined routes.
        Empty for an interface that is not there yet.
    """
    found = bgp.network.nics.get(ids.key(nic.id))
    if found is None or world.get(nic.id) is None:
        return []
    return [_row(route) for route in routes_of_subnet(bgp, found.subnet)]


def next_hop(world: World, bgp: Bgp, nic: Resource, destination: str) -> Body:
    """The answer of Network Watcher's ``nextHop`` for a network interface.

    Published: REST specification of networkWatchers, ``NextHopResult``; what is no user-defined
    route has the route table ``System Route``. That no route is type ``None`` is assumed.
    """
    found = bgp.network.nics.get(ids.key(nic.id))
    route = select(routes_of_subnet(bgp, found.subnet), destination) if found else None
    body: Body = {
        "nextHopType": _NEXT_HOPS.get(route.next_hop_type, route.next_hop_type) if route else NONE,
        "routeTableId": "System Route",
    }
    if route is not None and route.next_hop:
        body["nextHopIpAddress"] = route.next_hop
    subnet = bgp.network.subnets.get(found.subnet) if found else None
    if route is not None and route.source == USER and subnet is not None:
        table = world.get(subnet.route_table)
        body["routeTableId"] = str(table.id) if table is not None else subnet.route_table
    return body


_NEXT_HOPS = {VNET_LOCAL: "VirtualNetwork", VNET_PEERING: "VirtualNetworkPeering"}
"""What Network Watcher calls two next hop types (published: "Network Watcher next hop")."""


def routes_of_subnet(bgp: Bgp, subnet: str) -> list[EffectiveRoute]:
    """The effective routes of every network interface in a subnet, by the subnet's key."""
    network = bgp.network
    place = network.subnets.get(subnet)
    vnet = network.vnets.get(place.vnet) if place is not None else None
    if place is None or vnet is None:
        return []
    system = [*_system(network, vnet)]
    user = [*_user(bgp, place, vnet)]
    gateway = [] if network.tables.get(place.route_table) else [*_gateway(bgp, vnet)]
    strong: addresses.PrefixMap[str] = addresses.PrefixMap()
    for route in system:
        if route.next_hop_type in (VNET_LOCAL, VNET_PEERING):
            strong.set_default(route.prefix, route.prefix)
    taken = {route.prefix for route in user}
    shown = [replace(each, active=each.prefix not in taken) for each in system]
    for route in gateway:
        wider = strong.matches(route.prefix.partition("/")[0])
        beaten = any(addresses.covers(each, route.prefix) for each in wider)
        shown.append(replace(route, active=not beaten and route.prefix not in taken))
    heard = {route.prefix for route in shown if route.source == GATEWAY and route.active}
    shown = [
        replace(route, active=False)
        if route.next_hop_type in (INTERNET, NONE) and route.prefix in heard
        else route
        for route in shown
    ]
    return [*shown, *user]


def select(routes: Iterable[EffectiveRoute], destination: str) -> EffectiveRoute | None:
    """The route that a destination address takes; None where none holds it."""
    best: EffectiveRoute | None = None
    for route in routes:
        if not route.active or not addresses.holds(route.prefix, destination):
            continue
        if best is None or _precedence(route) > _precedence(best):
            best = route
    return best


def gateway_of(network: Network, vnet: str) -> records.Gateway | None:
    """The gateway that a user-defined route means: a VPN one (documented: no ExpressRoute one)."""
    return next((each for each in gateways_of(network, vnet) if each.kind == "vpn"), None)


def gateways_of(network: Network, vnet: str) -> list[records.Gateway]:
    """The gateways a VNet's traffic uses: its own, or the remote ones it is lent.

    Of an ExpressRoute and a VPN gateway the former comes first: it is preferred for one and
    the same prefix (documented).
    """
    own = sorted(network.gateways.of(vnet), key=lambda each: each.kind)
    lender = lender_of(network, vnet)
    if own or lender is None:
        return own
    return sorted(network.gateways.of(lender), key=lambda each: each.kind)


def lender_of(network: Network, vnet: str) -> str | None:
    """The VNet whose gateway or Route Server a VNet is lent, by its key; None without one."""
    for here in network.peerings.of(vnet):
        there = network.peering_between(here.remote, vnet)
        if there is None or not (here.remote_gateways and there.transit):
            continue
        if here.connected and here.access and there.connected and there.access:
            return here.remote
    return None


def _precedence(route: EffectiveRoute) -> tuple[int, int]:
    parsed_prefix = addresses.ipv4_network(route.prefix)
    return (parsed_prefix.prefixlen if parsed_prefix is not None else 0, _RANK[route.source])


def _system(network: Network, vnet: records.Vnet) -> Iterable[EffectiveRoute]:
    for prefix in vnet.prefixes:
        yield EffectiveRoute(DEFAULT, prefix, VNET_LOCAL, target=vnet.key)
    for peering in network.peerings.of(vnet.key):
        remote = network.vnets.get(peering.remote)
        if peering.connected and peering.access and remote is not None:
            for prefix in peering.remote_prefixes or remote.prefixes:
                yield EffectiveRoute(DEFAULT, prefix, VNET_PEERING, target=remote.key)
    yield EffectiveRoute(DEFAULT, "0.0.0.0/0", INTERNET)
    for prefix in addresses.PRIVATE:
        if not any(addresses.covers(own, prefix) for own in vnet.prefixes):
            yield EffectiveRoute(DEFAULT, prefix, NONE)


def _gateway(bgp: Bgp, vnet: records.Vnet) -> Iterable[EffectiveRoute]:
    seen: set[str] = set()
    for gateway in gateways_of(bgp.network, vnet.key):
        hop = bgp.network.public_ips.get(gateway.instances[0].public_ip) or ""
        if gateway.kind == "expressroute":
            hop = local_address(bgp.network, gateway)
        for prefix in bgp.remote_prefixes(gateway.key):
            if prefix not in seen:
                yield EffectiveRoute(GATEWAY, prefix, TO_GATEWAY, hop, gateway.key)
            seen.add(prefix)
    # Documented: an appliance's routes reach the VNet and those that use its Route Server.
    for host in (vnet.key, lender_of(bgp.network, vnet.key)):
        for prefix, hop in routes_in(bgp.world, host) if host else ():
            if prefix not in seen:
                yield EffectiveRoute(GATEWAY, prefix, TO_GATEWAY, hop)
            seen.add(prefix)


def _user(bgp: Bgp, subnet: records.Subnet, vnet: records.Vnet) -> Iterable[EffectiveRoute]:
    gateway = gateway_of(bgp.network, vnet.key)
    for route in bgp.network.routes.of(subnet.route_table):
        parsed_prefix = addresses.ipv4_network(route.prefix)
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


def _row(route: EffectiveRoute) -> Body:
    row: Body = {"name": route.name} if route.name else {}
    return row | {
        "source": route.source,
        "state": "Active" if route.active else "Invalid",
        "addressPrefix": [route.prefix],
        "nextHopIpAddress": [route.next_hop] if route.next_hop else [],
        "nextHopType": route.next_hop_type,
        "disableBgpRoutePropagation": False,  # recorded, in every row
    }
