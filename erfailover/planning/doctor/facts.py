"""What ``doctor`` judges: everything it read, as immutable values. Pure.

What could not be read is a ``Reading`` with its reason; reading is ``azure.readers.doctor``'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address

from erfailover.model.appliances import Appliance
from erfailover.model.circuits import Circuits
from erfailover.model.edge_sessions import EdgeSessions
from erfailover.model.lease import LeaseState
from erfailover.model.observed import Reading, SiteSnapshot
from erfailover.model.routing import RoutingEnvironment
from erfailover.model.site import Role
from erfailover.planning.api_versions import ApiVersions
from erfailover.planning.doctor.permissions import Grant
from erfailover.planning.peering_names import RenamedPeering


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the credentials are, from the claims of the token; the token itself is kept nowhere.

    Attributes:
        name: a user's sign-in name, or an application's id.
        kind: ``user`` or ``application``.
    """

    name: str
    kind: str
    object_id: str
    tenant: str
    managed: bool = False
    """Whether it is a managed identity, which is of one tenant."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """Whose token opens a subscription; None, with the reason, if its tenant takes none."""

    identity: Identity | None
    refused: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Lock:
    """A management lock: ``ReadOnly`` or ``CanNotDelete``, at a scope and for all below."""

    name: str
    scope: str
    level: str

    def is_in_scope(self, resource_id: str) -> bool:
        """Whether it holds for a resource."""
        return f"{resource_id.lower()}/".startswith(f"{self.scope.rstrip('/').lower()}/")


@dataclass(frozen=True, slots=True)
class Watcher:
    """The region of a machine, and its Network Watcher's id; None if none can be seen there."""

    region: str
    watcher: str | None


@dataclass(frozen=True, slots=True)
class EligibleRole:
    """A role that the identity may activate in Privileged Identity Management, at a scope."""

    name: str
    scope: str
    active: bool


@dataclass(frozen=True, slots=True)
class Policies:
    """What Azure Policy says of the peerings of one resource group.

    Attributes:
        denials: each a peering and the assignment that denies its writing.
        not_evaluated: assignments of management groups, which Azure's answer leaves out.
    """

    denials: tuple[tuple[str, str], ...]
    not_evaluated: tuple[str, ...] = ()


EVERYBODY = "00000000-0000-0000-0000-000000000000"
"""The principal of a deny assignment that holds for all (published)."""


@dataclass(frozen=True, slots=True)
class DenyAssignment:
    """What Azure denies at a scope and below, whatever roles grant."""

    name: str
    scope: str
    grants: tuple[Grant, ...]
    """The actions that it takes away."""
    principals: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    whole_scope: bool = True
    """Whether it holds for child scopes as well."""

    def is_in_scope(self, resource_id: str) -> bool:
        """Whether it holds for a resource."""
        own, desired = self.scope.rstrip("/").lower(), resource_id.lower()
        return desired == own or (self.whole_scope and desired.startswith(f"{own}/"))


@dataclass(frozen=True, slots=True)
class GatewayDetail:
    """What a gateway is made of.

    Attributes:
        addresses: name and SKU of each public address; an empty SKU could not be read.
    """

    name: str
    type: str
    sku: str
    generation: str
    addresses: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class GatewayLoad:
    """What a gateway carried, in bit/s: lately, and at most in the period."""

    last_bps: float
    most_bps: float
    period: str


@dataclass(frozen=True, slots=True)
class HostReachability:
    """A host that a switch depends on, and where its name leads from here.

    Attributes:
        what: what the host is for.
        proxy: the proxy that is asked instead; None for none.
    """

    what: str
    host: str
    addresses: Reading[tuple[IPv4Address, ...]]
    proxy: str | None = None


@dataclass(frozen=True, slots=True)
class DoctorFacts:
    """Everything that was read, at one moment.

    Attributes:
        now: this machine's clock, UTC.
        unreachable: why nothing of Azure could be read; None if something was.
        grants: by resource id in lower case.
        sign_ins: how each subscription is signed in to, if there are several or further tenants.
        locks, policies, denials, eligible: by the id of the resource group in lower case.
        watchers: the Network Watcher that serves a machine, by the machine's id in lower case.
        api_versions: what the providers offer and what is used.
        remaining: what is left of Azure's limits, by subscription and ``reads`` or ``writes``.
        journal: what is damaged in it; empty if nothing is.
        circuits: what the gateways that could be read hang on.
        other_names: the peerings with another name than the site file says, with its line.
        sessions: the BGP sessions of the primary's circuits with the customer edge.
        appliances: what forwards in each hub; read only if the site file has ``routing``.
        stand_in: the BGP peering address of the drill's local network gateway; None without one.
    """

    now: datetime
    endpoint: str
    identity: Reading[Identity]
    observed: SiteSnapshot
    date: Reading[datetime] = field(default_factory=lambda: Reading(None, "not read"))
    unreachable: str | None = None
    remedy: str | None = None
    grants: Mapping[str, Reading[tuple[Grant, ...]]] = field(default_factory=dict)
    sign_ins: Mapping[str, Reading[SignIn]] = field(default_factory=dict)
    locks: Mapping[str, Reading[tuple[Lock, ...]]] = field(default_factory=dict)
    policies: Mapping[str, Reading[Policies]] = field(default_factory=dict)
    eligible: Mapping[str, Reading[tuple[EligibleRole, ...]]] = field(default_factory=dict)
    watchers: Mapping[str, Reading[Watcher]] = field(default_factory=dict)
    api_versions: Reading[ApiVersions] = field(default_factory=lambda: Reading(None, "not read"))
    denials: Mapping[str, Reading[tuple[DenyAssignment, ...]]] = field(default_factory=dict)
    gateways: Mapping[Role, Reading[GatewayDetail]] = field(default_factory=dict)
    load: Reading[GatewayLoad] = field(default_factory=lambda: Reading(None, "not read"))
    remaining: Mapping[tuple[str, str], Reading[int]] = field(default_factory=dict)
    lease: Reading[LeaseState] = field(default_factory=lambda: Reading(None, "not read"))
    journal: Reading[str] = field(default_factory=lambda: Reading(None, "not read"))
    hosts: tuple[HostReachability, ...] = ()
    around: RoutingEnvironment = field(default_factory=RoutingEnvironment)
    circuits: Mapping[Role, Circuits] = field(default_factory=dict)
    other_names: tuple[tuple[RenamedPeering, str], ...] = ()
    sessions: tuple[EdgeSessions, ...] = ()
    stand_in: Reading[str] | None = None
    appliances: Mapping[Role, Reading[tuple[Appliance, ...]]] = field(default_factory=dict)
