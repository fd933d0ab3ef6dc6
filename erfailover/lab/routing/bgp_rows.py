"""The rows of getBgpPeerStatus, getLearnedRoutes and getAdvertisedRoutes; pure."""

from __future__ import annotations

from collections.abc import Iterable

from erfailover.lab.core.world import Body
from erfailover.lab.routing.records import LocalGateway

WEIGHT = 32768
"""Observed of every row of a VPN gateway with BGP."""


def build_route(
    local: str,
    prefix: str,
    hop: str | None,
    source: str,
    origin: str,
    as_path: str,
    weight: int = WEIGHT,
) -> Body:
    """Return a route's row; recorded: a local one has no ``nextHop``."""
    row: Body = {"localAddress": local, "network": prefix}
    if hop is not None:
        row["nextHop"] = hop
    row |= {"sourcePeer": source, "origin": origin, "asPath": as_path, "weight": weight}
    return row


def build_static_rows(far_ends: Iterable[LocalGateway]) -> list[Body]:
    """Return the routes of a gateway without BGP (recorded): no local address, weight 0."""
    return [
        build_route("", prefix, far.public_address, far.public_address, "Network", "", 0)
        for far in far_ends
        for prefix in far.prefixes
    ]


def build_silent_peer(local: str, neighbor: str, asn: int, state: str) -> Body:
    """Return a peer without a session; recorded: it has no ``connectedDuration``."""
    return {
        "localAddress": local,
        "neighbor": neighbor,
        "asn": asn,
        "state": state,
        "routesReceived": 0,
        "messagesSent": 0,
        "messagesReceived": 0,
    }


def build_connected_peer(
    local: str, neighbor: str, asn: int, seconds: float, received: int, messages: tuple[int, int]
) -> Body:
    """Return a peer with a session of a given age; messages are sent, then received."""
    return {
        "localAddress": local,
        "neighbor": neighbor,
        "asn": asn,
        "state": "Connected",
        "connectedDuration": format_duration(seconds),
        "routesReceived": received,
        "messagesSent": messages[0],
        "messagesReceived": messages[1],
    }


def count_messages(routes: int, seconds: float, keepalive_s: float) -> int:
    """Return the messages one way: OPEN, the first KEEPALIVE, updates, then KEEPALIVEs."""
    return 3 + routes + int(seconds // keepalive_s)


def format_duration(seconds: float) -> str:
    """Format a ``connectedDuration``: ``00:01:14.8269278``, or ``3.03:14:13.1796961``."""
    ticks = max(0, round(seconds * 10_000_000))
    whole, fraction = divmod(ticks, 10_000_000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    text = f"{hour:02}:{minute:02}:{second:02}"
    if days:
        text = f"{days}.{text}"
    return f"{text}.{fraction:07}" if fraction else text
