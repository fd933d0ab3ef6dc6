"""What was seen and what follows from it: readings, verdicts, plans. Pure.

``Observed`` is an immutable picture of Azure at one moment. ``Plan`` is what a command would
change, decided from it. Neither does anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Generic, TypeVar

from erfailover.site import Flags, Path, Role, network_of

T = TypeVar("T")

VPN, EXPRESSROUTE = "Vpn", "ExpressRoute"
"""The types of gateways that a hub may have."""


class Verdict(StrEnum):
    """What a condition comes to. UNKNOWN is neither of the others and permits nothing."""

    HOLDS = "HOLDS"
    FAILS = "FAILS"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """A value read from Azure, or why it could not be read."""

    value: T | None
    unknown: str | None = None
    """Why the value is not known; None where it is."""


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


@dataclass(frozen=True, slots=True)
class GatewayRoute:
    """One row of a gateway's learned routes, in the fields of ``getLearnedRoutes``."""

    network: str
    next_hop: str | None
    local_address: str | None
    weight: int | None
    source_peer: str | None
    origin: str
    as_path: str | None


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

    @property
    def failed(self) -> bool:
        """Whether the last operation on it failed: its flags are then not those in force."""
        return self.provisioning_state == "Failed"

    @property
    def sound(self) -> bool:
        """Whether its flags are in force, and a peering stands opposite or is awaited."""
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


@dataclass(frozen=True, slots=True)
class Observed:
    """A site as read from Azure at one moment.

    Keys are resource ids in lower case. A VNet or gateway that could not be read is not in the
    map; ``unknown`` says why.
    """

    taken_at: str
    """RFC 3339, UTC."""
    networks: Mapping[str, VirtualNetwork]
    gateways: Mapping[Role, Gateway]
    unknown: Mapping[str, str] = field(default_factory=dict)

    def network(self, network_id: str) -> VirtualNetwork | None:
        """A VNet by its id."""
        return self.networks.get(network_id.lower())

    def peering(self, peering_id: str) -> Peering | None:
        """A peering by its id."""
        network = self.network(network_of(peering_id))
        for peering in network.peerings if network else ():
            if peering.id.lower() == peering_id.lower():
                return peering
        return None


@dataclass(frozen=True, slots=True)
class Claim:
    """A condition asked of what was observed."""

    name: str
    """The condition, as a claim: ``gateway_has_a_connected_bgp_peer``."""
    verdict: Verdict
    seen: str
    """What was seen, and what was expected where it does not hold."""
    remedy: str = ""
    """What to do where it does not hold; empty where nothing is known."""


class Change(StrEnum):
    """What a step does to a resource."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class PeeringWrite:
    """One write of a peering: read, change the flags, write the whole body back."""

    change: Change
    peering_id: str
    remote_virtual_network: str
    before: Flags | None
    after: Flags | None
    """None for a deletion."""

    @property
    def name(self) -> str:
        """The name of the peering."""
        return self.peering_id.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class SwitchStep:
    """One step of a switch, as the operator sees it before it is done."""

    number: int
    spoke: str
    title: str
    why: str
    write: PeeringWrite
    gated: bool = False
    """Whether the gate must hold immediately before."""
    contingency: tuple[PeeringWrite, ...] = ()
    """What is written, in this order, if Azure refuses this step or fails at it."""

    @property
    def id(self) -> str:
        """Unique within a plan; what journal and schedule call it."""
        return f"{self.spoke}/{self.number}"


class Purpose(StrEnum):
    """What a plan is for."""

    SWITCH = "switch"
    PRESTAGE = "prestage"
    UNPRESTAGE = "unprestage"


@dataclass(frozen=True, slots=True)
class SwitchPlan:
    """What a switch would do: every write it may make, contingencies included."""

    site: str
    target: Path
    steps: tuple[SwitchStep, ...]
    guards: tuple[Claim, ...]
    """What must hold before anything is written, as it stands now."""
    purpose: Purpose = Purpose.SWITCH
    hazards: tuple[Claim, ...] = ()
    """What else could keep traffic off the target; see ``hazards``."""

    @property
    def writes(self) -> tuple[SwitchStep, ...]:
        """The steps that change something."""
        return tuple(step for step in self.steps if step.write.change is not Change.KEEP)
