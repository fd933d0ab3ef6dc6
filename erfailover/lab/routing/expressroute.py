"""The sessions of ExpressRoute gateways with the Microsoft edge, and the routes these bring.

Owns the two sessions for each circuit, what they tell, the time both take to change, and the rows
that a gateway's BGP tables have of them. It never looks at VPN gateways. Of the network behind a
circuit only the prefixes that it announces are modelled; IPv6 ones show in the tables and carry no
packet (published: private peering carries both; that their rows look alike is assumed).

Observed in public write-ups: a gateway speaks from the 13th address of its GatewaySubnet
(10.0.4.12 of 10.0.4.0/27); its edges have the 5th and 6th, a second circuit's the next two. The
edge's ASN is 12076; a route has the path 12076 and the customer's ASN, weight 32769, origin EBgp
and the edge as its next hop. If the circuit's far end is silent, the edges stay Connected and no
route comes: the session of an edge router with the customer edge is ``circuit_sessions``'.

What a circuit's far end announces is no part of ARM: here it is the circuit's tag
``lab:on-premises``, a list of prefixes in which every address answers, announced while the
circuit's private peering is Enabled. Nor is an edge router's failure: the tag ``lab:edges-down``
names the edges that do not answer, ``primary`` or ``secondary``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count

from erfailover.lab.core.addresses import EDGE_ASN, EXPRESS_OFFSETS, GATEWAY_ASN
from erfailover.lab.core.world import Body, World
from erfailover.lab.routing.bgp_rows import (
    WEIGHT,
    connected_peer,
    message_count,
    route_row,
    silent_peer,
)
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.records import Circuit, CircuitPeering, Gateway

EDGE_WEIGHT = 32769
EDGE_OFFSET = 4


@dataclass(frozen=True, slots=True)
class Link:
    """A connection of a gateway to a circuit, as the gateway sees it.

    ``edges_up`` says which of the sessions to the two ``edges`` are; ``told`` is what each of the
    two tells: nothing while it has no session with the customer edge.
    """

    connection: str
    edges: tuple[str, str]
    asn: int
    edges_up: tuple[bool, bool]
    told: tuple[tuple[str, ...], tuple[str, ...]]
    ipv6: tuple[str, ...] = ()

    @property
    def up(self) -> bool:
        """Whether packets pass: one session is enough."""
        return any(self.edges_up)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What either edge tells."""
        return tuple(dict.fromkeys((*self.told[0], *self.told[1])))

    def told_by(self, edge: str) -> tuple[str, ...]:
        """What an edge tells."""
        return self.told[self.edges.index(edge)]

    @property
    def live(self) -> tuple[str, ...]:
        """The edges with a session."""
        return tuple(edge for edge, up in zip(self.edges, self.edges_up, strict=True) if up)


class ExpressRoute:
    """The links of every ExpressRoute gateway, by the gateway's key."""

    def __init__(self, world: World, delay_s: float, moved: Callable[[], None]) -> None:
        self._world = world
        self._delay_s = delay_s
        self._moved = moved
        self._wanted: dict[str, tuple[Link, ...]] = {}
        self._links: dict[str, tuple[Link, ...]] = {}
        self._since: dict[tuple[str, str, str], float] = {}

    def reconcile(self, network: Network) -> None:
        """Take in what is configured now; it shows after a delay."""
        wanted = {
            key: _links(network, gateway)
            for key, gateway in network.gateways.all.items()
            if gateway.kind == "expressroute"
        }
        for key, links in wanted.items():
            if links != self._wanted.get(key, ()):
                apply = partial(self._apply, key, links)
                self._world.at(self._world.now + self._delay_s, apply)
        for key in self._links.keys() - wanted.keys():
            del self._links[key]
        self._wanted = wanted

    def _apply(self, gateway: str, links: tuple[Link, ...]) -> None:
        if gateway not in self._wanted:
            return
        before = {(old.connection, edge) for old in self.links(gateway) for edge in old.live}
        self._links[gateway] = links
        for each in links:
            for edge in each.live:
                if (each.connection, edge) not in before:
                    self._since[gateway, each.connection, edge] = self._world.now
        self._moved()

    def links(self, gateway: str) -> tuple[Link, ...]:
        """A gateway's links as they show now."""
        return self._links.get(gateway, ())

    def since(self, gateway: str, link: Link, edge: str) -> float:
        """When the session of a link with one of its edges came up."""
        return self._since.get((gateway, link.connection, edge), 0.0)

    def heard(self, gateway: str) -> dict[str, Link]:
        """The link that each prefix from beyond a gateway's circuits is reached by."""
        found: dict[str, Link] = {}
        for link in self.links(gateway):
            for prefix in link.prefixes:
                found.setdefault(prefix, link)
        return found

    def connected(self, connection: str) -> bool:
        """Whether a connection's sessions are up."""
        links = (each for links in self._links.values() for each in links)
        return any(each.up for each in links if each.connection == connection)


def local_address(network: Network, gateway: Gateway) -> str:
    """The address from which a gateway speaks to the edge; empty where it has no subnet."""
    if gateway.instances and gateway.instances[0].addresses:
        return gateway.instances[0].addresses[0]
    base = _base(network, gateway)
    return str(base + EXPRESS_OFFSETS[0]) if base is not None else ""


def _base(network: Network, gateway: Gateway) -> ipaddress.IPv4Address | None:
    subnet = network.subnets.get(f"{gateway.vnet}/subnets/gatewaysubnet")
    if subnet is None or not subnet.prefixes:
        return None
    return ipaddress.IPv4Network(subnet.prefixes[0]).network_address


def _links(network: Network, gateway: Gateway) -> tuple[Link, ...]:
    base = _base(network, gateway)
    if base is None:
        return ()
    found: list[Link] = []
    free = _edge_addresses(network, gateway, base)
    for connection in network.connections.of(gateway.key):
        circuit = network.circuits.get(connection.circuit)
        if circuit is None:
            continue
        peering = next(iter(network.circuit_peerings.of(circuit.key)), None)
        up = circuit.provisioned and circuit.location.lower() not in gateway.failed_locations
        hears = customer_sessions(circuit, peering) if up else (False, False)
        found.append(
            Link(
                connection.key,
                (next(free), next(free)),
                peering.asn if peering is not None else 0,
                circuit.edges_up if up else (False, False),
                (circuit.prefixes if hears[0] else (), circuit.prefixes if hears[1] else ()),
                circuit.ipv6 if any(hears) else (),
            )
        )
    return tuple(found)


def customer_sessions(circuit: Circuit, peering: CircuitPeering | None) -> tuple[bool, bool]:
    """Whether each edge router of a circuit has its session with the customer edge."""
    if peering is None or not peering.enabled or not circuit.provisioned:
        return False, False
    return (
        circuit.edges_up[0] and circuit.customer_up[0],
        circuit.edges_up[1] and circuit.customer_up[1],
    )


def _edge_addresses(
    network: Network, gateway: Gateway, base: ipaddress.IPv4Address
) -> Iterator[str]:
    """The addresses of the edges, in order: those that no gateway of the VNet has."""
    taken = {
        address
        for each in network.gateways.of(gateway.vnet)
        for instance in each.instances
        for address in instance.addresses
    }
    return (
        address for offset in count(EDGE_OFFSET) if (address := str(base + offset)) not in taken
    )


def edge_rows(
    express: ExpressRoute,
    network: Network,
    gateway: Gateway,
    told: int,
    now: float,
    keepalive_s: float,
) -> list[Body]:
    """The rows of getBgpPeerStatus: two edges a circuit, which are told ``told`` routes."""
    local = local_address(network, gateway)
    rows: list[Body] = []
    for link in express.links(gateway.key):
        for edge in link.edges:
            received = len(link.told_by(edge)) + len(link.ipv6)
            if edge not in link.live:
                rows.append(silent_peer(local, edge, EDGE_ASN, "Connecting"))
                continue
            seconds = now - express.since(gateway.key, link, edge)
            sent = message_count(told, seconds, keepalive_s)
            messages = (sent, message_count(received, seconds, keepalive_s))
            rows.append(connected_peer(local, edge, EDGE_ASN, seconds, received, messages))
    return rows


def edge_routes(
    express: ExpressRoute, network: Network, gateway: Gateway, own: tuple[str, ...]
) -> list[Body]:
    """The rows of getLearnedRoutes: ``own`` prefixes, then each route from each edge."""
    local = local_address(network, gateway)
    rows = [route_row(local, prefix, None, local, "Network", "", WEIGHT) for prefix in own]
    for link in express.links(gateway.key):
        path = f"{EDGE_ASN}-{link.asn}" if link.asn else str(EDGE_ASN)
        for prefix in (*link.prefixes, *link.ipv6):
            for edge in link.live:
                if prefix in (*link.told_by(edge), *link.ipv6):
                    rows.append(route_row(local, prefix, edge, edge, "EBgp", path, EDGE_WEIGHT))
    return rows


def told_to_edge(
    express: ExpressRoute, network: Network, gateway: Gateway, own: tuple[str, ...], peer: str
) -> list[Body]:
    """The rows of getAdvertisedRoutes: what an edge is told (observed: path 65515)."""
    edges = {edge for link in express.links(gateway.key) for edge in link.live}
    local = local_address(network, gateway)
    return [
        route_row(local, prefix, local, local, "Igp", str(GATEWAY_ASN), 0)
        for prefix in own
        if peer in edges
    ]
