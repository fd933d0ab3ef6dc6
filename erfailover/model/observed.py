"""An immutable picture of a site in Azure at one moment: networks, peerings, gateways. Pure.

A value that could not be read is a ``Reading`` with the reason. What follows from a picture is
decided in ``planning``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any, Generic, NamedTuple, TypeVar

from erfailover.errors import Failure
from erfailover.model.peering_flags import Flags
from erfailover.model.prefix_table import parse_route_prefix
from erfailover.model.resource_ids import get_network_id
from erfailover.model.route_tables import RouteTable
from erfailover.model.site import Role

T = TypeVar("T")

VPN, EXPRESSROUTE = "Vpn", "ExpressRoute"
"""The types of gateways that a hub may have."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """A value read from Azure, or why it could not be read."""

    value: T | None
    unknown: str | None = None
    """Why the value is not known; None if it is."""


def attempt(read: Callable[[], T | None]) -> Reading[T]:
    """Read a value; if that fails, keep the reason."""
    try:
        return Reading(read())
    except Failure as failure:
        return Reading(None, failure.message)


@dataclass(frozen=True, slots=True)
class BgpPeer:
    """One row of a gateway's BGP peer status, in the fields of ``getBgpPeerStatus``."""

    neighbor: str
    local_address: str | None
    asn: int | None
    state: str
    connected_duration: str | None
    routes_received: int | None
    messages_sent: int | None
    messages_received: int | None


class GatewayRoute(NamedTuple):
    """One row of a gateway's learned routes, in the fields of ``getLearnedRoutes``.

    A tuple, because a table has thousands of rows and making a frozen dataclass takes three times
    as long.
    """

    network: str
    next_hop: str | None
    local_address: str | None
    weight: int | None
    source_peer: str | None
    origin: str
    as_path: str | None

    @property
    def prefix(self) -> IPv4Network | None:
        """The network as an IPv4 prefix; None for IPv6."""
        return parse_route_prefix(self.network)


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A site-to-site connection of a VPN gateway, and the local network gateway it leads to."""

    name: str
    local_network_gateway: str
    address: str = ""
    """``gatewayIpAddress`` of the far end; empty if it has a name instead."""
    from_private_address: bool = False
    """``useLocalAzureIpAddress``: the gateway's end is its private address."""
    bgp: bool = True
    """``enableBgp`` of the connection."""
    status: str = "Unknown"
    """``connectionStatus``."""
    prefixes: tuple[IPv4Network, ...] = ()
    """The address space of the local network gateway."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A virtual network gateway as read."""

    id: str
    name: str
    role: Role
    provisioning_state: str
    bgp_addresses: tuple[str, ...]
    """Of all its instances: Azure's, and those of the operator (APIPA)."""
    peers: Reading[tuple[BgpPeer, ...]]
    learned_routes: Reading[tuple[GatewayRoute, ...]]
    asn: int | None = None
    type: str = VPN
    """``gatewayType``: ``Vpn`` or ``ExpressRoute``."""
    sku: str | None = None
    active_active: bool = False
    bgp: bool = True
    """``enableBgp``; an ExpressRoute gateway always speaks BGP."""
    static_tunnels: Reading[tuple[Tunnel, ...]] | None = None
    """Its connections without BGP; None if they were not read because BGP shows everything."""
    advertised: Reading[tuple[IPv4Network, ...]] | None = None
    """What it advertises to its peers; read only if a hub has ``summarizedGatewayPrefixes``."""
    answered_s: float = field(default=float("-inf"), compare=False)
    """When its first answer arrived, by the reader's clock: its age counts from then."""
    derived: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What was derived from this reading, shared by all callers (``planning.once``)."""

    @property
    def has_far_end(self) -> bool:
        """Whether it speaks BGP, or has tunnels without it as far as is known."""
        tunnels = self.static_tunnels
        return self.bgp or (tunnels is not None and tunnels.value != ())


@dataclass(frozen=True, slots=True)
class Peering:
    """A peering as read."""

    id: str
    name: str
    virtual_network: str
    """The id of the VNet that owns it."""
    remote_virtual_network: str
    """The id of the VNet it leads to."""
    state: str
    sync_level: str | None
    provisioning_state: str
    flags: Flags
    known_space: tuple[str, ...] | None = None
    """The remote VNet's prefixes that are in force on the peering: those of the last sync."""
    remote_space: tuple[str, ...] | None = None
    """The remote VNet's prefixes as they are now; None if Azure does not list them."""
    is_partial: bool = False
    """Whether it joins some subnets, or IPv6 only, instead of the complete VNets."""

    @property
    def is_out_of_sync(self) -> bool:
        """Whether its sync level is not FullyInSync."""
        return bool(self.sync_level) and self.sync_level != "FullyInSync"

    @property
    def needs_sync(self) -> bool:
        """Whether a sync of this side changes something: the other one may be the stale side."""
        names, now = self.known_space, self.remote_space
        stale = names is None or now is None or set(names) != set(now)
        return self.is_out_of_sync and self.state in ("Connected", "Initiated") and stale

    @property
    def unknown_space(self) -> tuple[str, ...]:
        """The remote VNet's prefixes that are not in force on the peering."""
        names = self.known_space or ()
        return tuple(name for name in self.remote_space or () if name not in names)

    @property
    def failed(self) -> bool:
        """Whether the last operation on it failed: its flags are then not those in force."""
        return self.provisioning_state == "Failed"

    @property
    def sound(self) -> bool:
        """Whether its flags are in force, and the opposite peering exists or is awaited."""
        return self.state != "Disconnected" and not self.failed


@dataclass(frozen=True, slots=True)
class VirtualNetwork:
    """A VNet as read, with its peerings."""

    id: str
    name: str
    provisioning_state: str
    address_space: tuple[IPv4Network, ...]
    has_gateway: bool
    tags: Mapping[str, str]
    peerings: tuple[Peering, ...]
    summarized: tuple[IPv4Network, ...] = ()
    """``summarizedGatewayPrefixes``."""
    location: str = ""
    gateways: tuple[str, ...] = ()
    """The ids of the gateways in its GatewaySubnet."""
    subnet_tables: tuple[tuple[str, str], ...] = ()
    """The names of its subnets that have a route table, and its id; both in lower case."""


@dataclass(frozen=True, slots=True)
class SiteSnapshot:
    """A site as read from Azure at one moment.

    Keys are resource ids in lower case. A VNet or gateway that could not be read is not in the
    map; ``unknown`` says why.
    """

    taken_at: str
    """RFC 3339, UTC."""
    networks: Mapping[str, VirtualNetwork]
    gateways: Mapping[Role, Gateway]
    unknown: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[Role, tuple[Gateway, ...]] = field(default_factory=dict)
    """The gateways in a hub beside the one that the site file names; empty if not read."""
    route_tables: Mapping[str, Reading[RouteTable]] = field(default_factory=dict)
    """The tables of ``routing`` in the site file, and those of the hubs' GatewaySubnets; read only
    for a site that has such a section."""
    derived: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What was derived from this reading, shared by all callers (``planning.once``)."""

    def list_gateways(self, role: Role) -> tuple[Gateway, ...]:
        """Return the gateways of a hub with a far end, the one that the site file names first.

        A second gateway without BGP and without a tunnel, for point-to-site only, is left out.
        """
        named = self.gateways.get(role)
        beside = (gateway for gateway in self.beside.get(role, ()) if gateway.has_far_end)
        return (*((named,) if named else ()), *beside)

    def get_network(self, network_id: str) -> VirtualNetwork | None:
        """Return a VNet by its id."""
        return self.networks.get(network_id.lower())

    def get_route_table(self, table_id: str) -> Reading[RouteTable]:
        """Return a route table by its id."""
        return self.route_tables.get(table_id.lower(), Reading(None, "it was not read"))

    def get_peering(self, peering_id: str) -> Peering | None:
        """Return a peering by its id."""
        network, wanted = self.get_network(get_network_id(peering_id)), peering_id.lower()
        for peering in network.peerings if network else ():
            if peering.id.lower() == wanted:
                return peering
        return None
