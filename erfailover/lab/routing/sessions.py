"""BGP sessions and tunnels over time: each end's configuration and view.

Owns each end's view of its session and the tunnels' start. Each end has its own view: one whose
own configuration changed restarts at once; the other notices a silence only when its hold
time has passed. A session needs both ends to agree (addresses, ASNs, BGP on, one shared key).
``route_exchange`` computes the routes of a session; this module never reads routes, it only
keeps those that a silent session learned last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from erfailover.lab.core.world import World
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.records import Connection, Gateway, LocalGateway
from erfailover.lab.routing.route_exchange import BgpRoute, EndKey, SpeakerKey


@dataclass(frozen=True, slots=True)
class BgpTiming:
    """How long routing takes to notice things, in modelled seconds.

    ``hold_s`` and ``keepalive_s`` are the timers of Azure's VPN gateways (documented: 180 and
    60 s). The others are unpublished and assumed: ``tunnel_s`` from the moment both
    connections agree to the tunnel being up, ``connect_s`` from then to an established session
    (the tunnel included), ``learn_s`` from a change of a peering to the gateway originating,
    or no longer originating, the spoke's prefixes, ``circuit_s`` from a change of a circuit or
    its peering to an ExpressRoute gateway's tables.
    """

    hold_s: float = 180.0
    keepalive_s: float = 60.0
    tunnel_s: float = 5.0
    connect_s: float = 15.0
    learn_s: float = 10.0
    circuit_s: float = 10.0


@dataclass(frozen=True, slots=True)
class ConnectionEnd:
    """A configured end of a connection, at one instance of its gateway.

    ``tunnel`` is the far end with which the tunnel's parameters agree (public addresses and
    shared key), ``session`` the one with which BGP's agree too; None if there is none.
    """

    key: EndKey
    connection: Connection
    gateway: Gateway
    local_gateway: LocalGateway
    speaker: SpeakerKey
    local_address: str
    far_exists: bool
    tunnel: EndKey | None
    session: EndKey | None

    @property
    def speaks_bgp(self) -> bool:
        """Whether a BGP peer is configured at this end."""
        return has_peer(self.connection, self.gateway, self.local_gateway)

    @property
    def static_prefixes(self) -> tuple[str, ...]:
        """The prefixes that the configuration says are beyond this end's tunnel."""
        host = (f"{self.local_gateway.bgp_address}/32",) if self.speaks_bgp else ()
        return (*host, *self.local_gateway.prefixes)

    @property
    def identity(self) -> tuple[str, str, int]:
        """The values that make it another peer if they change."""
        return self.local_address, self.local_gateway.bgp_address, self.local_gateway.asn


@dataclass(slots=True)
class SessionView:
    """One end's view of its session.

    ``since`` is when it came up, None while Connecting. ``partner`` names the far end it agrees
    with, by key and serial number. ``established`` is the far end of the session that is up, or
    was when it went silent; ``frozen`` holds the routes learned last, from ``silent_since`` on.
    """

    serial: int
    identity: tuple[str, str, int]
    partner: tuple[EndKey, int] | None = None
    established: tuple[EndKey, int] | None = None
    since: float | None = None
    silent_since: float | None = None
    frozen: tuple[BgpRoute, ...] | None = None
    attempt: int = 0


class Sessions:
    """Every end of every connection, and its view."""

    def __init__(
        self, world: World, timing: BgpTiming, list_received: Callable[[EndKey], list[BgpRoute]]
    ):
        self._world = world
        self._timing = timing
        self._heard = list_received
        self._serials = 0
        self.ends: dict[EndKey, ConnectionEnd] = {}
        self.views: dict[EndKey, SessionView] = {}
        self.moves = 0
        """Counts the sessions that came up or were lost by an event."""
        self._tunnels: dict[EndKey, tuple[EndKey, float]] = {}

    def reconcile(self, network: Network) -> None:
        """Process the current configuration; the world has just changed."""
        self.ends = read_ends(network)
        self._reconcile_tunnels()
        for key in [key for key, view in self.views.items() if self._is_obsolete(key, view)]:
            del self.views[key]
        for key, end in self.ends.items():
            if end.speaks_bgp and key not in self.views:
                self.views[key] = SessionView(self._next_serial(), end.identity)
        partners = {key: self._find_partner(key) for key in self.views}
        changed = [key for key, view in self.views.items() if view.partner != partners[key]]
        for key in changed:
            self._fall_silent(key)
        for key in changed:
            self.views[key].partner = partners[key]
        for key in changed:
            partner = partners[key]
            if partner is not None and (key < partner[0] or partner[0] not in changed):
                self._agree(key, partner[0])

    def _next_serial(self) -> int:
        self._serials += 1
        return self._serials

    def is_tunnel_up(self, key: EndKey) -> bool:
        """Return whether the tunnel at one end carries packets now."""
        tunnel = self._tunnels.get(key)
        return tunnel is not None and self._world.now >= tunnel[1] + self._timing.tunnel_s

    def get_far_end(self, key: EndKey) -> ConnectionEnd | None:
        """Return the other end of the tunnel at one end."""
        tunnel = self._tunnels.get(key)
        return self.ends.get(tunnel[0]) if tunnel is not None else None

    def _reconcile_tunnels(self) -> None:
        now = self._world.now
        previous = self._tunnels
        self._tunnels = {
            key: previous[key]
            if key in previous and previous[key][0] == end.tunnel
            else (end.tunnel, now)
            for key, end in self.ends.items()
            if end.tunnel is not None
        }

    def _is_obsolete(self, key: EndKey, view: SessionView) -> bool:
        end = self.ends.get(key)
        return end is None or not end.speaks_bgp or end.identity != view.identity

    def _find_partner(self, key: EndKey) -> tuple[EndKey, int] | None:
        """Return the far end, if it refers to this end too (of two connections, to one)."""
        far = self.ends[key].session
        if far is None or self.ends[far].session != key:
            return None
        return far, self.views[far].serial

    def _fall_silent(self, key: EndKey) -> None:
        """Stop the keepalives; the session is lost when the hold time has passed."""
        view = self.views[key]
        if view.since is None or view.frozen is not None:
            return
        view.frozen = tuple(self._heard(key))
        view.silent_since = self._world.now
        expired = partial(self._expire, key, view, self._world.now)
        self._world.schedule(self._world.now + self._timing.hold_s, expired)

    def _expire(self, key: EndKey, view: SessionView, silent_since: float) -> None:
        if self.views.get(key) is view and view.silent_since == silent_since:
            view.since = view.silent_since = view.frozen = view.established = None
            self.moves += 1

    def _agree(self, one: EndKey, other: EndKey) -> None:
        """Continue the old session if neither end dropped it; otherwise start a new one."""
        here, there = self.views[one], self.views[other]
        if here.established == (other, there.serial) and there.established == (one, here.serial):
            for view in (here, there):
                view.frozen = view.silent_since = None
            return
        here.attempt = there.attempt = self._next_serial()
        establish = partial(self._establish, one, other, here.attempt)
        self._world.schedule(self._world.now + self._timing.connect_s, establish)

    def _establish(self, one: EndKey, other: EndKey, attempt: int) -> None:
        here, there = self.views.get(one), self.views.get(other)
        if here is None or there is None or here.attempt != attempt or there.attempt != attempt:
            return
        if here.partner != (other, there.serial) or there.partner != (one, here.serial):
            return
        self.moves += 1
        for view, partner in ((here, here.partner), (there, there.partner)):
            view.established = partner
            view.since = self._world.now
            view.frozen = view.silent_since = None


def read_ends(network: Network) -> dict[EndKey, ConnectionEnd]:
    """Return every connection's configured ends, and which ends agree with each other."""
    owners = _map_owners(network)
    drafts = [
        (connection, gateway, local_gateway)
        for connection in network.connections.all.values()
        if connection.ipsec
        and (gateway := network.gateways.get(connection.gateway)) is not None
        and (local_gateway := network.local_gateways.get(connection.local_gateway)) is not None
    ]
    by_gateway: dict[str, list[tuple[Connection, LocalGateway]]] = {}
    for connection, gateway, local_gateway in drafts:
        by_gateway.setdefault(gateway.key, []).append((connection, local_gateway))
    ends: dict[EndKey, ConnectionEnd] = {}
    for connection, gateway, local_gateway in drafts:
        for index, instance in enumerate(gateway.instances):
            key = (connection.key, index)
            far = owners.get(local_gateway.public_address)
            tunnel = session = None
            here = network.public_ips.get(instance.public_ip) or ""
            for back, back_to in by_gateway.get(far[0], ()) if far is not None and here else ():
                if back_to.public_address != here or not _has_same_key(connection, back):
                    continue
                assert far is not None
                tunnel = (back.key, far[1])
                far_gateway = network.gateways.all[far[0]]
                if (
                    connection.bgp
                    and back.bgp
                    and _matches_instance(local_gateway, far_gateway, far[1])
                    and _matches_instance(back_to, gateway, index)
                ):
                    session = tunnel
                break
            ends[key] = ConnectionEnd(
                key=key,
                connection=connection,
                gateway=gateway,
                local_gateway=local_gateway,
                speaker=(gateway.key, index),
                local_address=instance.addresses[0] if instance.addresses else "",
                far_exists=far is not None,
                tunnel=tunnel,
                session=session,
            )
    return ends


def describe_connection(
    ends: Sequence[ConnectionEnd], is_up: Callable[[ConnectionEnd], bool]
) -> str:
    """Return the ``connectionStatus`` of a connection, from all of its ends.

    Recorded: ``Unknown`` if the far end is no gateway of Azure's (nor of this lab's).
    """
    if any(is_up(end) for end in ends):
        return "Connected"
    if any(end.tunnel is not None for end in ends):
        return "Connecting"
    return "NotConnected" if any(end.far_exists for end in ends) else "Unknown"


def has_peer(connection: Connection, gateway: Gateway, local_gateway: LocalGateway) -> bool:
    """Return whether a BGP peer is configured on a connection."""
    return connection.bgp and gateway.bgp and bool(local_gateway.bgp_address)


def _map_owners(network: Network) -> Mapping[str, SpeakerKey]:
    """Return the gateway instance behind each public address."""
    owners: dict[str, SpeakerKey] = {}
    for gateway in network.gateways.all.values():
        for index, instance in enumerate(gateway.instances):
            address = network.public_ips.get(instance.public_ip)
            if address:
                owners[address] = (gateway.key, index)
    return owners


def _has_same_key(one: Connection, other: Connection) -> bool:
    return bool(one.shared_key) and one.shared_key == other.shared_key


def _matches_instance(local_gateway: LocalGateway, gateway: Gateway, index: int) -> bool:
    """Return whether a local network gateway matches a gateway instance's BGP settings."""
    return (
        gateway.bgp
        and local_gateway.asn == gateway.asn
        and local_gateway.bgp_address in gateway.instances[index].addresses
    )
