"""The tables of a status: peerings, BGP peers, learned routes. Pure.

Of hundreds of rows, only as many are shown as a person can read, those with problems first, with
the number of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import asdict
from ipaddress import IPv4Network

from rich.text import Text

from erfailover.model.durations import format_duration
from erfailover.model.observed import BgpPeer, Gateway, GatewayRoute, SiteSnapshot
from erfailover.model.prefix_table import PrefixTable, build_table, parse_route_prefix
from erfailover.planning.conditions import CONNECTED, parse_duration_s
from erfailover.reporting.marks import Mark
from erfailover.reporting.screen import Screen
from erfailover.reporting.tables import format_table
from erfailover.reporting.topology.model import PeeringSide, Picture
from erfailover.reporting.words import wrap

ROWS = 20
"""Up to this many rows of a table are shown."""
OWN, FEW = "Network", 3
"""The origin of what a gateway originates, and how many of these are shown if rows are cut."""
PEERING = ("", "peering", "to", "state", "sync", "access", "forwarded", "transit", "remote gw")
ALL = "erfailover status -o json"
"""What shows all of them."""


def format_tables(picture: Picture, observed: SiteSnapshot, screen: Screen) -> Iterator[str]:
    """Every table, a blank line between them."""
    yield format_peering_table(picture, screen)
    prefixes = [remote_prefix.prefix for remote_prefix in picture.remote_prefixes]
    for gateway in observed.gateways.values():
        yield ""
        yield format_peer_table(gateway, screen)
        yield ""
        yield format_route_table(gateway, prefixes, screen)


def format_peering_table(picture: Picture, screen: Screen) -> str:
    """Return the peerings of the spokes with either hub; of many, those with problems first."""
    sides = [
        side
        for spoke in picture.spokes
        for pair in spoke.pairs
        for side in pair.sides
        if side.peering or not side.condition.good
    ]
    if len(sides) > ROWS:
        sides.sort(key=lambda side: side.condition.rank)
    peering_sides = sides[:ROWS]
    several = len({side.name for side in sides}) < len(sides)
    rows = [_format_peering_row(side, screen, owner=several) for side in peering_sides]
    wrong = any(not side.condition.good for side in peering_sides)
    headings = PEERING if wrong else PEERING[1:]
    drawn = format_table(
        "Peerings",
        headings,
        [[row[heading] for heading in headings] for row in rows],
        screen,
        names=("peering", "to"),
        spare=("to", "access", "sync"),
    )
    return _cut(drawn, len(sides) - len(peering_sides), _describe_hidden(sides))


def _describe_hidden(sides: Sequence[PeeringSide]) -> str:
    wrong = sum(not side.condition.good for side in sides[ROWS:])
    return f"{wrong} of them with problems" if wrong else "all OK"


def _format_peering_row(side: PeeringSide, screen: Screen, *, owner: bool) -> dict[str, object]:
    """Return a row by its headings; the first of them is the sign of a problem."""
    mark, good = side.condition.mark, side.condition.good
    style = "" if good else screen.get_style(mark)
    absent = "missing" if mark is Mark.BROKEN else "unknown"
    peering = side.peering
    flags = asdict(peering.flags).values() if peering else (None,) * 4
    words = (None if flag is None else "yes" if flag else "no" for flag in flags)
    return {
        "": "" if good else Text(screen.get_sign(mark), style),
        "peering": Text(f"{side.owner}/{side.name}" if owner else side.name, style),
        "to": side.remote,
        "state": Text(peering.state if peering else absent, style),
        "sync": peering.sync_level if peering else None,
        **dict(zip(PEERING[-4:], words, strict=True)),
    }


def format_peer_table(gateway: Gateway, screen: Screen) -> str:
    """Return a gateway's BGP peers; with its own address if it lists one at two instances."""
    title = f"{gateway.name} ({gateway.role} hub): BGP peers"
    if gateway.peers.value is None:
        return _format_unknown(title, gateway.peers.unknown, screen)
    peers = gateway.peers.value
    twice = len({peer.neighbor for peer in peers}) < len(peers)
    headings = ["neighbor", *(["at"] if twice else []), "ASN", "state"]
    rows = [
        (
            peer.neighbor,
            *([peer.local_address] if twice else []),
            peer.asn,
            Text(peer.state, _get_colour(peer.state == CONNECTED, screen)),
            _format_uptime(peer),
            peer.routes_received,
            peer.messages_sent,
            peer.messages_received,
        )
        for peer in peers
    ]
    headings += ["connected for", "routes", "sent", "received"]
    return format_table(title, headings, rows, screen, spare=("received", "sent"))


def _format_unknown(title: str, why: str | None, screen: Screen) -> str:
    return "\n".join(wrap(f"{title}: unknown: {why}", screen.width, rest="  "))


def _format_uptime(peer: BgpPeer) -> str | None:
    """Return how long a peer has been connected; Azure's text if that is not a duration."""
    seconds = parse_duration_s(peer.connected_duration)
    return peer.connected_duration if seconds is None else format_duration(seconds)


def _get_colour(good: bool, screen: Screen) -> str:
    return screen.get_style(Mark.SOUND if good else Mark.BROKEN)


def format_route_table(gateway: Gateway, prefixes: Sequence[IPv4Network], screen: Screen) -> str:
    """Return a gateway's routes; if there are many, those to the remote prefixes first.

    Args:
        gateway: whose.
        prefixes: what the spokes must reach.
        screen: what it is shown on.
    """
    title = f"{gateway.name} ({gateway.role} hub): learned routes"
    if gateway.learned_routes.value is None:
        return _format_unknown(title, gateway.learned_routes.unknown, screen)
    routes = list(gateway.learned_routes.value)
    if len(routes) > ROWS:
        desired = build_table(prefixes)
        networks = {route.network for route in routes}
        needed = {network for network in networks if _is_within(network, desired)}
        routes.sort(key=lambda route: _rank(route, needed))
        others = sum(route.origin != OWN for route in routes)
        rows = routes[: min(ROWS, max(others, FEW))]
    else:
        rows = routes
    drawn = format_table(
        title,
        ("network", "next hop", "source peer", "origin", "AS path", "weight"),
        [
            (
                route.network,
                route.next_hop,
                route.source_peer,
                route.origin,
                route.as_path,
                route.weight,
            )
            for route in rows
        ],
        screen,
        names=("AS path",),
        spare=("weight",),
    )
    own = sum(route.origin == OWN for route in routes[len(rows) :])
    return _cut(drawn, len(routes) - len(rows), f"{own} with origin Network")


def _rank(route: GatewayRoute, needed: Set[str]) -> int:
    if route.origin == OWN:
        return 2
    return 0 if route.network in needed else 1


def _is_within(network: str, prefixes: PrefixTable[IPv4Network, IPv4Network]) -> bool:
    prefix = parse_route_prefix(network)
    return prefix is not None and next(prefixes.iter_within(prefix), None) is not None


def _cut(drawn: str, more: int, what: str) -> str:
    return f"{drawn}\n ... {more} more, {what}; all: {ALL}" if more else drawn
