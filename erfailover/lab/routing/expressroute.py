"""The sessions of ExpressRoute gateways with the Microsoft edge, and their routes.

Owns the two sessions for each circuit, their routes, the time both take to change, and the rows
that a gateway's BGP tables have of them. It never reads VPN gateways. Of the network behind a
circuit only the prefixes that it announces are modelled; IPv6 ones show in the tables and carry no
packet (published: private peering carries both; that their rows have the same form is assumed).

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
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count

from erfailover.lab.core.addresses import EDGE_ASN, EXPRESS_OFFSETS, GATEWAY_ASN
from erfailover.lab.core.world import Body, World
from erfailover.lab.routing.bgp_rows import (
    WEIGHT,
    build_connected_peer,
    build_route,
    build_silent_peer,
    count_messages,
)
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.records import Circuit, CircuitPeering, Gateway

EDGE_WEIGHT = 32769
EDGE_OFFSET = 4


@dataclass(frozen=True, slots=True)
class CircuitLink:
    """A connection of a gateway to a circuit, from the gateway's side.

    ``edges_up`` is which of the sessions to the two ``edges`` are up; ``advertised`` are the
    prefixes of each of the two: none while it has no session with the customer edge.
    """

    connection: str
    edges: tuple[str, str]
    asn: int
    edges_up: tuple[bool, bool]
    advertised: tuple[tuple[str, ...], tuple[str, ...]]
    ipv6: tuple[str, ...] = ()

    @property
    def is_up(self) -> bool:
        """Whether packets pass: one session is enough."""
        return any(self.edges_up)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The prefixes that at least one edge advertises."""
        return tuple(dict.fromkeys((*self.advertised[0], *self.advertised[1])))

    def list_advertised(self, edge: str) -> tuple[str, ...]:
        """Return the prefixes that an edge advertises."""
        return self.advertised[self.edges.index(edge)]

    @property
    def live_edges(self) -> tuple[str, ...]:
        """The edges with a session."""
        return tuple(edge for edge, up in zip(self.edges, self.edges_up, strict=True) if up)


class ExpressRoute:
    """The links of every ExpressRoute gateway, by the gateway's key."""

    def __init__(self, world: World, delay_s: float) -> None:
        self._world = world
        self._delay_s = delay_s
        self.moves = 0
        """Counts the changes by events."""
        self._configured: dict[str, tuple[CircuitLink, ...]] = {}
        self._links: dict[str, tuple[CircuitLink, ...]] = {}
        self._since: dict[tuple[str, str, str], float] = {}

    def reconcile(self, network: Network) -> None:
        """Process the current configuration; it takes effect after a delay."""
        configured = {
            key: _read_links(network, gateway)
            for key, gateway in network.gateways.all.items()
            if gateway.kind == "expressroute"
        }
        for key, links in configured.items():
            if links != self._configured.get(key, ()):
                apply = partial(self._apply, key, links)
                self._world.schedule(self._world.now + self._delay_s, apply)
        for key in self._links.keys() - configured.keys():
            del self._links[key]
        self._configured = configured

    def _apply(self, gateway: str, links: tuple[CircuitLink, ...]) -> None:
        if gateway not in self._configured:
            return
        before = {
            (old.connection, edge) for old in self.get_links(gateway) for edge in old.live_edges
        }
        self._links[gateway] = links
        for link in links:
            for edge in link.live_edges:
                if (link.connection, edge) not in before:
                    self._since[gateway, link.connection, edge] = self._world.now
        self.moves += 1

    def get_links(self, gateway: str) -> tuple[CircuitLink, ...]:
        """Return a gateway's links as they are now."""
        return self._links.get(gateway, ())

    def get_up_since(self, gateway: str, link: CircuitLink, edge: str) -> float:
        """Return when the session of a link with one of its edges came up."""
        return self._since.get((gateway, link.connection, edge), 0.0)

    def map_links_by_prefix(self, gateway: str) -> dict[str, CircuitLink]:
        """Return the link for each prefix beyond a gateway's circuits."""
        links_by_prefix: dict[str, CircuitLink] = {}
        for link in self.get_links(gateway):
            for prefix in link.prefixes:
                links_by_prefix.setdefault(prefix, link)
        return links_by_prefix

    def is_connected(self, connection: str) -> bool:
        """Return whether a connection's sessions are up."""
        links = (link for links in self._links.values() for link in links)
        return any(link.is_up for link in links if link.connection == connection)


def get_local_address(network: Network, gateway: Gateway) -> str:
    """Return a gateway's address toward the edge; empty if it has no subnet."""
    if gateway.instances and gateway.instances[0].addresses:
        return gateway.instances[0].addresses[0]
    base = _get_base_address(network, gateway)
    return str(base + EXPRESS_OFFSETS[0]) if base is not None else ""


def _get_base_address(network: Network, gateway: Gateway) -> ipaddress.IPv4Address | None:
    subnet = network.subnets.get(f"{gateway.vnet}/subnets/gatewaysubnet")
    if subnet is None or not subnet.prefixes:
        return None
    return ipaddress.IPv4Network(subnet.prefixes[0]).network_address


def _read_links(network: Network, gateway: Gateway) -> tuple[CircuitLink, ...]:
    base = _get_base_address(network, gateway)
    if base is None:
        return ()
    links: list[CircuitLink] = []
    free = _list_edge_addresses(network, gateway, base)
    for connection in network.connections.list_group(gateway.key):
        circuit = network.circuits.get(connection.circuit)
        if circuit is None:
            continue
        peering = next(iter(network.circuit_peerings.list_group(circuit.key)), None)
        up = circuit.provisioned and circuit.location.lower() not in gateway.failed_locations
        hears = read_customer_sessions(circuit, peering) if up else (False, False)
        links.append(
            CircuitLink(
                connection.key,
                (next(free), next(free)),
                peering.asn if peering is not None else 0,
                circuit.edges_up if up else (False, False),
                (circuit.prefixes if hears[0] else (), circuit.prefixes if hears[1] else ()),
                circuit.ipv6 if any(hears) else (),
            )
        )
    return tuple(links)


def read_customer_sessions(circuit: Circuit, peering: CircuitPeering | None) -> tuple[bool, bool]:
    """Return whether each edge router of a circuit has its session with the customer edge."""
    if peering is None or not peering.enabled or not circuit.provisioned:
        return False, False
    return (
        circuit.edges_up[0] and circuit.customer_up[0],
        circuit.edges_up[1] and circuit.customer_up[1],
    )


def _list_edge_addresses(
    network: Network, gateway: Gateway, base: ipaddress.IPv4Address
) -> Iterator[str]:
    """Yield the addresses of the edges, in order, without those of the VNet's gateways."""
    names = {
        address
        for neighbor in network.gateways.list_group(gateway.vnet)
        for instance in neighbor.instances
        for address in instance.addresses
    }
    return (
        address for offset in count(EDGE_OFFSET) if (address := str(base + offset)) not in names
    )


def build_edge_rows(
    express: ExpressRoute,
    network: Network,
    gateway: Gateway,
    advertised: int,
    now: float,
    keepalive_s: float,
) -> list[Body]:
    """Return the rows of getBgpPeerStatus: two edges for each circuit."""
    local = get_local_address(network, gateway)
    rows: list[Body] = []
    for link in express.get_links(gateway.key):
        for edge in link.edges:
            received = len(link.list_advertised(edge)) + len(link.ipv6)
            if edge not in link.live_edges:
                rows.append(build_silent_peer(local, edge, EDGE_ASN, "Connecting"))
                continue
            seconds = now - express.get_up_since(gateway.key, link, edge)
            sent = count_messages(advertised, seconds, keepalive_s)
            messages = (sent, count_messages(received, seconds, keepalive_s))
            rows.append(build_connected_peer(local, edge, EDGE_ASN, seconds, received, messages))
    return rows


def build_edge_routes(
    express: ExpressRoute, network: Network, gateway: Gateway, own: tuple[str, ...]
) -> list[Body]:
    """Return the rows of getLearnedRoutes: ``own`` prefixes, then the edges' routes."""
    local = get_local_address(network, gateway)
    rows = [build_route(local, prefix, None, local, "Network", "", WEIGHT) for prefix in own]
    for link in express.get_links(gateway.key):
        path = f"{EDGE_ASN}-{link.asn}" if link.asn else str(EDGE_ASN)
        for prefix in (*link.prefixes, *link.ipv6):
            for edge in link.live_edges:
                if prefix in (*link.list_advertised(edge), *link.ipv6):
                    rows.append(build_route(local, prefix, edge, edge, "EBgp", path, EDGE_WEIGHT))
    return rows


def build_edge_advertisements(
    express: ExpressRoute, network: Network, gateway: Gateway, own: tuple[str, ...], peer: str
) -> list[Body]:
    """Return the rows of getAdvertisedRoutes of an edge (observed: path 65515)."""
    edges = {edge for link in express.get_links(gateway.key) for edge in link.live_edges}
    local = get_local_address(network, gateway)
    return [
        build_route(local, prefix, local, local, "Igp", str(GATEWAY_ASN), 0)
        for prefix in own
        if peer in edges
    ]
