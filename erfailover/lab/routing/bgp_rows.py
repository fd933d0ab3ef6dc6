"""The rows of getBgpPeerStatus, getLearnedRoutes and getAdvertisedRoutes; pure."""

from __future__ import annotations

from erfailover.lab.core.world import Body

WEIGHT = 32768
"""Observed of every row of a VPN gateway with BGP."""


def route_row(
    local: str, prefix: str, hop: str | None, source: str, origin: str, as_path: str, weight: int
) -> Body:
    """One route; recorded: a local one has no ``nextHop``."""
    row: Body = {"localAddress": local, "network": prefix}
    if hop is not None:
        row["nextHop"] = hop
    row |= {"sourcePeer": source, "origin": origin, "asPath": as_path, "weight": weight}
    return row


def silent_peer(local: str, neighbor: str, asn: int, state: str) -> Body:
    """A peer without a session; recorded: it has no ``connectedDuration``."""
    return {
        "localAddress": local,
        "neighbor": neighbor,
        "asn": asn,
        "state": state,
        "routesReceived": 0,
        "messagesSent": 0,
        "messagesReceived": 0,
    }


def connected_peer(
    local: str, neighbor: str, asn: int, seconds: float, received: int, messages: tuple[int, int]
) -> Body:
    """A peer whose session has been up for some seconds; messages are sent, then received."""
    return {
        "localAddress": local,
        "neighbor": neighbor,
        "asn": asn,
        "state": "Connected",
        "connectedDuration": duration(seconds),
        "routesReceived": received,
        "messagesSent": messages[0],
        "messagesReceived": messages[1],
    }


def message_count(routes: int, seconds: float, keepalive_s: float) -> int:
    """Messages one way: OPEN, the first KEEPALIVE, updates, then a KEEPALIVE at a time."""
    return 3 + routes + int(seconds // keepalive_s)


def duration(seconds: float) -> str:
    """A ``connectedDuration``: ``00:01:14.8269278``, beyond a day ``3.03:14:13.1796961``."""
    ticks = max(0, round(seconds * 10_000_000))
    whole, fraction = divmod(ticks, 10_000_000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    text = f"{hour:02}:{minute:02}:{second:02}"
    if days:
        text = f"{days}.{text}"
    return f"{text}.{fraction:07}" if fraction else text
