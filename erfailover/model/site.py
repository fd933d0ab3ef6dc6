"""The shape of the site file, as frozen dataclasses, except probes, flags and topology. Pure.

``config`` reads and checks the file. The ids of the site's resources are made here from their
names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Annotated, Literal

from erfailover.model.peering_flags import Flags
from erfailover.model.probes import Probe, list_interfaces, list_machines
from erfailover.model.resource_ids import (
    GATEWAY,
    MACHINE,
    NETWORK,
    PEERING,
    ROUTE_TABLE,
    build_child_id,
    get_last_name,
)
from erfailover.model.site_file import ApiVersion, ChosenByKeys, Prefix, Section
from erfailover.model.topology import Topology
from erfailover.model.watch_settings import Watch


class Path(StrEnum):
    """The two ways a spoke can reach the remote prefixes."""

    EXPRESSROUTE = "expressroute"
    IPSEC = "ipsec"

    @property
    def other(self) -> Path:
        """The path that is not this one."""
        return Path.IPSEC if self is Path.EXPRESSROUTE else Path.EXPRESSROUTE


class Role(StrEnum):
    """The two hubs of a site."""

    PRIMARY = "primary"
    BACKUP = "backup"


FlagsOrAbsent = Annotated[Flags | Literal["absent"], ChosenByKeys()]


@dataclass(frozen=True, slots=True)
class SitePeering(Section):
    """One direction of a peering: its name, and its flags on each path."""

    name: str
    """The peering's name in Azure."""
    on_expressroute: FlagsOrAbsent
    """Its flags while the spoke is on ExpressRoute. ``absent``: there is no peering then; allowed
    only with the backup hub."""
    on_ipsec: FlagsOrAbsent
    """Its flags while the spoke is on IPsec."""

    def get_flags(self, path: Path, existing: Flags | None = None) -> Flags | None:
        """Return the flags while the spoke is on a path; None if there is then no peering.

        Args:
            path: which of the two.
            existing: the flags as they are, for what the site file keeps.
        """
        flags = self.on_expressroute if path is Path.EXPRESSROUTE else self.on_ipsec
        return None if flags == "absent" else flags.resolve_kept(existing)


@dataclass(frozen=True, slots=True)
class Hub(Section):
    """A hub: a VNet and its gateway, by name or by full resource id."""

    virtual_network: str
    """The VNet: a name in the resource group, or a full resource id."""
    gateway: str
    """The virtual network gateway: a name, or a full resource id."""


@dataclass(frozen=True, slots=True)
class Spoke(Section):
    """A spoke and its four peerings."""

    virtual_network: str
    """The VNet: a name in the resource group, or a full resource id."""
    spoke_to_primary: SitePeering
    """The spoke's peering with the primary hub; never deleted."""
    primary_to_spoke: SitePeering
    """The primary hub's peering with the spoke; never deleted."""
    spoke_to_backup: SitePeering
    """The spoke's peering with the backup hub."""
    backup_to_spoke: SitePeering
    """The backup hub's peering with the spoke."""
    priority: int = 100
    """Spokes with a lower number move first, as with the priorities of Azure's security rules."""
    name: str = ""
    """The spoke's name. Default: the name of its VNet."""

    def __post_init__(self) -> None:
        """Name a spoke after its VNet if it has no name of another kind."""
        if not self.name:
            object.__setattr__(self, "name", get_last_name(self.virtual_network))

    def get_outward(self, role: Role) -> SitePeering:
        """Return the peering from the spoke to a hub."""
        return self.spoke_to_primary if role is Role.PRIMARY else self.spoke_to_backup

    def get_inward(self, role: Role) -> SitePeering:
        """Return the peering from a hub to the spoke."""
        return self.primary_to_spoke if role is Role.PRIMARY else self.backup_to_spoke

    def to_prestaged(self) -> Spoke:
        """Return the same spoke, with its peerings to the backup hub there on either path."""
        outward, inward = self.spoke_to_backup, self.backup_to_spoke
        if outward.on_expressroute == "absent" and outward.on_ipsec != "absent":
            ready = outward.on_ipsec.drop_remote_gateways()
            outward = replace(outward, on_expressroute=ready)
        if inward.on_expressroute == "absent":
            inward = replace(inward, on_expressroute=inward.on_ipsec)
        return replace(self, spoke_to_backup=outward, backup_to_spoke=inward)


@dataclass(frozen=True, slots=True)
class Drill(Section):
    """How to simulate a failure of the primary path if a VPN gateway stands in for ExpressRoute.

    During a drill, the local network gateway has an unused BGP peering address.
    """

    local_network_gateway: str
    """The local network gateway that a drill changes: a name, or a full resource id."""
    bgp_peering_address: IPv4Address
    """The normal BGP peering address, which ``drill stop`` restores."""
    unused_bgp_peering_address: IPv4Address
    """An unused address, which ``drill start`` sets instead."""


@dataclass(frozen=True, slots=True)
class SiteFailoverTest(Section):
    """How to simulate a failure of an ExpressRoute path: Azure's own site failover test.

    During a drill, the primary gateway is disconnected from the circuits of one peering location.
    It needs circuits in another one (published: ExpressRoute Gateway Resiliency Validation).
    """

    peering_location: str
    """The peering location whose circuits a drill disconnects from the primary gateway."""


Simulation = Annotated[Drill | SiteFailoverTest, ChosenByKeys()]

RoutingMode = Literal["overlay", "replace"]


@dataclass(frozen=True, slots=True)
class SpokeRouteTable(Section):
    """A route table of the spokes that sends their traffic through an appliance in a hub.

    A switch moves its next hops with the peerings.
    """

    route_table: str
    """The table: a name in the resource group, or a full resource id."""
    on_expressroute: IPv4Address
    """The private address of the appliance in the primary hub."""
    on_ipsec: IPv4Address
    """The private address of the appliance in the backup hub."""
    mode: RoutingMode = "overlay"
    """``overlay``: only the remote prefixes move; a wider route does not change, and narrower ones
    are added beside it. ``replace``: the next hop of complete routes changes."""
    routes: tuple[str, ...] = ()
    """With ``replace``, the names of the routes whose next hop changes. Default: all whose next hop
    is the appliance of the path being left."""

    def get_next_hop(self, path: Path) -> IPv4Address:
        """Return the appliance's address while the spokes are on a path."""
        return self.on_expressroute if path is Path.EXPRESSROUTE else self.on_ipsec


@dataclass(frozen=True, slots=True)
class Timing(Section):
    """Timeouts and waits, in seconds of Azure's time."""

    failback_hold_time_s: float = 120.0
    """How long the primary path must have been healthy before a failback."""
    step_deadline_s: float = 600.0
    """How long one write of a switch may take, retries included."""
    verify_deadline_s: float = 420.0
    """How long routes and probes may take to confirm a switch; above BGP's hold time (180 s)."""
    gate_reading_age_s: float = 40.0
    """How old the reading of the gateway may be, since Azure's response, at the break."""


CloudName = Literal["public", "usgovernment", "china"]


@dataclass(frozen=True, slots=True)
class ApiVersions(Section):
    """The API versions that requests use. Default: the SDK's own.

    ``init --from-azure`` writes them, and ``doctor`` checks them.
    """

    network: ApiVersion | None = None
    """For all types of Microsoft.Network."""
    compute: ApiVersion | None = None
    """For Microsoft.Compute/virtualMachines (probes on machines)."""

    def to_dict(self) -> dict[str, str]:
        """Return those that are set, by their keys."""
        by_name = {"network": self.network, "compute": self.compute}
        return {key: version for key, version in by_name.items() if version}


@dataclass(frozen=True, slots=True)
class NamedCloud(Section):
    """One of Microsoft's clouds, and the API versions to use there."""

    name: CloudName
    """The cloud's name."""
    api_versions: ApiVersions = field(default_factory=ApiVersions)
    """The API versions that requests use."""


@dataclass(frozen=True, slots=True)
class CloudEndpoint(Section):
    """Any other cloud, by its URLs."""

    endpoint: str
    """The URL of the management endpoint."""
    authority: str
    """The URL of the authority that issues its tokens."""
    ca: str | None = None
    """A file with the certificate authorities to trust; relative to the site file's folder."""
    api_versions: ApiVersions = field(default_factory=ApiVersions)
    """The API versions that requests use."""


TenantCredential = Literal["default", "azure-cli", "environment", "workload-identity"]

Cloud = Annotated[CloudName | NamedCloud | CloudEndpoint, ChosenByKeys()]


@dataclass(frozen=True, slots=True)
class Site(Section):
    """One primary hub, one backup hub, the spokes that move, the prefixes they must reach."""

    site: str
    """The site's name; ``provision`` tags what it creates with it."""
    primary: Hub
    """The hub of the path expressroute."""
    backup: Hub
    """The hub of the path ipsec."""
    spokes: tuple[Spoke, ...]
    """The VNets that move between the two hubs."""
    remote_prefixes: tuple[Prefix, ...]
    """The prefixes that the spokes must reach on either path."""
    resource_group: str | None = None
    """The resource group of resources that are given by name; full ids do not need it."""
    location: str = "westeurope"
    """The region in which ``provision`` creates resources."""
    subscription: str | None = None
    """The subscription's id. Default: ``AZURE_SUBSCRIPTION_ID``, then az's default."""
    cloud: Cloud = "public"
    """The cloud: by name, with or without API versions, or by its URLs."""
    tenants: Mapping[str, TenantCredential] = field(default_factory=dict)
    """Other tenants that own subscriptions of the site, by id, each with the credential that
    signs in to it; at most three."""
    state: str | None = None
    """Where to keep journal and lease: ``azblob://account/container/site``. Default: on this
    machine."""
    routing: tuple[SpokeRouteTable, ...] = ()
    """The spokes' route tables whose next hops move with the peerings: hubs with a firewall."""
    probes: Mapping[str, Probe] = field(default_factory=dict)
    """Tests of connectivity, by name."""
    prestaged: bool = False
    """Whether the peerings with the backup hub stay ready while the spokes are on ExpressRoute."""
    drill: Simulation | None = None
    """How to simulate a failure of the primary path."""
    timing: Timing = field(default_factory=Timing)
    """Timeouts and waits."""
    watch: Watch = field(default_factory=Watch)
    """How ``erfailover watch`` watches the site, and what it may do."""
    topology: Topology | None = None
    """What ``provision`` creates and ``destroy`` deletes; an existing network needs none."""
    managed_by: Literal["terraform", "bicep", "network-manager"] | None = None
    """The tool that manages the peerings as well; ``status`` warns while they differ from
    ``on_expressroute``."""

    @property
    def name(self) -> str:
        """The site's name."""
        return self.site

    @property
    def cloud_name(self) -> CloudName | None:
        """The name of the cloud; None for one by its URLs."""
        if isinstance(self.cloud, CloudEndpoint):
            return None
        return self.cloud.name if isinstance(self.cloud, NamedCloud) else self.cloud

    @property
    def api_versions(self) -> dict[str, str]:
        """The api-versions that the site file sets, by provider."""
        return {} if isinstance(self.cloud, str) else self.cloud.api_versions.to_dict()

    def get_hub(self, role: Role) -> Hub:
        """One of the two hubs."""
        return self.primary if role is Role.PRIMARY else self.backup

    @property
    def needs_subscription(self) -> bool:
        """Whether anything of the site is a mere name, which is one in the site's subscription."""
        names = [*self.list_network_names(), *(self.get_hub(role).gateway for role in Role)]
        for probe in self.probes.values():
            names += [*list_machines(probe), *list_interfaces(probe)]
        names += [table.route_table for table in self.routing]
        if isinstance(self.drill, Drill):
            names.append(self.drill.local_network_gateway)
        return self.topology is not None or not all(name.startswith("/") for name in names)

    def build_group_id(self) -> str:
        """Return the id of the site's resource group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"

    def build_resource_id(self, type_: str, name: str) -> str:
        """Return the id of a resource: a name is in the site's group, a full id stays as it is.

        A child is named ``parent/child`` with a type like ``Microsoft.Network/a/b``.
        """
        if name.startswith("/"):
            return name
        provider, *types = type_.split("/")
        pairs = "/".join(
            f"{text}/{part}" for text, part in zip(types, name.split("/"), strict=True)
        )
        return f"{self.build_group_id()}/providers/{provider}/{pairs}"

    def build_network_id(self, name: str) -> str:
        """Return the id of a VNet of the site."""
        return self.build_resource_id(NETWORK, name)

    def build_gateway_id(self, name: str) -> str:
        """Return the id of a virtual network gateway of the site."""
        return self.build_resource_id(GATEWAY, name)

    def build_route_table_id(self, name: str) -> str:
        """Return the id of a route table of the site."""
        return self.build_resource_id(ROUTE_TABLE, name)

    def build_machine_id(self, name: str) -> str:
        """Return the id of a virtual machine of the site."""
        return self.build_resource_id(MACHINE, name)

    def build_peering_id(self, network: str, peering: str) -> str:
        """Return the id of a peering of a VNet of the site."""
        return build_child_id(self.build_network_id(network), PEERING, peering)

    def list_peering_ids(self, spoke: Spoke) -> Iterator[str]:
        """Yield the ids of the four peerings of a spoke."""
        for role in Role:
            yield self.build_peering_id(spoke.virtual_network, spoke.get_outward(role).name)
            yield self.build_peering_id(
                self.get_hub(role).virtual_network, spoke.get_inward(role).name
            )

    @property
    def others(self) -> tuple[Spoke, ...]:
        """The spokes that were not chosen; empty for a whole site."""
        return ()

    @property
    def chosen(self) -> tuple[str, ...]:
        """The names of the spokes that were chosen; empty for a whole site."""
        return ()

    def select_spokes(self, names: Collection[str]) -> Site:
        """Return the part of the site that some spokes are; the site itself if all are chosen.

        Hubs, remote prefixes and timing stay. Whatever loops over ``spokes`` then acts on the
        chosen ones only; what must know the whole site looks at ``others`` too.

        Args:
            names: of spokes of the site; others are ignored.
        """
        selected = tuple(spoke for spoke in self.spokes if spoke.name in names)
        if len(selected) == len(self.spokes):
            return self
        rest = tuple(spoke for spoke in self.spokes if spoke.name not in names)
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return PartOfSite(**{**values, "spokes": selected, "others": (*rest, *self.others)})

    def list_network_names(self) -> tuple[str, ...]:
        """Return the VNets that a switch reads: both hubs, then the spokes."""
        spokes = (spoke.virtual_network for spoke in self.spokes)
        return (self.primary.virtual_network, self.backup.virtual_network, *spokes)


@dataclass(frozen=True, slots=True)
class PartOfSite(Site):
    """Some of a site's spokes, chosen with ``--spoke``. Not in the site file."""

    others: tuple[Spoke, ...] = ()

    @property
    def chosen(self) -> tuple[str, ...]:
        """The names of the spokes that were chosen."""
        return tuple(spoke.name for spoke in self.spokes)


ROLE_OF_PATH = {Path.EXPRESSROUTE: Role.PRIMARY, Path.IPSEC: Role.BACKUP}
"""Which hub serves which path."""
PATH_OF_ROLE = {role: path for path, role in ROLE_OF_PATH.items()}
