"""Rows of ``getLearnedRoutes`` of real size: each prefix from each peer at each instance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network

from erfailover.model.conditions import ConditionStatus
from erfailover.model.observed import Gateway
from erfailover.model.site import Role
from erfailover.planning import conditions
from erfailover.planning.carried_prefixes import list_carried_prefixes

PEERS = tuple(f"10.8.0.{number}" for number in range(4, 8))
INSTANCES = ("10.9.0.4", "10.9.0.5")


def make_learned_routes(prefixes: Iterable[object]) -> list[dict[str, object]]:
    """Return eight rows a prefix: four peers at two instances."""
    networks = [str(prefix) for prefix in prefixes]
    return [
        {
            "network": network,
            "nextHop": peer,
            "localAddress": instance,
            "weight": 32768,
            "sourcePeer": peer,
            "origin": "EBgp",
            "asPath": "65020",
        }
        for instance in INSTANCES
        for peer in PEERS
        for network in networks
    ]


def judge(gateway: Gateway, prefixes: Sequence[IPv4Network]) -> ConditionStatus:
    """Evaluate everything that is decided on one reading of the backup's gateway."""
    list_carried_prefixes(gateway)
    return conditions.combine_verdicts(
        (
            conditions.check_gateway_provisioned(gateway, Role.BACKUP),
            conditions.check_gateway_connected(gateway, Role.BACKUP),
            conditions.check_all_peers_connected(gateway, Role.BACKUP),
            conditions.check_gateway_learned(gateway, Role.BACKUP, prefixes),
            conditions.check_gateway_healthy_for(gateway, Role.BACKUP, prefixes, 60.0),
            conditions.check_not_originated(gateway, Role.BACKUP, prefixes),
        )
    )
