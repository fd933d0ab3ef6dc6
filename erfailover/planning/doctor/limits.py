"""Checks of Azure's limits that a switch can reach: peerings of a VNet, prefixes. Pure.

Figures as of November 2026, each with its document.
"""

from __future__ import annotations

from collections.abc import Iterator

from erfailover.model.observed import EXPRESSROUTE
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import ROLE_OF_PATH, Path, Role, Site
from erfailover.planning.doctor.check import Check, CheckBuilder, CheckName, Group
from erfailover.planning.doctor.facts import DoctorFacts
from erfailover.planning.other_spokes import list_other_spaces

MOST_PEERINGS = 500
PEERINGS_DOCUMENT = (
    "learn.microsoft.com/azure/azure-resource-manager/management/azure-subscription-service-limits"
    "#azure-resource-manager-virtual-networking-limits"
)
MOST_PREFIXES = {"IPv4": 1000, "IPv6": 100}
"""Prefixes of VNets that ExpressRoute takes; beyond that it drops the session."""
PREFIXES_DOCUMENT = "learn.microsoft.com/azure/expressroute/expressroute-faqs"


def check_limits(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """No VNet has more peerings, and no gateway more prefixes to advertise, than Azure takes."""
    line = CheckBuilder(CheckName.LIMITS, Group.AZURE, required=False)
    lines = [*_check_peerings(line, site, facts), *_check_prefixes(line, site, facts)]
    yield from lines
    if not lines:
        yield line.report_ok(
            f"at most {MOST_PEERINGS} peerings per VNet ({PEERINGS_DOCUMENT}) and "
            f"{MOST_PREFIXES['IPv4']} IPv4 prefixes per ExpressRoute gateway ({PREFIXES_DOCUMENT})"
        )


def _check_peerings(line: CheckBuilder, site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Check the existing peerings, and those that a switch creates."""
    spokes = (*site.spokes, *site.others)
    desired = {
        peering_id.lower() for spoke in spokes for peering_id in site.list_peering_ids(spoke)
    }
    for name in dict.fromkeys(site.list_network_names()):
        key = site.build_network_id(name).lower()
        network = facts.observed.get_network(key)
        if network is None:
            yield line.report_unknown(
                f"the number of peerings is unknown: {get_last_name(name)} could not be read",
                f"Count them: az network vnet peering list --vnet-name {get_last_name(name)}.",
            )
            continue
        own = {text for text in desired if text.startswith(f"{key}/")}
        count = len(own | {peering.id.lower() for peering in network.peerings})
        if count > MOST_PEERINGS:
            yield line.report_failure(
                f"{network.name} has {count} peerings on IPsec; Azure allows {MOST_PEERINGS} "
                f"({PEERINGS_DOCUMENT})",
                "Remove peerings that are not needed, or split the spokes into two sites.",
            )


def _check_prefixes(line: CheckBuilder, site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Count what the gateway of a path advertises with every spoke on it; other VNets add to it."""
    for path in Path:
        role = ROLE_OF_PATH[path]
        gateway = facts.observed.gateways.get(role)
        if gateway is None or gateway.type != EXPRESSROUTE:
            continue
        counts = _count_prefixes(site, facts, role)
        for kind, count in counts.items():
            if count > MOST_PREFIXES[kind]:
                yield line.report_failure(
                    f"{gateway.name} advertises at least {count} {kind} prefixes with every spoke "
                    f"on it; ExpressRoute accepts {MOST_PREFIXES[kind]}, then drops the session "
                    f"({PREFIXES_DOCUMENT})",
                    "Merge address spaces, or let the hub advertise summarizedGatewayPrefixes.",
                )


def _count_prefixes(site: Site, facts: DoctorFacts, role: Role) -> dict[str, int]:
    """How many prefixes the hub and the spokes have; a summary of the hub counts as one."""
    hub = facts.around.get_network(site.build_network_id(site.get_hub(role).virtual_network)).value
    names = [site.get_hub(role).virtual_network, *(spoke.virtual_network for spoke in site.spokes)]
    routings = [facts.around.get_network(site.build_network_id(name)).value for name in names]
    summaries = hub.summarized if hub else ()
    ipv4 = {prefix for routing in routings if routing for prefix in routing.address_space}
    others = list_other_spaces(site, facts.observed).values()
    ipv4 |= {prefix for other in others for prefix in other}
    single = {prefix for prefix in ipv4 if not any(prefix.subnet_of(whole) for whole in summaries)}
    ipv6 = {prefix for routing in routings if routing for prefix in routing.ipv6}
    return {"IPv4": len(single) + len(summaries), "IPv6": len(ipv6)}
