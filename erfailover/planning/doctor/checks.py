"""All checks of ``doctor``, in order, among them the hazards of a switch to the backup hub. Pure.

``planning.hazards`` decides the hazards; an unknown one does not fail the check, because it does
not keep a switch from working. Nor does a warning, except that of tunnels that go down with the
circuit: the site has no backup then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from erfailover.model.conditions import Weight
from erfailover.model.site import Path, Site
from erfailover.planning.doctor.appliances import (
    check_appliances,
    check_return_routes,
    check_route_tables,
)
from erfailover.planning.doctor.check import Check, Group
from erfailover.planning.doctor.connections import (
    check_connections,
    check_drill,
    check_hold_time,
    check_second_gateways,
)
from erfailover.planning.doctor.environment import (
    check_api_versions,
    check_clock,
    check_endpoint_path,
    check_journal,
    check_lease,
    check_network_watchers,
    check_store_path,
    check_throttling,
)
from erfailover.planning.doctor.facts import DoctorFacts
from erfailover.planning.doctor.gateways import (
    check_address_skus,
    check_backup_gateway,
    check_gateway_skus,
    check_throughput,
)
from erfailover.planning.doctor.limits import check_limits
from erfailover.planning.doctor.networks import (
    check_networks,
    check_overlaps,
    check_own_gateways,
    check_peering_names,
    check_peerings,
    check_prestaged,
)
from erfailover.planning.doctor.rights import (
    check_credentials,
    check_denials,
    check_eligible_roles,
    check_locks,
    check_policies,
    check_rights,
    check_tenants,
)
from erfailover.planning.hazards.checks import check_hazards
from erfailover.planning.hazards.scene import TUNNELS


def report_hazards(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Yield a line for each hazard found or undecided, and for each kind that was not found."""
    for condition in check_hazards(site, facts.around, facts.observed, Path.IPSEC):
        yield Check(
            condition.name.replace("_", "-"),
            Group.NETWORKS,
            condition.status,
            condition.message,
            condition.remedy,
            required=False,
            warning=condition.weight is not Weight.REFUSES and condition.name != TUNNELS,
        )


ALL: tuple[Callable[[Site, DoctorFacts], Iterator[Check]], ...] = (
    check_tenants,
    check_rights,
    check_denials,
    check_locks,
    check_policies,
    check_eligible_roles,
    check_networks,
    check_own_gateways,
    check_peerings,
    check_peering_names,
    check_prestaged,
    check_overlaps,
    report_hazards,
    check_appliances,
    check_return_routes,
    check_route_tables,
    check_backup_gateway,
    check_gateway_skus,
    check_address_skus,
    check_connections,
    check_second_gateways,
    check_throughput,
    check_hold_time,
    check_drill,
    check_network_watchers,
    check_api_versions,
    check_limits,
    check_throttling,
    check_clock,
    check_endpoint_path,
    check_store_path,
    check_lease,
    check_journal,
)
"""Every check but the credentials', which come first."""

WITHOUT_AZURE = (check_endpoint_path, check_store_path, check_lease, check_journal)
"""The checks that need no answer from Azure."""


def run_checks(site: Site, facts: DoctorFacts) -> tuple[Check, ...]:
    """Every line, in the order in which it is shown."""
    checks = list(check_credentials(site, facts))
    if facts.unreachable is None:
        checks += [line for check in ALL for line in check(site, facts)]
    else:
        checks += [line for check in WITHOUT_AZURE for line in check(site, facts)]
    order = list(Group)
    return tuple(sorted(checks, key=lambda line: order.index(line.group)))
