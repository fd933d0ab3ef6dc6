"""Azure's tables of VPN gateways, from what their routers and tunnels say."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from erfailover.lab.core import ids
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.linux.readings import (
    GatewayReading,
    build_advertised_row,
    build_learned_row,
    build_peer_row,
)
from erfailover.lab.linux.translation.gateways import TWIN, name_session
from erfailover.lab.linux.translation.names import Names
from erfailover.lab.routing import bgp_rows, records
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.originated import OriginatedPrefixes
from erfailover.lab.routing.route_exchange import SpeakerKey
from erfailover.lab.routing.sessions import ConnectionEnd

Read = Callable[[SpeakerKey], GatewayReading]


class RouterTables:
    """The tables of a network's gateways.

    ``read`` reads an instance now; ``timing`` is the lab's speed and the keepalive time in
    modelled seconds.
    """

    def __init__(
        self,
        network: Network,
        originated: OriginatedPrefixes,
        names: Names,
        read: Read,
        timing: tuple[float, float],
    ) -> None:
        self._network = network
        self._originated = originated
        self._names = names
        self._read = read
        self._timing = timing

    def list_peers(self, gateway: Resource, ends: Iterable[ConnectionEnd]) -> list[Body]:
        """Return the rows of getBgpPeerStatus."""
        record = self._find_router(gateway)
        if record is None:
            return []
        rows: list[Body] = []
        indexes = range(len(record.instances))
        readings = {index: self._read((record.key, index)) for index in indexes}
        for end in _list_ends(ends, record):
            if end.speaks_bgp:
                far = end.local_gateway
                peers = end.local_address, far.bgp_address, far.asn
                name = name_session(self._names, end.key)
                rows.append(build_peer_row(readings[end.speaker[1]], name, peers, self._timing))
        for index, local, twin in _iter_twins(record):
            peers = local, twin, record.asn
            rows.append(bgp_rows.build_silent_peer(local, local, record.asn, "Unknown"))
            rows.append(build_peer_row(readings[index], TWIN, peers, self._timing))
        return rows

    def list_learned_routes(self, gateway: Resource, ends: Iterable[ConnectionEnd]) -> list[Body]:
        """Return the rows of getLearnedRoutes: originated ones first, then by session."""
        record = self._network.gateways.get(ids.to_key(gateway.id))
        if record is None or record.kind != "vpn":
            return []
        own = _list_ends(ends, record)
        if not record.bgp:
            return bgp_rows.build_static_rows(end.local_gateway for end in own)
        rows: list[Body] = []
        for index, instance in enumerate(record.instances):
            local = instance.addresses[0] if instance.addresses else ""
            for prefix in self._originated.list_network(record):
                rows.append(bgp_rows.build_route(local, prefix, None, local, "Network", ""))
            reading = self._read((record.key, index))
            sessions = [name_session(self._names, e.key) for e in own if e.speaker[1] == index]
            for session in (*sessions, TWIN):
                rows += [
                    build_learned_row(route, local) for route in reading.list_received(session)
                ]
        return rows

    def list_advertised_routes(
        self, gateway: Resource, peer: str, ends: Iterable[ConnectionEnd]
    ) -> list[Body]:
        """Return the rows of getAdvertisedRoutes: none while the session is down."""
        record = self._find_router(gateway)
        if record is None:
            return []
        rows: list[Body] = []
        for end in _list_ends(ends, record):
            if end.speaks_bgp and end.local_gateway.bgp_address == peer:
                name = name_session(self._names, end.key)
                reading = self._read(end.speaker)
                if reading.find_established(name, peer) is not None:
                    sent = reading.exports.get(name, ())
                    rows += [
                        build_advertised_row(route, end.local_address, record.asn) for route in sent
                    ]
        return rows

    def _find_router(self, gateway: Resource) -> records.Gateway | None:
        record = self._network.gateways.get(ids.to_key(gateway.id))
        return record if record is not None and record.kind == "vpn" and record.bgp else None


def _list_ends(ends: Iterable[ConnectionEnd], gateway: records.Gateway) -> list[ConnectionEnd]:
    return [end for end in ends if end.gateway.key == gateway.key]


def _iter_twins(gateway: records.Gateway) -> Iterable[tuple[int, str, str]]:
    """Yield index, address and the other's address of both instances of an active-active one."""
    own = [(instance.addresses or ("",))[0] for instance in gateway.instances]
    if len(own) > 1:
        yield from ((0, own[0], own[1]), (1, own[1], own[0]))
