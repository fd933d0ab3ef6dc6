"""All checks, in order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from erfailover.doctor.connected import connections, drill
from erfailover.doctor.gateways import address_skus, backup_gateway, gateway_skus, throughput
from erfailover.doctor.hazards import hazards
from erfailover.doctor.lines import Check, Group
from erfailover.doctor.networks import networks, overlaps, own_gateways, peerings, prestaged
from erfailover.doctor.rights import credentials, locks, policies, rights
from erfailover.doctor.surroundings import clock, endpoint_path, lease, store_path, throttling
from erfailover.facts import Facts
from erfailover.site import Site

ALL: tuple[Callable[[Site, Facts], Iterator[Check]], ...] = (
    rights,
    locks,
    policies,
    networks,
    own_gateways,
    peerings,
    prestaged,
    overlaps,
    hazards,
    backup_gateway,
    gateway_skus,
    address_skus,
    connections,
    throughput,
    drill,
    throttling,
    clock,
    endpoint_path,
    store_path,
    lease,
)
"""Every check but the credentials', which come first."""

WITHOUT_AZURE = (endpoint_path, store_path, lease)
"""What can be told where Azure cannot be asked."""


def checks(site: Site, facts: Facts) -> tuple[Check, ...]:
    """Every line, in the order in which it is shown."""
    found = list(credentials(site, facts))
    if facts.unreachable is None:
        found += [line for check in ALL for line in check(site, facts)]
    else:
        found += [line for check in WITHOUT_AZURE for line in check(site, facts)]
    order = list(Group)
    return tuple(sorted(found, key=lambda line: order.index(line.group)))
