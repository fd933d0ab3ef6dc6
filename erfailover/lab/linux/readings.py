"""What the gateways' routers and tunnels said last, and the rows of Azure's tables made of it.

The mapping to rows: ``Connected`` is BIRD's ``Established``, everything else ``Connecting``; the
duration is the time since the last change of state, in modelled seconds; the counts of messages,
which BIRD does not give, are those that the duration and the routes imply.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from erfailover.lab.core.world import Body
from erfailover.lab.linux.bird_output import (
    ESTABLISHED,
    BgpSession,
    BirdRoute,
    parse_routes,
    parse_sessions,
)
from erfailover.lab.linux.translation.gateways import SESSION, TWIN
from erfailover.lab.routing import bgp_rows

UNKNOWN, CONNECTING = "Unknown", "Connecting"


@dataclass(frozen=True, slots=True)
class GatewayReading:
    """One reading of a gateway instance.

    ``running`` is whether BIRD answered. ``exports`` are the routes sent, by session; ``tunnels``
    says by device whether an IPsec tunnel carries packets.
    """

    running: bool = False
    sessions: Mapping[str, BgpSession] = field(default_factory=dict)
    routes: tuple[BirdRoute, ...] = ()
    exports: Mapping[str, tuple[BirdRoute, ...]] = field(default_factory=dict)
    tunnels: Mapping[str, bool] = field(default_factory=dict)

    def list_received(self, session: str) -> list[BirdRoute]:
        """Return the routes received in a session, used or not."""
        return [route for route in self.routes if route.session == session]

    def list_learned(self) -> tuple[str, ...]:
        """Return the prefixes whose best route came from another gateway's instance."""
        return tuple(
            route.prefix
            for route in self.routes
            if route.best and route.session.startswith(SESSION)
        )

    def find_established(self, session: str, neighbor: str) -> BgpSession | None:
        """Return a session if it is up, and with that neighbour, which may have just changed."""
        found = self.sessions.get(session)
        if found is None or found.state != ESTABLISHED or found.neighbor != neighbor:
            return None
        return found


def read_gateway(answer: Any) -> GatewayReading:
    """Return the reading in the agent's answer to ``read_gateway``."""
    tunnels = {each["device"]: bool(each["up"]) for each in answer["tunnels"].values()}
    bird = answer["bird"]
    if bird is None:
        return GatewayReading(tunnels=tunnels)
    return GatewayReading(
        running=True,
        sessions=parse_sessions(bird["protocols"]),
        routes=tuple(parse_routes(bird["routes"])),
        exports={name: tuple(parse_routes(text)) for name, text in bird["exported"].items()},
        tunnels=tunnels,
    )


def build_peer_row(
    reading: GatewayReading,
    session: str,
    ends: tuple[str, str, int],
    timing: tuple[float, float],
) -> Body:
    """Return a row of getBgpPeerStatus.

    Args:
        reading: the instance's reading.
        session: the session's name in BIRD.
        ends: the local address, the neighbour's address and its ASN.
        timing: the lab's speed, and the keepalive time in modelled seconds.
    """
    local, neighbor, asn = ends
    speed, keepalive_s = timing
    established = reading.find_established(session, neighbor)
    if established is None:
        state = CONNECTING if reading.running else UNKNOWN
        return bgp_rows.build_silent_peer(local, neighbor, asn, state)
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)  # the agent's daemons live in UTC
    seconds = (now - established.since).total_seconds() * speed
    received = len(reading.list_received(session))
    sent = len(reading.exports.get(session, ()))
    messages = (
        bgp_rows.count_messages(sent, seconds, keepalive_s),
        bgp_rows.count_messages(received, seconds, keepalive_s),
    )
    return bgp_rows.build_connected_peer(local, neighbor, asn, seconds, received, messages)


def build_learned_row(route: BirdRoute, local: str) -> Body:
    """Return a row of getLearnedRoutes."""
    text = "-".join(str(asn) for asn in route.as_path)
    origin = "IBgp" if route.session == TWIN else "EBgp"
    hop = route.next_hop
    return bgp_rows.build_route(local, route.prefix, hop, hop, origin, text)


def build_advertised_row(route: BirdRoute, local: str, asn: int) -> Body:
    """Return a row of getAdvertisedRoutes, with the gateway's own ASN first in the path."""
    text = "-".join(str(number) for number in (asn, *route.as_path))
    return bgp_rows.build_route(local, route.prefix, local, local, "Igp", text, 0)
