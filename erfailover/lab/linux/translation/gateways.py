"""The nodes of VPN gateways: tunnels, BGP, and the routes around both. Pure.

An instance of a gateway is a router between its VNet (``inside``) and its tunnels, whose
packets travel between public addresses (``outside``). BIRD has the BGP sessions and fills in
the learned routes; the rest of the routes is known from the configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from erfailover.lab.linux.layout import Link, Node, Route, Tunnel
from erfailover.lab.linux.translation import bird
from erfailover.lab.linux.translation.filters import build_gateway_ruleset
from erfailover.lab.linux.translation.ground import OTHER_SIDE, Ground, make_link
from erfailover.lab.linux.translation.names import Names
from erfailover.lab.routing import records
from erfailover.lab.routing.route_exchange import EndKey, SpeakerKey
from erfailover.lab.routing.sessions import ConnectionEnd

IKE_PORT, NAT_PORT = 500, 4500
_PORTS_APART = 2
_TWIN_METRIC, _DOWN_METRIC, _LAST_RESORT = 50, 90, 10_000
"""Metrics. A prefix of a local network gateway goes by an own tunnel, by the twin's, or nowhere,
whatever BIRD has learned (metric 100); the last resort takes what no other route does."""


def build_gateways(ground: Ground) -> Iterator[Node]:
    """Yield the nodes of all gateway instances."""
    pairs = pair_ends(ground)
    for speaker in ground.instances:
        yield _Instance(ground, pairs, speaker).build()


def build_outside_links(ground: Ground) -> Iterator[Link]:
    """Yield the links between the Internet and the gateways, and between twins."""
    for speaker in ground.instances:
        if speaker[1] == 0 and (speaker[0], 1) in ground.instances:
            yield _make_twin_link(ground, speaker[0])
        node = ground.name_instance(speaker)
        names = ground.name_link("outside", speaker[0], str(speaker[1]))
        link = make_link(f"{node}-outside", names, "internet", node)
        public = ground.find_public_address(speaker)
        near, far = link.ends
        own = replace(far.interface, addresses=(f"{public}/32",) if public else ())
        known = dict(near.interface.neighbors) | ({public: own.mac} if public else {})
        towards = replace(near.interface, neighbors=known)
        yield replace(link, ends=(replace(near, interface=towards), replace(far, interface=own)))


def _make_twin_link(ground: Ground, gateway: str) -> Link:
    """Return the link between both instances of a gateway: their VNet does not route for them."""
    record = ground.network.gateways.all[gateway]
    nodes = [ground.name_instance((gateway, index)) for index in (0, 1)]
    link = make_link(f"{record.name}-twins", ground.name_link("twin", gateway), *nodes)
    near, far = link.ends
    one, other = (instance.addresses[0] for instance in record.instances)
    return replace(
        link,
        ends=(
            replace(near, interface=replace(near.interface, neighbors={other: far.interface.mac})),
            replace(far, interface=replace(far.interface, neighbors={one: near.interface.mac})),
        ),
    )


def pair_ends(ground: Ground) -> Mapping[EndKey, EndKey]:
    """Return the ends of connections that name each other by their public addresses.

    Whether their keys are the same is for IKE to find out; of several candidates, those whose keys
    agree are paired.
    """
    at = {ground.find_public_address(speaker): speaker for speaker in ground.instances}
    towards: dict[EndKey, list[EndKey]] = {}
    for key, end in ground.ends.items():
        far = at.get(end.local_gateway.public_address)
        here = ground.find_public_address(end.speaker) if end.speaker in ground.instances else ""
        if far is None or not here:
            continue
        back = [
            other.key
            for other in ground.ends.values()
            if other.speaker == far and other.local_gateway.public_address == here
        ]
        towards[key] = sorted(back, key=lambda other: other != end.tunnel)
    return {
        key: candidates[0]
        for key, candidates in towards.items()
        if candidates and towards.get(candidates[0], [None])[0] == key
    }


@dataclass(frozen=True)
class _Instance:
    ground: Ground
    pairs: Mapping[EndKey, EndKey]
    speaker: SpeakerKey

    @property
    def gateway(self) -> records.Gateway:
        return self.ground.network.gateways.all[self.speaker[0]]

    @property
    def addresses(self) -> tuple[str, ...]:
        return self.gateway.instances[self.speaker[1]].addresses

    @cached_property
    def ends(self) -> list[ConnectionEnd]:
        return [end for end in self.ground.ends.values() if end.speaker == self.speaker]

    def build(self) -> Node:
        """Return the node."""
        tunnels = tuple(self._iter_tunnels())
        sessions = tuple(self._iter_sessions()) if self.gateway.bgp else ()
        peers = [(session.local, session.neighbor) for session in sessions]
        ports = [port for tunnel in tunnels for port in (tunnel.port, tunnel.nat_port)]
        return Node(
            name=self.ground.name_instance(self.speaker),
            kind="gateway",
            forwarding=True,
            routes=tuple({(r.prefix, r.metric): r for r in self._iter_routes(tunnels)}.values()),
            nft=build_gateway_ruleset(peers, ports),
            bird=bird.build_configuration(
                self.addresses[0],
                self.gateway.asn,
                self.ground.originated.get(self.gateway.key, ()),
                sessions,
                self.ground.speed,
            )
            if self.gateway.bgp
            else "",
            tunnels=tunnels,
        )

    def _iter_routes(self, tunnels: tuple[Tunnel, ...]) -> Iterator[Route]:
        for tunnel in tunnels:
            yield Route(f"{tunnel.remote_address}/32", "outside", OTHER_SIDE)
        for prefix in self.ground.delivered.get(self.gateway.key, ()):
            yield Route(prefix, "inside", OTHER_SIDE)
        for twin, address in self._iter_twins():
            yield Route(f"{address}/32", "twin")
            for end in self.ground.ends.values():
                if end.speaker == twin and end.key in self.ground.up:
                    # Not the peer itself: a session has its own tunnel or none.
                    for prefix in end.local_gateway.prefixes:
                        yield Route(prefix, "twin", address, metric=_TWIN_METRIC)
        for place, end in enumerate(self.ends):
            for prefix in end.static_prefixes:
                if end.key in self.pairs:
                    device = name_device(self.ground.names, end.key)
                    yield Route(prefix, device, metric=1 + place)
                yield Route(prefix, kind="blackhole", metric=_DOWN_METRIC)
        yield Route("0.0.0.0/0", kind="blackhole", metric=_LAST_RESORT)

    def _iter_twins(self) -> Iterator[tuple[SpeakerKey, str]]:
        for index, instance in enumerate(self.gateway.instances):
            if index != self.speaker[1] and instance.addresses:
                yield (self.speaker[0], index), instance.addresses[0]

    def _iter_tunnels(self) -> Iterator[Tunnel]:
        for end in self.ends:
            far = self.pairs.get(end.key)
            if far is None:
                continue
            yield Tunnel(
                name=f"{end.connection.name}-{name_device(self.ground.names, end.key)}",
                device=name_device(self.ground.names, end.key),
                local_address=self.ground.find_public_address(self.speaker),
                remote_address=end.local_gateway.public_address,
                secret=end.connection.shared_key,
                port=IKE_PORT + self._find_place(end.key),
                nat_port=NAT_PORT + self._find_place(end.key),
                remote_port=NAT_PORT + self._find_place(far),
                initiates=end.key < far,
                local_identity=_make_identity(self.ground, end.key),
                remote_identity=_make_identity(self.ground, far),
            )

    def _find_place(self, key: EndKey) -> int:
        """Return how far the ports of an end are from those of its gateway's first one."""
        speaker = self.ground.ends[key].speaker
        ends = [end.key for end in self.ground.ends.values() if end.speaker == speaker]
        return _PORTS_APART * ends.index(key)

    def _iter_sessions(self) -> Iterator[bird.Session]:
        for end in self.ends:
            if end.speaks_bgp:
                far = self.ground.ends.get(end.session) if end.session is not None else None
                named = far.local_gateway.bgp_address if far is not None else ""
                yield bird.Session(
                    name=name_session(self.ground.names, end.key),
                    local=named if named in self.addresses else end.local_address,
                    neighbor=end.local_gateway.bgp_address,
                    asn=end.local_gateway.asn,
                    device=name_device(self.ground.names, end.key) if end.key in self.pairs else "",
                    withheld=end.local_gateway.prefixes,
                )
        for _, address in self._iter_twins():
            yield bird.Session(
                name=TWIN,
                local=self.addresses[0],
                neighbor=address,
                asn=self.gateway.asn,
                device="twin",
                twin=True,
            )


SESSION, TWIN = "session", "twin"
"""What BIRD calls the sessions with other gateways (with a number), and with the twin."""


def name_device(names: Names, end: EndKey) -> str:
    """Return the name of a tunnel's device."""
    return f"{bird.TUNNEL}{names.number('tunnel', end[0], str(end[1]))}"


def name_session(names: Names, end: EndKey) -> str:
    """Return the name that BIRD has for a session."""
    return f"{SESSION}{names.number('tunnel', end[0], str(end[1]))}"


def _make_identity(ground: Ground, end: EndKey) -> str:
    return f"end{ground.names.number('tunnel', end[0], str(end[1]))}.{end[1]}.lab"
