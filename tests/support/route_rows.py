"""Rows of ``getLearnedRoutes`` of real size: each prefix from each peer at each instance."""

from __future__ import annotations

from collections.abc import Iterable

PEERS = tuple(f"10.8.0.{number}" for number in range(4, 8))
INSTANCES = ("10.9.0.4", "10.9.0.5")


def learned(prefixes: Iterable[object]) -> list[dict[str, object]]:
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
