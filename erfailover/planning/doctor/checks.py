"""All checks of ``doctor``, in order, among them the hazards of a switch to the backup hub. Pure.

``planning.hazards`` decides the hazards; an unknown one does not fail the check, because it does
not keep a switch from working. Nor does a warning, except of tunnels that go down with the circuit:
the backup is none then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from erfailover.model.claims import Weight
from erfailover.model.site import Path, Site
from erfailover.planning.doctor.check import Check, Group
from erfailover.planning.doctor.connections import (
    connections,
    drill,
    hold_time,
    second_gateways,
)
from erfailover.planning.doctor.environment import (
    api_versions,
    clock,
    endpoint_path,
    journal,
    lease,
    network_watchers,
    store_path,
    throttling,
)
from erfailover.planning.doctor.facts import Facts
from erfailover.planning.doctor.gateways import (
    address_skus,
    backup_gateway,
    gateway_skus,
    throughput,
)
from erfailover.planning.doctor.limits import limits
from erfailover.planning.doctor.networks import (
    networks,
    overlaps,
    own_gateways,
    peering_names,
    peerings,
    prestaged,
)
from erfailover.planning.doctor.rights import (
    credentials,
    denials,
    eligible_roles,
    locks,
    policies,
    rights,
    tenants,
)
from erfailover.planning.hazards.checks import hazards as claims
from erfailover.planning.hazards.scene import TUNNELS


def hazards(site: Site, facts: Facts) -> Iterator[Check]:
    """Yield a line for each hazard found or undecided, and for each kind that was not found."""
    for claim in claims(site, facts.around, facts.observed, Path.IPSEC):
        yield Check(
            claim.name.replace("_", "-"),
            Group.NETWORKS,
            claim.verdict,
            claim.seen,
            claim.remedy,
            required=False,
            warning=claim.weight is not Weight.REFUSES and claim.name != TUNNELS,
        )


ALL: tuple[Callable[[Site, Facts], Iterator[Check]], ...] = (
    tenants,
    rights,
    denials,
    locks,
    policies,
    eligible_roles,
    networks,
    own_gateways,
    peerings,
    peering_names,
    prestaged,
    overlaps,
    hazards,
    backup_gateway,
    gateway_skus,
    address_skus,
    connections,
    second_gateways,
    throughput,
    hold_time,
    drill,
    network_watchers,
    api_versions,
    limits,
    throttling,
    clock,
    endpoint_path,
    store_path,
    lease,
    journal,
)
"""Every check but the credentials', which come first."""

WITHOUT_AZURE = (endpoint_path, store_path, lease, journal)
"""The checks that need no answer from Azure."""


def checks(site: Site, facts: Facts) -> tuple[Check, ...]:
    """Every line, in the order in which it is shown."""
    found = list(credentials(site, facts))
    if facts.unreachable is None:
        found += [line for check in ALL for line in check(site, facts)]
    else:
        found += [line for check in WITHOUT_AZURE for line in check(site, facts)]
    order = list(Group)
    return tuple(sorted(found, key=lambda line: order.index(line.group)))
