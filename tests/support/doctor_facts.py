"""Facts for the doctor's checks: a site with which all is well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import Any

from erfailover.model.circuits import Circuits, Connection, FailoverTest
from erfailover.model.conditions import ConditionStatus
from erfailover.model.lease import LeaseStanding, LeaseState
from erfailover.model.observed import EXPRESSROUTE, VPN, Reading
from erfailover.model.site import Drill, Path, Role, Site, SitePeering
from erfailover.planning.api_versions import TYPES, ApiVersions, Offer
from erfailover.planning.doctor import environment
from erfailover.planning.doctor.check import Check
from erfailover.planning.doctor.facts import (
    DoctorFacts,
    GatewayDetail,
    GatewayLoad,
    HostReachability,
    Identity,
    Policies,
)
from erfailover.planning.doctor.permissions import ActionScope, Grant, list_groups, list_resources
from tests.support import sites
from tests.support.hazard_scenes import around

SITE = sites.site()

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOLDS, FAILS, UNKNOWN = ConditionStatus.HOLDS, ConditionStatus.FAILS, ConditionStatus.UNKNOWN
OWNER = (Grant(("*",)),)
GROUP = list_groups(SITE)[0].lower()
PLACES = [resource for on in ActionScope for resource in list_resources(SITE, on)] + [
    *list_groups(SITE)
]

DRILL = Drill("lng1", IPv4Address("10.4.0.254"), IPv4Address("10.4.0.253"))


def detail(name: str = "vng2", sku: str = "VpnGw1AZ", type_: str = "Vpn") -> GatewayDetail:
    return GatewayDetail(name, type_, sku, "Generation1", ((f"{name}-ip", "Standard"),))


def make_circuits(
    gateway: str, type_: str = VPN, *statuses: str | None, tests: tuple[FailoverTest, ...] = ()
) -> Circuits:
    """A gateway whose connections have a status each; None for one that could not be read."""
    group = "/subscriptions/s/resourceGroups/rg-circuits"
    connections = tuple(
        Connection(
            f"{group}/providers/Microsoft.Network/connections/to-{number}",
            f"to-{number}",
            "IPsec",
            "Succeeded",
            Reading(status, None if status else "403"),
        )
        for number, status in enumerate(statuses or ("Connected",))
    )
    reading = Reading(tests) if type_ == EXPRESSROUTE else None
    return Circuits(
        f"/subscriptions/s/resourceGroups/rg/x/y/z/{gateway}", type_, Reading(connections), reading
    )


def host(what: str, *addresses: str, proxy: str | None = None) -> HostReachability:
    return HostReachability(what, "h.example", Reading(tuple(map(IPv4Address, addresses))), proxy)


OFFERED = ("2026-03-01", "2025-07-01", "2024-05-01", "2018-11-01")


def versions(
    used: str = "2025-07-01",
    offered: tuple[str, ...] = OFFERED,
    locations: tuple[str, ...] = ("West Europe", "North Europe"),
    *,
    pinned: bool = True,
) -> ApiVersions:
    """The versions of Microsoft.Network, offered for all types."""
    offers = {name.lower(): Offer(offered, locations) for name in TYPES["network"]}
    pin = {"network": used} if pinned else {}
    return ApiVersions({"network": (offers,)}, ("westeurope",), {"network": used}, pin)


def facts(**changes: Any) -> DoctorFacts:
    """Everything sound."""
    sound = DoctorFacts(
        NOW,
        "https://management.azure.com",
        Reading(Identity("anna@example.org", "user", "1", "2")),
        sites.make_snapshot(SITE, sites.make_state(Path.EXPRESSROUTE, SITE)),
        date=Reading(NOW),
        grants={name.lower(): Reading(OWNER) for name in PLACES},
        locks={GROUP: Reading(())},
        denials={GROUP: Reading(())},
        policies={GROUP: Reading(Policies(()))},
        eligible={GROUP: Reading(())},
        api_versions=Reading(versions()),
        gateways={Role.PRIMARY: Reading(detail("vng1")), Role.BACKUP: Reading(detail())},
        load=Reading(GatewayLoad(1e6, 2e6, "24 hours")),
        remaining={("s", "reads"): Reading(240), ("s", "writes"): Reading(190)},
        lease=Reading(LeaseState(LeaseStanding.FREE)),
        journal=Reading(""),
        around=around(),
        circuits={
            Role.PRIMARY: make_circuits("er", EXPRESSROUTE),
            Role.BACKUP: make_circuits("vng2"),
        },
        hosts=(host(environment.ENDPOINT, "4.150.240.10"), host(environment.SIGN_IN, "20.1.1.1")),
    )
    return replace(sound, **changes)


def lines_of(
    check: Callable[[Site, DoctorFacts], Iterator[Check]], site: Site = SITE, **changes: Any
) -> list[tuple[ConditionStatus, str]]:
    return [(item.verdict, item.message) for item in check(site, facts(**changes))]


def prestage_site(site: Site) -> Site:
    """The same site, with the backup peerings there on either path."""

    def always(peering: SitePeering) -> SitePeering:
        return SitePeering(peering.name, sites.OPEN, sites.OPEN)

    spokes = tuple(
        replace(
            spoke,
            spoke_to_backup=always(spoke.spoke_to_backup),
            backup_to_spoke=always(spoke.backup_to_spoke),
        )
        for spoke in site.spokes
    )
    return replace(site, spokes=spokes)
