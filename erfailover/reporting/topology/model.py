"""The topology of a site as observed, as values to draw: every element with its mark. Pure.

``build`` makes a ``Picture``; the terminal, the diagram and the status only read it. Nothing here
knows of a colour, a width or a place on a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from erfailover.model.circuits import Connection
from erfailover.model.counting import join_names
from erfailover.model.observed import BgpPeer, Gateway, Peering, VirtualNetwork
from erfailover.model.site import Role
from erfailover.planning.drill.state import DrillState
from erfailover.planning.health import Health, SpokeHealth
from erfailover.reporting.marks import Assessment


@dataclass(frozen=True, slots=True)
class SessionPicture:
    """A BGP session of a gateway.

    Attributes:
        external: whether it leads out of Azure's network; the others are those to the twin
            instance, to a Route Server, to a VPN gateway beside an ExpressRoute one.
        active: whether the path in use runs over it, were it up.
    """

    peer: BgpPeer
    external: bool
    active: bool
    condition: Assessment


@dataclass(frozen=True, slots=True)
class ConnectionPicture:
    """A connection of a gateway; its condition, or its circuit's if that is worse."""

    connection: Connection
    active: bool
    condition: Assessment


@dataclass(frozen=True, slots=True)
class GatewayPicture:
    """A hub's gateway.

    Attributes:
        gateway: as read; None if it could not be read; the condition has the reason.
        sessions: its BGP sessions; empty if they are unknown; the condition has the reason.
        connections: its connections.
        connections_unknown: why those are not known; None if they are.
        active: whether a spoke uses it.
    """

    name: str
    gateway: Gateway | None
    sessions: tuple[SessionPicture, ...]
    connections: tuple[ConnectionPicture, ...]
    connections_unknown: str | None
    active: bool
    condition: Assessment

    @property
    def external_sessions(self) -> tuple[SessionPicture, ...]:
        """The sessions that lead out of Azure's network."""
        return tuple(session for session in self.sessions if session.external)


@dataclass(frozen=True, slots=True)
class HubPicture:
    """A hub; ``network`` is its VNet as read, None if it could not be read."""

    name: str
    role: Role
    path: str
    """The path that it serves: ``expressroute`` or ``ipsec``."""
    network: VirtualNetwork | None
    gateway: GatewayPicture
    active: bool
    condition: Assessment


@dataclass(frozen=True, slots=True)
class PeeringSide:
    """One of the two peerings between a spoke and a hub.

    Attributes:
        name: in the site file.
        owner: the name of the VNet that owns it.
        remote: the name of the VNet that it leads to.
        peering: as read; None if it does not exist or could not be read.
    """

    name: str
    owner: str
    remote: str
    peering: Peering | None
    condition: Assessment


@dataclass(frozen=True, slots=True)
class PeeringPair:
    """Both peerings between a spoke and a hub; ``active`` if the spoke uses that hub's gateway."""

    role: Role
    outward: PeeringSide
    """From the spoke to the hub."""
    inward: PeeringSide
    """From the hub to the spoke."""
    active: bool
    condition: Assessment

    @property
    def sides(self) -> tuple[PeeringSide, PeeringSide]:
        """The spoke's side, then the hub's."""
        return self.outward, self.inward


@dataclass(frozen=True, slots=True)
class SpokePicture:
    """A spoke, with the verdict on it; ``prefixes`` is empty if its VNet could not be read."""

    name: str
    virtual_network: str
    prefixes: tuple[IPv4Network, ...]
    health: SpokeHealth
    pairs: tuple[PeeringPair, ...]
    """With the primary hub, then with the backup hub."""
    condition: Assessment
    next_hops: tuple[str, ...] = ()
    """The appliances by which it sends the remote prefixes, if the site file moves these."""

    def get_pair(self, role: Role) -> PeeringPair:
        """Return the peerings with one of the hubs."""
        return next(pair for pair in self.pairs if pair.role is role)


@dataclass(frozen=True, slots=True)
class SpokeGroup:
    """Spokes in the same condition: to be drawn as one. Never empty."""

    spokes: tuple[SpokePicture, ...]

    @property
    def sample(self) -> SpokePicture:
        """One that represents all of them, but for names and prefixes."""
        return self.spokes[0]

    @property
    def condition(self) -> Assessment:
        """Of the sample."""
        return self.sample.condition

    @property
    def title(self) -> str:
        """The name of the one, or how many they are: ``238 spokes``."""
        return self.sample.name if len(self.spokes) == 1 else f"{len(self.spokes)} spokes"

    def format_names(self, at_most: int = 3) -> str:
        """Return some of the names: ``spoke1, spoke2, spoke3 and 235 more``."""
        return join_names([spoke.name for spoke in self.spokes], at_most)


@dataclass(frozen=True, slots=True)
class FarEnd:
    """Who is at the other end of BGP sessions, identified by ASN: a site's router, the edge.

    Attributes:
        name: of the topology in the site file if its ASN is that of a gateway there;
            ``Microsoft edge``; otherwise ``AS 65020``.
        neighbors: the addresses that the sessions lead to.
        roles: the hubs whose gateways have a session with it, up or not.
    """

    name: str
    asn: int | None
    neighbors: tuple[str, ...]
    roles: tuple[Role, ...]
    active: bool
    condition: Assessment


@dataclass(frozen=True, slots=True)
class LearnedPrefix:
    """Whether a hub's gateway has learned a remote prefix, and from which neighbors."""

    role: Role
    neighbors: tuple[str, ...]
    condition: Assessment


@dataclass(frozen=True, slots=True)
class RemotePrefix:
    """A prefix that the spokes must reach; ``name`` is of a VNet in the site file's topology."""

    prefix: IPv4Network
    name: str | None
    learned: tuple[LearnedPrefix, ...]
    """By the primary hub, then by the backup hub."""
    active: bool
    condition: Assessment
    """That of the path in use; if there is none, the worse of the two."""

    def get_learned(self, role: Role) -> LearnedPrefix:
        """Whether the gateway of one of the hubs has learned it."""
        return next(
            learned_prefix for learned_prefix in self.learned if learned_prefix.role is role
        )


@dataclass(frozen=True, slots=True)
class Picture:
    """All of a site that can be drawn, with the verdict on it."""

    site: str
    taken_at: str
    health: Health
    hubs: tuple[HubPicture, ...]
    """The primary, then the backup."""
    spokes: tuple[SpokePicture, ...]
    """All of them, as in the site file."""
    groups: tuple[SpokeGroup, ...]
    """The same, those in the same condition together; what is broken first."""
    far_ends: tuple[FarEnd, ...]
    remote_prefixes: tuple[RemotePrefix, ...]
    drill: DrillState | None = None

    @property
    def drill_runs(self) -> bool:
        """Whether a drill is known to run."""
        return bool(self.drill and self.drill.running)

    def get_hub(self, role: Role) -> HubPicture:
        """One of the two hubs."""
        return next(hub for hub in self.hubs if hub.role is role)
