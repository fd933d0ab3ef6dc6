"""The routes that a table of ``routing`` has on a path, and the writes that lead to them. Pure.

The mode ``overlay`` is decided for each route. One within a remote prefix changes its next hop. One
that is wider, or that carries a spoke or a hub as well, stays: beside it, narrower routes for the
remote prefixes are added on the path ipsec, and removed on the other. So the Internet and the
other spokes are reached as before on either path. ``replace`` exchanges the next hop of complete
routes.

Only routes whose names begin with ``OWN`` are ever removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import IPv4Network

from erfailover.model.plan import Change, RouteWrite
from erfailover.model.route_tables import APPLIANCE, RouteTable, UserRoute
from erfailover.model.site import Path, SpokeRouteTable
from erfailover.planning.route_selection import exclude_prefix, split_prefix

OWN = "erfailover-"
"""How the names of the routes begin that a switch adds and removes."""


def list_writes(
    entry: SpokeRouteTable,
    table: RouteTable,
    target: Path,
    remote: Sequence[IPv4Network],
    kept: Sequence[IPv4Network],
) -> tuple[RouteWrite, ...]:
    """Return the writes after which a table sends the remote prefixes by a path's appliance.

    Args:
        entry: what the site file says of the table.
        table: as it is.
        target: the path.
        remote: the remote prefixes.
        kept: the address spaces that stay where they are: spokes, hubs, VNets peered with these.
    """
    desired = {
        route.name.lower(): route
        for route in compute_routes(entry, table, target, remote, kept).routes
    }
    existing = {route.name.lower(): route for route in table.routes}
    writes = []
    for name, after in desired.items():
        before = existing.get(name)
        if before != after:
            change = Change.UPDATE if before else Change.CREATE
            writes.append(RouteWrite(change, table.id, before, after))
    writes += [
        RouteWrite(Change.DELETE, table.id, before, None)
        for name, before in existing.items()
        if name not in desired
    ]
    return tuple(writes)


def compute_routes(
    entry: SpokeRouteTable,
    table: RouteTable,
    target: Path,
    remote: Sequence[IPv4Network],
    kept: Sequence[IPv4Network],
) -> RouteTable:
    """Return a table as it is on a path; the arguments are those of ``list_writes``."""
    present = replace(table, routes=tuple(route for route in table.routes if not is_own(route)))
    if entry.mode == "replace":
        routes = tuple(_exchange_if_named(entry, route, target) for route in present.routes)
        return replace(table, routes=routes)
    routes = tuple(
        exchange(entry, route, target) if _is_replaced(entry, route, remote, kept) else route
        for route in present.routes
    )
    present = replace(present, routes=routes)
    if target is Path.EXPRESSROUTE:
        return present
    added = _list_added(entry, present, remote, kept)
    return replace(present, routes=(*routes, *added))


def is_own(route: UserRoute) -> bool:
    """Return whether a switch has added a route."""
    return route.name.lower().startswith(OWN)


def leads_to_appliance(entry: SpokeRouteTable, route: UserRoute) -> bool:
    """Return whether a route has one of the two next hops that the site file names."""
    hops = (entry.on_expressroute, entry.on_ipsec)
    return route.next_hop_type == APPLIANCE and route.address in hops


def exchange(entry: SpokeRouteTable, route: UserRoute, target: Path) -> UserRoute:
    """Return a route with the next hop of a path."""
    if route.address == entry.get_next_hop(target):
        return route
    return replace(route, next_hop=str(entry.get_next_hop(target)))


def _exchange_if_named(entry: SpokeRouteTable, route: UserRoute, target: Path) -> UserRoute:
    names = {name.lower() for name in entry.routes}
    if not leads_to_appliance(entry, route) or (names and route.name.lower() not in names):
        return route
    return exchange(entry, route, target)


def _is_replaced(
    entry: SpokeRouteTable,
    route: UserRoute,
    remote: Iterable[IPv4Network],
    kept: Iterable[IPv4Network],
) -> bool:
    """Return whether a route carries remote prefixes alone."""
    prefix = route.network
    if prefix is None or not leads_to_appliance(entry, route):
        return False
    if any(prefix.overlaps(space) for space in kept):
        return False
    return any(prefix.subnet_of(item) for item in remote)


def _list_added(
    entry: SpokeRouteTable,
    present: RouteTable,
    remote: Sequence[IPv4Network],
    kept: Sequence[IPv4Network],
) -> list[UserRoute]:
    """Return the routes for the remote prefixes that a wider route takes to the primary's hub.

    A table that takes the routes of gateways has the remote prefix from them: a wider route of the
    table then carries nothing of it.
    """
    taken = {route.network for route in present.routes}
    prefixes = [
        part
        for item in remote
        if any(
            piece.route is not None
            and piece.route.next_hop_type == APPLIANCE
            and piece.route.address == entry.on_expressroute
            for piece in split_prefix(present, [item], item)
        )
        for part in split_around(item, kept)
        if part not in taken
    ]
    hop = str(entry.on_ipsec)
    return [
        UserRoute(build_name(prefix), str(prefix), APPLIANCE, hop)
        for prefix in dict.fromkeys(prefixes)
        if not any(prefix != other and prefix.subnet_of(other) for other in prefixes)
    ]


def build_name(prefix: IPv4Network) -> str:
    """Return the name of the route that is added for a prefix."""
    return f"{OWN}{prefix.network_address}-{prefix.prefixlen}"


def split_around(prefix: IPv4Network, kept: Iterable[IPv4Network]) -> tuple[IPv4Network, ...]:
    """Return a prefix without some others: the fewest prefixes that cover the rest, in order."""
    parts = [prefix]
    for space in kept:
        parts = [rest for part in parts for rest in exclude_prefix(part, space)]
    return tuple(sorted(parts))
