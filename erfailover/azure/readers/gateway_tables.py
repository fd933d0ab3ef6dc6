"""Reads the rows of a gateway's two tables: its BGP peers, its learned routes."""

from __future__ import annotations

from collections.abc import Callable

from erfailover.model.arm_json import Body, text, whole
from erfailover.model.observed import BgpPeer, GatewayRoute

PEER_STATES = ("Unknown", "Stopped", "Idle", "Connecting", "Connected")
ORIGINS = ("Network", "EBgp", "IBgp", "Igp")
"""Enumerations, as Azure documents them; another value is kept as it is."""


def peer(row: Body) -> BgpPeer:
    """One row of ``getBgpPeerStatus``; an empty string is no value."""
    return BgpPeer(
        neighbor=text(row.get("neighbor")),
        local_address=text(row.get("localAddress")) or None,
        asn=whole(row.get("asn")),
        state=text(row.get("state"), PEER_STATES) or "Unknown",
        connected_duration=text(row.get("connectedDuration")) or None,
        routes_received=whole(row.get("routesReceived")),
        messages_sent=whole(row.get("messagesSent")),
        messages_received=whole(row.get("messagesReceived")),
    )


def route(row: Body) -> GatewayRoute:
    """One row of ``getLearnedRoutes``; an empty string is no value."""
    get = row.get
    return GatewayRoute(  # by position: there are thousands
        text(get("network")),
        text(get("nextHop")) or None,
        text(get("localAddress")) or None,
        whole(get("weight")),
        text(get("sourcePeer")) or None,
        text(get("origin"), ORIGINS),
        text(get("asPath")) or None,
    )


PARSERS: dict[str, Callable[[Body], BgpPeer | GatewayRoute]] = {
    "get_bgp_peer_status": peer,
    "get_learned_routes": route,
}
