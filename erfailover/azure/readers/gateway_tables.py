"""Reads the rows of a gateway's two tables: its BGP peers, its learned routes."""

from __future__ import annotations

from collections.abc import Callable

from erfailover.model.arm_json import Body, parse_int, parse_text
from erfailover.model.observed import BgpPeer, GatewayRoute

PEER_STATES = ("Unknown", "Stopped", "Idle", "Connecting", "Connected")
ORIGINS = ("Network", "EBgp", "IBgp", "Igp")
"""Enumerations, as Azure documents them; another value is kept as it is."""


def parse_peer(row: Body) -> BgpPeer:
    """One row of ``getBgpPeerStatus``; an empty string is no value."""
    return BgpPeer(
        neighbor=parse_text(row.get("neighbor")),
        local_address=parse_text(row.get("localAddress")) or None,
        asn=parse_int(row.get("asn")),
        state=parse_text(row.get("state"), PEER_STATES) or "Unknown",
        connected_duration=parse_text(row.get("connectedDuration")) or None,
        routes_received=parse_int(row.get("routesReceived")),
        messages_sent=parse_int(row.get("messagesSent")),
        messages_received=parse_int(row.get("messagesReceived")),
    )


def parse_route(row: Body) -> GatewayRoute:
    """One row of ``getLearnedRoutes``; an empty string is no value."""
    get = row.get
    return GatewayRoute(  # by position: there are thousands
        parse_text(get("network")),
        parse_text(get("nextHop")) or None,
        parse_text(get("localAddress")) or None,
        parse_int(get("weight")),
        parse_text(get("sourcePeer")) or None,
        parse_text(get("origin"), ORIGINS),
        parse_text(get("asPath")) or None,
    )


PARSERS: dict[str, Callable[[Body], BgpPeer | GatewayRoute]] = {
    "get_bgp_peer_status": parse_peer,
    "get_learned_routes": parse_route,
}
