"""BGP of the gateways: what each originates, learns and forwards.

Owns the tables in the form of getBgpPeerStatus, getLearnedRoutes and getAdvertisedRoutes. It
changes only by ``refresh`` and the world's events, so reading never changes anything.

``originated`` has what a gateway originates, ``expressroute`` the routes that an ExpressRoute
gateway learns, ``coexistence`` those of it that a VPN gateway lists. Not modelled: custom (APIPA)
addresses beyond the matching.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from erfailover.lab.core import ids
from erfailover.lab.core.addresses import PrefixMap
from erfailover.lab.core.world import Body, Resource, World
from erfailover.lab.routing import bgp_rows, expressroute, records
from erfailover.lab.routing.circuit_sessions import CircuitSessions
from erfailover.lab.routing.coexistence import list_adjacent_peers, list_adjacent_routes
from erfailover.lab.routing.expressroute import ExpressRoute
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.originated import OriginatedPrefixes
from erfailover.lab.routing.records import Gateway
from erfailover.lab.routing.route_exchange import (
    Adjacency,
    BgpRoute,
    EndKey,
    ReceivedRoutes,
    Speaker,
    SpeakerKey,
    converge,
    select_best,
)
from erfailover.lab.routing.sessions import (
    BgpTiming,
    ConnectionEnd,
    Sessions,
    SessionView,
    describe_connection,
)

__all__ = ["Bgp", "BgpTiming", "ForwardingEntry"]

TWINS = 2
"""The number of instances of an active-active gateway."""
_RELEVANT = frozenset(
    (
        records.VNET,
        records.PEERING,
        records.GATEWAY,
        records.LOCAL_GATEWAY,
        records.CONNECTION,
        records.PUBLIC_IP,
        records.SUBNET,
        records.CIRCUIT,
        records.CIRCUIT_PEERING,
    )
)


@dataclass(frozen=True, slots=True)
class ForwardingEntry:
    """A forwarding decision for a prefix: into a VNet, a tunnel, or a circuit.

    ``circuit`` is the key of the connection to it. Of several ``ends`` the first whose tunnel
    is up is taken.
    """

    prefix: str
    vnet: str = ""
    ends: tuple[EndKey, ...] = ()
    circuit: str = ""


class Bgp:
    """Routing of every gateway of a world."""

    def __init__(self, world: World, timing: BgpTiming | None = None) -> None:
        self.world = world
        self.timing = timing or BgpTiming()
        self.network = Network(world)
        self.version = 0
        """Counts the changes of routing; equal versions mean equal tables."""
        self._sessions = Sessions(world, self.timing, self._list_received)
        self._originated = OriginatedPrefixes(world, self.network, self.timing.learn_s)
        self._twins_since: dict[str, float] = {}
        self.express = ExpressRoute(world, self.timing.circuit_s)
        self._circuits = CircuitSessions(world)
        self._moves = (0, 0, 0)
        self._speakers: dict[SpeakerKey, Speaker] = {}
        self._adjacencies: list[Adjacency] = []
        self._received: ReceivedRoutes | None = None
        self._forwarding: dict[tuple[str, int], PrefixMap[ForwardingEntry]] = {}
        self.refresh()

    # Answers of ARM's actions.

    def list_peers(self, gateway: Resource) -> list[Body]:
        """Return the rows of getBgpPeerStatus: one for each connection with BGP and instance.

        Published of active-active gateways: each instance lists itself, Unknown, and its twin
        too, both with the gateway's own ASN.
        """
        now, keepalive_s = self.world.now, self.timing.keepalive_s
        express = self._find_express_gateway(gateway)
        if express is not None:
            count = len(self._originated.list_advertised(express))
            return expressroute.build_edge_rows(
                self.express, self.network, express, count, now, keepalive_s
            )
        rows = [
            self._build_peer_row(end, self._sessions.views[end.key])
            for end in self._list_ends(ids.to_key(gateway.id))
            if end.key in self._sessions.views
        ]
        record = self.network.gateways.get(ids.to_key(gateway.id))
        if record is None or not record.bgp:
            return rows
        beside = list_adjacent_peers(self.express, self.network, record, now, keepalive_s)
        return [*rows, *self._build_twin_rows(record), *beside]

    def list_learned_routes(self, gateway: Resource) -> list[Body]:
        """Return the rows of getLearnedRoutes: originated ones first, then by session."""
        record = self.network.gateways.get(ids.to_key(gateway.id))
        if record is None:
            return []
        if record.kind == "expressroute":
            own = (*self._originated.list_network(record), *self._originated.list_ipv6(record))
            return expressroute.build_edge_routes(self.express, self.network, record, own)
        if not record.bgp:
            ends = self._list_ends(record.key)
            return bgp_rows.build_static_rows(end.local_gateway for end in ends)
        rows: list[Body] = []
        for index, instance in enumerate(record.instances):
            local = instance.addresses[0] if instance.addresses else ""
            for prefix in self._originated.list_network(record):
                rows.append(bgp_rows.build_route(local, prefix, None, local, "Network", ""))
            for end, origin in self._list_receiving_ends(record, index):
                for route in self._read_received().get(end, {}).values():
                    text, hop = "-".join(str(asn) for asn in route.as_path), route.peer
                    rows.append(bgp_rows.build_route(local, route.prefix, hop, hop, origin, text))
            rows += list_adjacent_routes(self.express, self.network, record, local)
        return rows

    def summarize_circuit(self, peering: Resource, path: str) -> Body:
        """Return the routeTablesSummary of a device path of a circuit's private peering."""
        circuit = ids.to_key(peering.id.parent or "")
        gateways = self.network.gateways.all
        counts = {
            key: len(self._originated.list_advertised(gateway)) for key, gateway in gateways.items()
        }
        return self._circuits.summarize(self.network, self.express, circuit, path, counts)

    def list_advertised_routes(self, gateway: Resource, peer: str) -> list[Body]:
        """Return the rows of getAdvertisedRoutes: the routes advertised to a peer.

        Args:
            gateway: the gateway that advertises.
            peer: the peer's BGP address.

        Returns:
            Rows of origin ``Igp`` and weight 0 (recorded); none while the session is down. The
            AS path begins with the gateway's own ASN and the next hop is its own address
            (assumed).
        """
        express = self._find_express_gateway(gateway)
        if express is not None:
            own = (*self._originated.list_advertised(express), *self._originated.list_ipv6(express))
            return expressroute.build_edge_advertisements(
                self.express, self.network, express, own, peer
            )
        rows: list[Body] = []
        for end in self._list_ends(ids.to_key(gateway.id)):
            view = self._sessions.views.get(end.key)
            if end.session is None or view is None or view.since is None:
                continue
            if end.local_gateway.bgp_address == peer:
                local = end.local_address
                for route in self._read_received().get(end.session, {}).values():
                    text = "-".join(str(asn) for asn in route.as_path)
                    row = bgp_rows.build_route(local, route.prefix, local, local, "Igp", text, 0)
                    rows.append(row)
        return rows

    def get_connection_status(self, connection: Resource) -> str:
        """Return a connection's ``connectionStatus``."""
        key = ids.to_key(connection.id)
        if (connection.active_properties.get("peer") or {}).get("id"):
            return "Connected" if self.express.is_connected(key) else "NotConnected"
        ends = [end for end in self._sessions.ends.values() if end.key[0] == key]
        return describe_connection(ends, lambda end: self._sessions.is_tunnel_up(end.key))

    # Queries of reachability and effective routes.

    def get_forwarding_table(self, gateway: str, index: int = 0) -> PrefixMap[ForwardingEntry]:
        """Return an instance's forwarding: its VNet, spokes, static prefixes, learned routes.

        An originated prefix takes precedence over the same prefix learned (observed: 10.4.0.0/16
        is listed both as Network and as EBgp). Each instance decides by what it has received
        itself, its twin's routes included (RFC 4271, 9.1).
        """
        cached = self._forwarding.get((gateway, index))
        if cached is not None:
            return cached
        table: PrefixMap[ForwardingEntry] = PrefixMap()
        record = self.network.gateways.get(gateway)
        if record is not None:
            for entry in self._list_entries(record, index):
                table.set_default(entry.prefix, entry)
        self._forwarding[gateway, index] = table
        return table

    def list_remote_prefixes(self, gateway: str) -> tuple[str, ...]:
        """Return the prefixes beyond a gateway's tunnels, by the gateway's key, in table order."""
        record = self.network.gateways.get(gateway)
        first: dict[str, ForwardingEntry] = {}
        if record is None:
            return ()
        for index in range(len(record.instances)):
            for entry in self._list_entries(record, index):
                first.setdefault(entry.prefix, entry)
        return tuple(prefix for prefix, entry in first.items() if entry.ends or entry.circuit)

    def find_instance(self, gateway: str, prefix: str) -> int:
        """Return the instance that a VNet sends packets for a prefix to (assumed).

        The one whose own tunnel leads there, or else the first; Azure spreads flows over both.
        """
        for end in self._list_ends(gateway):
            if prefix in end.static_prefixes and self._sessions.is_tunnel_up(end.key):
                return end.speaker[1]
        record = self.network.gateways.get(gateway)
        for index, best in enumerate(self._select_best(record) if record is not None else ()):
            if prefix in best and not best[prefix].internal:
                return index
        return 0

    def find_tunnel(self, end: EndKey) -> ConnectionEnd | None:
        """Return the far end of a tunnel that carries packets now; None if it does not."""
        return self._sessions.get_far_end(end) if self._sessions.is_tunnel_up(end) else None

    # Changes of the world.

    def refresh(self) -> None:
        """Process changes of the world; the owner calls this after every change."""
        kinds = self.network.refresh()
        if kinds & _RELEVANT:
            self._sessions.reconcile(self.network)
            self.express.reconcile(self.network)
            self._circuits.reconcile(self.network)
            self._originated.reconcile()
            self._follow_twins()
        if kinds & _RELEVANT or self._moves != self._count_moves():
            self._rebuild()

    def _follow_twins(self) -> None:
        """Note since when the instances of each gateway speak BGP with each other."""
        for key, gateway in self.network.gateways.all.items():
            if _has_twins(gateway):
                self._twins_since.setdefault(key, self.world.now)
            else:
                self._twins_since.pop(key, None)

    def _count_moves(self) -> tuple[int, int, int]:
        return self._sessions.moves, self._originated.moves, self.express.moves

    def _rebuild(self) -> None:
        self._speakers, self._adjacencies = self._collect_inputs()
        self._moves = self._count_moves()
        self._received = None
        self._forwarding = {}
        self.version += 1

    def _collect_inputs(self) -> tuple[dict[SpeakerKey, Speaker], list[Adjacency]]:
        """Return the current speakers and adjacencies, as ``route_exchange`` needs them."""
        speakers: dict[SpeakerKey, Speaker] = {}
        for gateway in self.network.gateways.all.values():
            originated = self._originated.list_advertised(gateway)
            for index, instance in enumerate(gateway.instances):
                key = (gateway.key, index)
                identifier = (instance.addresses or ("",))[0]
                speakers[key] = Speaker(key, gateway.asn, originated, identifier)
        adjacencies = [*self._list_external_adjacencies(), *self._list_twin_adjacencies()]
        return speakers, adjacencies

    def _list_external_adjacencies(self) -> Iterable[Adjacency]:
        for key, view in self._sessions.views.items():
            if view.since is None:
                continue
            end = self._sessions.ends[key]
            peer = end.local_gateway.bgp_address
            if view.frozen is not None:
                yield Adjacency(key, end.speaker, end.speaker, peer, frozen=view.frozen)
            elif end.session is not None:
                far = self._sessions.ends[end.session]
                withheld = frozenset(far.local_gateway.prefixes)
                yield Adjacency(key, end.speaker, far.speaker, peer, far.key, withheld)

    def _list_twin_adjacencies(self) -> Iterable[Adjacency]:
        """Yield the adjacencies between the two instances of an active-active gateway."""
        for gateway in self.network.gateways.all.values():
            if not _has_twins(gateway):
                continue
            for index, other in ((0, 1), (1, 0)):
                peer = (gateway.instances[other].addresses or ("",))[0]
                end, twin = _make_twin_end(gateway, index), _make_twin_end(gateway, other)
                receiver, sender = (gateway.key, index), (gateway.key, other)
                yield Adjacency(end, receiver, sender, peer, twin, internal=True)

    def _list_entries(self, gateway: Gateway, index: int) -> Iterable[ForwardingEntry]:
        for prefix in self._originated.list_own(gateway):
            yield ForwardingEntry(prefix, vnet=gateway.vnet)
        for prefix, spoke in self._originated.list_spokes(gateway):
            yield ForwardingEntry(prefix, vnet=spoke)
        static: dict[str, tuple[EndKey, ...]] = {}
        for end in sorted(self._list_ends(gateway.key), key=lambda end: end.speaker[1] != index):
            for prefix in end.static_prefixes:
                static[prefix] = (*static.get(prefix, ()), end.key)
        for prefix, keys in static.items():
            yield ForwardingEntry(prefix, ends=keys)
        tables = self._select_best(gateway)
        for path in tables[index].values() if index < len(tables) else ():
            way = tables[1 - index].get(path.prefix) if path.internal else path
            if way is not None:
                yield ForwardingEntry(path.prefix, ends=(way.end,))
        for prefix, link in self.express.map_links_by_prefix(gateway.key).items():
            yield ForwardingEntry(prefix, circuit=link.connection)

    def _select_best(self, gateway: Gateway) -> list[dict[str, BgpRoute]]:
        """Return the best learned route of each prefix, by instance."""
        received = self._read_received()
        return [
            select_best(received, [end for end, _ in self._list_receiving_ends(gateway, index)])
            for index in range(len(gateway.instances))
        ]

    # Ends, tables, rows.

    def _find_express_gateway(self, gateway: Resource) -> Gateway | None:
        record = self.network.gateways.get(ids.to_key(gateway.id))
        return record if record is not None and record.kind == "expressroute" else None

    def _list_ends(self, gateway: str) -> list[ConnectionEnd]:
        return [end for end in self._sessions.ends.values() if end.gateway.key == gateway]

    def _list_receiving_ends(self, gateway: Gateway, index: int) -> list[tuple[EndKey, str]]:
        """Return the ends at which an instance learns routes, and the origin of those."""
        ends = self._list_ends(gateway.key)
        keys = [(end.key, "EBgp") for end in ends if end.speaker[1] == index]
        return [*keys, (_make_twin_end(gateway, index), "IBgp")]

    def _read_received(self) -> ReceivedRoutes:
        if self._received is None:
            self._received = converge(self._speakers, self._adjacencies)
        return self._received

    def _list_received(self, end: EndKey) -> list[BgpRoute]:
        return list(self._read_received().get(end, {}).values())

    def _build_peer_row(self, end: ConnectionEnd, view: SessionView) -> Body:
        local, neighbor = end.local_address, end.local_gateway.bgp_address
        if view.since is None:
            return bgp_rows.build_silent_peer(local, neighbor, end.local_gateway.asn, "Connecting")
        received = len(self._read_received().get(end.key, {}))
        advertised = len(self._read_received().get(end.session, {})) if end.session else received
        received_until = self.world.now if view.silent_since is None else view.silent_since
        seconds = self.world.now - view.since
        messages = (
            self._count_messages(advertised, seconds),
            self._count_messages(received, received_until - view.since),
        )
        return bgp_rows.build_connected_peer(
            local, neighbor, end.local_gateway.asn, seconds, received, messages
        )

    def _build_twin_rows(self, gateway: Gateway) -> list[Body]:
        if not _has_twins(gateway):
            return []
        rows: list[Body] = []
        seconds = self.world.now - self._twins_since.get(gateway.key, self.world.now)
        addresses = [(instance.addresses or ("",))[0] for instance in gateway.instances]
        for index, local in enumerate(addresses):
            rows.append(bgp_rows.build_silent_peer(local, local, gateway.asn, "Unknown"))
            received, sent = (
                len(self._read_received().get(_make_twin_end(gateway, neighbor), {}))
                for neighbor in (index, 1 - index)
            )
            messages = (
                self._count_messages(sent, seconds),
                self._count_messages(received, seconds),
            )
            rows.append(
                bgp_rows.build_connected_peer(
                    local, addresses[1 - index], gateway.asn, seconds, received, messages
                )
            )
        return rows

    def _count_messages(self, routes: int, seconds: float) -> int:
        return bgp_rows.count_messages(routes, seconds, self.timing.keepalive_s)


def _has_twins(gateway: Gateway) -> bool:
    """Return whether the two instances of a gateway speak BGP with each other."""
    return gateway.kind == "vpn" and gateway.bgp and len(gateway.instances) == TWINS


def _make_twin_end(gateway: Gateway, index: int) -> EndKey:
    return f"{gateway.key}#twin", index
