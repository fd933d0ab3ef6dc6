"""BGP of the gateways: what each originates and hears, and how it forwards.

Owns the sessions' state and what each gateway originates for the spokes that use it; tells
both as ARM's answers to getBgpPeerStatus, getLearnedRoutes and getAdvertisedRoutes. It follows
the world by its listener and its events alone, so reading never changes anything.

Observed: a gateway originates its own VNet's prefixes, those of every VNet that uses it as
remote gateway, those of each local network gateway it has a connection to, and a host route to
each configured BGP peer. Of a VNet with ``summarizedGatewayPrefixes`` its gateways advertise those
instead of its own prefixes, and none of a spoke's that they cover (published; observed on an
ExpressRoute gateway); that its table lists what it advertises then too is assumed. How long a
change of peerings takes to show is ``BgpTiming.learn_s``. What an ExpressRoute gateway hears is
``expressroute``'s business, and what a VPN gateway lists of it ``coexistence``'s. Not modelled:
custom (APIPA) addresses beyond the matching.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from erfailover.lab.core import addresses, ids
from erfailover.lab.core.addresses import PrefixMap
from erfailover.lab.core.world import Body, Resource, World
from erfailover.lab.routing import records
from erfailover.lab.routing.bgp_rows import (
    WEIGHT,
    connected_peer,
    message_count,
    route_row,
    silent_peer,
)
from erfailover.lab.routing.circuit_sessions import CircuitSessions
from erfailover.lab.routing.coexistence import peers_beside, routes_beside
from erfailover.lab.routing.expressroute import ExpressRoute, edge_routes, edge_rows, told_to_edge
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.records import Gateway
from erfailover.lab.routing.route_exchange import (
    EndKey,
    Heard,
    Hearing,
    Path,
    Speaker,
    SpeakerKey,
    converge,
    preferred,
)
from erfailover.lab.routing.sessions import BgpTiming, End, Sessions, View

__all__ = ["Bgp", "BgpTiming", "ForwardingEntry"]

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
    """Where a gateway sends what a prefix holds: into a VNet, a tunnel, or a circuit.

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
        self._sessions = Sessions(world, self.timing, self._heard_at)
        self._wanted: dict[str, tuple[tuple[str, str], ...]] = {}
        self._spokes: dict[str, tuple[tuple[str, str], ...]] = {}
        self._twins_since: dict[str, float] = {}
        self._learned = 0
        self.express = ExpressRoute(world, self.timing.circuit_s, self._express_moved)
        self._circuits = CircuitSessions(world)
        self._moves = (0, 0)
        self._speakers: dict[SpeakerKey, Speaker] = {}
        self._hearings: list[Hearing] = []
        self._heard: Heard | None = None
        self._forwarding: dict[str, PrefixMap[ForwardingEntry]] = {}
        world.listeners.insert(0, self.refresh)
        self.refresh()

    # What ARM's actions answer.

    def peers(self, gateway: Resource) -> list[Body]:
        """The rows of getBgpPeerStatus: one for each connection with BGP and instance.

        Published of active-active gateways: each instance lists itself, Unknown, and its twin
        too, both with the gateway's own ASN.
        """
        express = self._express_gateway(gateway)
        if express is not None:
            told = len(self._originated(express))
            now, keepalive_s = self.world.now, self.timing.keepalive_s
            return edge_rows(self.express, self.network, express, told, now, keepalive_s)
        rows = [
            self._peer_row(end, self._sessions.views[end.key])
            for end in self._ends_of(ids.key(gateway.id))
            if end.key in self._sessions.views
        ]
        found = self.network.gateways.get(ids.key(gateway.id))
        if found is None or not found.bgp:
            return rows
        now, keepalive_s = self.world.now, self.timing.keepalive_s
        beside = peers_beside(self.express, self.network, found, now, keepalive_s)
        return [*rows, *self._twin_rows(found), *beside]

    def learned_routes(self, gateway: Resource) -> list[Body]:
        """The rows of getLearnedRoutes: originated ones first, then by session."""
        found = self.network.gateways.get(ids.key(gateway.id))
        if found is None:
            return []
        if found.kind == "expressroute":
            own = (*self._network_prefixes(found), *self._ipv6(found))
            return edge_routes(self.express, self.network, found, own)
        if not found.bgp:
            return self._static_rows(found)
        rows: list[Body] = []
        for index, instance in enumerate(found.instances):
            local = instance.addresses[0] if instance.addresses else ""
            for prefix in self._network_prefixes(found):
                rows.append(route_row(local, prefix, None, local, "Network", "", WEIGHT))
            for end, origin in self._ends_heard(found, index):
                for path in self._heard_tables().get(end, {}).values():
                    text = "-".join(str(asn) for asn in path.as_path)
                    rows.append(
                        route_row(local, path.prefix, path.peer, path.peer, origin, text, WEIGHT)
                    )
            rows += routes_beside(self.express, self.network, found, local)
        return rows

    def circuit_summary(self, peering: Resource, path: str) -> Body:
        """What routeTablesSummary answers for a device path of a circuit's private peering."""
        circuit = ids.key(peering.id.parent or "")
        told = {key: len(self._originated(each)) for key, each in self.network.gateways.all.items()}
        return self._circuits.summary(self.network, self.express, circuit, path, told)

    def advertised_routes(self, gateway: Resource, peer: str) -> list[Body]:
        """The rows of getAdvertisedRoutes: what a peer is told.

        Args:
            gateway: the gateway that tells.
            peer: the peer's BGP address.

        Returns:
            Rows of origin ``Igp`` and weight 0 (recorded); none while the session is down. The
            AS path begins with the gateway's own ASN and the next hop is its own address
            (assumed).
        """
        express = self._express_gateway(gateway)
        if express is not None:
            own = (*self._originated(express), *self._ipv6(express))
            return told_to_edge(self.express, self.network, express, own, peer)
        rows: list[Body] = []
        for end in self._ends_of(ids.key(gateway.id)):
            view = self._sessions.views.get(end.key)
            if end.local_gateway.bgp_address != peer or view is None or view.since is None:
                continue
            for path in self._heard_tables().get(end.session or end.key, {}).values():
                if end.session is not None:
                    text = "-".join(str(asn) for asn in path.as_path)
                    local = end.local_address
                    rows.append(route_row(local, path.prefix, local, local, "Igp", text, 0))
        return rows

    def connection_status(self, connection: Resource) -> str:
        """A connection's ``connectionStatus``.

        Recorded: ``Unknown`` where the far end is no gateway of Azure's (nor of this lab's).
        """
        if (connection.active_properties.get("peer") or {}).get("id"):
            up = self.express.connected(ids.key(connection.id))
            return "Connected" if up else "NotConnected"
        ends = [end for end in self._sessions.ends.values() if end.key[0] == ids.key(connection.id)]
        if any(self._sessions.tunnel_up(end.key) for end in ends):
            return "Connected"
        if any(end.tunnel is not None for end in ends):
            return "Connecting"
        return "NotConnected" if any(end.far_exists for end in ends) else "Unknown"

    # What reachability and effective routes ask.

    def forwarding(self, gateway: str) -> PrefixMap[ForwardingEntry]:
        """How a gateway, by key, forwards: its own VNet, spokes, static prefixes, heard ones.

        For one prefix what the gateway originates beats what it heard (observed: 10.4.0.0/16
        stands both as Network and as EBgp).
        """
        cached = self._forwarding.get(gateway)
        if cached is not None:
            return cached
        table: PrefixMap[ForwardingEntry] = PrefixMap()
        found = self.network.gateways.get(gateway)
        if found is not None:
            for entry in self._entries(found):
                table.set_default(entry.prefix, entry)
        self._forwarding[gateway] = table
        return table

    def remote_prefixes(self, gateway: str) -> tuple[str, ...]:
        """The prefixes beyond a gateway's tunnels, by the gateway's key, in table order."""
        found = self.network.gateways.get(gateway)
        if found is None:
            return ()
        entries = (entry for entry in self._entries(found) if entry.ends or entry.circuit)
        return tuple(dict.fromkeys(entry.prefix for entry in entries))

    def tunnel(self, end: EndKey) -> End | None:
        """The far end of a tunnel that carries packets now; None where it does not."""
        return self._sessions.far_end(end) if self._sessions.tunnel_up(end) else None

    # How the state follows the world.

    def refresh(self) -> None:
        """Take in what has changed in the world; its listeners do so after every change."""
        kinds = self.network.refresh()
        if kinds & _RELEVANT:
            self._sessions.reconcile(self.network)
            self.express.reconcile(self.network)
            self._circuits.reconcile(self.network)
            self._follow_spokes()
        if kinds & _RELEVANT or self._moves != (self._sessions.moves, self._learned):
            self._rebuild()

    def _follow_spokes(self) -> None:
        """Schedule what a change of peerings makes a gateway originate."""
        gateways = self.network.gateways.all
        for key in [key for key in self._wanted if key not in gateways]:
            del self._wanted[key]
            self._spokes.pop(key, None)
        for key, gateway in gateways.items():
            if _has_twins(gateway):
                self._twins_since.setdefault(key, self.world.now)
            else:
                self._twins_since.pop(key, None)
            wanted = self.network.lends_to(gateway.vnet)
            known = self._wanted.get(key)
            if known == wanted:
                continue
            self._wanted[key] = wanted
            if known is None:
                self._spokes[key] = wanted
            else:
                apply = partial(self._learn, key, wanted)
                self.world.at(self.world.now + self.timing.learn_s, apply)

    def _learn(self, gateway: str, spokes: tuple[tuple[str, str], ...]) -> None:
        if gateway in self._wanted:
            self._spokes[gateway] = spokes
            self._learned += 1

    def _express_moved(self) -> None:
        self._learned += 1

    def _rebuild(self) -> None:
        self._speakers, self._hearings = self._inputs()
        self._moves = (self._sessions.moves, self._learned)
        self._heard = None
        self._forwarding = {}
        self.version += 1

    def _inputs(self) -> tuple[dict[SpeakerKey, Speaker], list[Hearing]]:
        """Who speaks to whom now, as ``route_exchange`` wants it."""
        speakers: dict[SpeakerKey, Speaker] = {}
        for gateway in self.network.gateways.all.values():
            originated = self._originated(gateway)
            for index in range(len(gateway.instances)):
                key = (gateway.key, index)
                speakers[key] = Speaker(key, gateway.asn, originated)
        hearings = [*self._external_hearings(), *self._twin_hearings()]
        return speakers, hearings

    def _external_hearings(self) -> Iterable[Hearing]:
        for key, view in self._sessions.views.items():
            if view.since is None:
                continue
            end = self._sessions.ends[key]
            peer = end.local_gateway.bgp_address
            if view.frozen is not None:
                yield Hearing(key, end.speaker, end.speaker, peer, frozen=view.frozen)
            elif end.session is not None:
                far = self._sessions.ends[end.session]
                withheld = frozenset(far.local_gateway.prefixes)
                yield Hearing(key, end.speaker, far.speaker, peer, far.key, withheld)

    def _twin_hearings(self) -> Iterable[Hearing]:
        """The two instances of an active-active gateway hear each other."""
        for gateway in self.network.gateways.all.values():
            if not _has_twins(gateway):
                continue
            for index, other in ((0, 1), (1, 0)):
                peer = (gateway.instances[other].addresses or ("",))[0]
                end, twin = _twin_end(gateway, index), _twin_end(gateway, other)
                receiver, sender = (gateway.key, index), (gateway.key, other)
                yield Hearing(end, receiver, sender, peer, twin, internal=True)

    # Prefixes.

    def _own_prefixes(self, gateway: Gateway) -> tuple[str, ...]:
        vnet = self.network.vnets.get(gateway.vnet)
        return vnet.prefixes if vnet is not None else ()

    def _originated(self, gateway: Gateway) -> tuple[str, ...]:
        """What a gateway originates and may advertise."""
        vnet = self.network.vnets.get(gateway.vnet)
        summarized = vnet.summarized if vnet is not None else ()
        found = dict.fromkeys(summarized or self._own_prefixes(gateway))
        for prefix, _ in self._spokes.get(gateway.key, ()):
            if not any(addresses.covers(each, prefix) for each in summarized):
                found[prefix] = None
        for end in self._ends_of(gateway.key):
            found.update(dict.fromkeys(end.local_gateway.prefixes))
        return tuple(found)

    def _ipv6(self, gateway: Gateway) -> tuple[str, ...]:
        """The IPv6 of an ExpressRoute gateway's VNet and spokes; VPN gateways carry none."""
        used = (spoke for _, spoke in self._spokes.get(gateway.key, ()))
        found = (self.network.vnets.get(each) for each in dict.fromkeys((gateway.vnet, *used)))
        return tuple(dict.fromkeys(prefix for each in found if each for prefix in each.ipv6))

    def _network_prefixes(self, gateway: Gateway) -> tuple[str, ...]:
        """What a gateway lists with origin Network: the advertised, then the host routes."""
        hosts = (
            f"{end.local_gateway.bgp_address}/32"
            for end in self._ends_of(gateway.key)
            if end.speaks_bgp
        )
        return tuple(dict.fromkeys((*self._originated(gateway), *hosts)))

    def _entries(self, gateway: Gateway) -> Iterable[ForwardingEntry]:
        for prefix in self._own_prefixes(gateway):
            yield ForwardingEntry(prefix, vnet=gateway.vnet)
        for prefix, spoke in self._spokes.get(gateway.key, ()):
            yield ForwardingEntry(prefix, vnet=spoke)
        ends = self._ends_of(gateway.key)
        static: dict[str, tuple[EndKey, ...]] = {}
        for end in ends:
            host = (f"{end.local_gateway.bgp_address}/32",) if end.speaks_bgp else ()
            for prefix in (*host, *end.local_gateway.prefixes):
                static[prefix] = (*static.get(prefix, ()), end.key)
        for prefix, keys in static.items():
            yield ForwardingEntry(prefix, ends=keys)
        heard = preferred(self._heard_tables(), [end.key for end in ends])
        for path in heard.values():
            yield ForwardingEntry(path.prefix, ends=(path.end,))
        for prefix, link in self.express.heard(gateway.key).items():
            yield ForwardingEntry(prefix, circuit=link.connection)

    # ExpressRoute gateways.

    def _express_gateway(self, gateway: Resource) -> Gateway | None:
        found = self.network.gateways.get(ids.key(gateway.id))
        return found if found is not None and found.kind == "expressroute" else None

    # Ends, tables, rows.

    def _ends_of(self, gateway: str) -> list[End]:
        return [end for end in self._sessions.ends.values() if end.gateway.key == gateway]

    def _ends_heard(self, gateway: Gateway, index: int) -> list[tuple[EndKey, str]]:
        """The ends at which one instance hears routes, and the origin they then have."""
        ends = self._ends_of(gateway.key)
        found = [(end.key, "EBgp") for end in ends if end.speaker[1] == index]
        return [*found, (_twin_end(gateway, index), "IBgp")]

    def _heard_tables(self) -> Heard:
        if self._heard is None:
            self._heard = converge(self._speakers, self._hearings)
        return self._heard

    def _heard_at(self, end: EndKey) -> list[Path]:
        return list(self._heard_tables().get(end, {}).values())

    def _static_rows(self, gateway: Gateway) -> list[Body]:
        """Recorded: without BGP no local address, the tunnel's address as next hop, weight 0."""
        rows = []
        for end in self._ends_of(gateway.key):
            hop = end.local_gateway.public_address
            for prefix in end.local_gateway.prefixes:
                rows.append(route_row("", prefix, hop, hop, "Network", "", 0))
        return rows

    def _peer_row(self, end: End, view: View) -> Body:
        local, neighbor = end.local_address, end.local_gateway.bgp_address
        if view.since is None:
            return silent_peer(local, neighbor, end.local_gateway.asn, "Connecting")
        received = len(self._heard_tables().get(end.key, {}))
        told = len(self._heard_tables().get(end.session, {})) if end.session else received
        heard_until = self.world.now if view.silent_since is None else view.silent_since
        seconds = self.world.now - view.since
        messages = (
            self._messages(told, seconds),
            self._messages(received, heard_until - view.since),
        )
        return connected_peer(local, neighbor, end.local_gateway.asn, seconds, received, messages)

    def _twin_rows(self, gateway: Gateway) -> list[Body]:
        if not _has_twins(gateway):
            return []
        rows: list[Body] = []
        seconds = self.world.now - self._twins_since.get(gateway.key, self.world.now)
        addresses = [(each.addresses or ("",))[0] for each in gateway.instances]
        for index, local in enumerate(addresses):
            rows.append(silent_peer(local, local, gateway.asn, "Unknown"))
            heard, told = (
                len(self._heard_tables().get(_twin_end(gateway, each), {}))
                for each in (index, 1 - index)
            )
            messages = (self._messages(told, seconds), self._messages(heard, seconds))
            rows.append(
                connected_peer(local, addresses[1 - index], gateway.asn, seconds, heard, messages)
            )
        return rows

    def _messages(self, routes: int, seconds: float) -> int:
        return message_count(routes, seconds, self.timing.keepalive_s)


def _has_twins(gateway: Gateway) -> bool:
    """Whether two instances of a gateway speak BGP with each other."""
    return gateway.kind == "vpn" and gateway.bgp and len(gateway.instances) == 2


def _twin_end(gateway: Gateway, index: int) -> EndKey:
    return f"{gateway.key}#twin", index
