"""An independent, deliberately simple reference for the gateways' tables.

Nothing here comes from the lab. Every round each router tells each neighbour everything it
may, from what it held at the end of the round before; the tables start empty and the rounds
end when one changes nothing. All sets, no indexes, no state in between.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

Row = tuple[str, str | None, str, str, str | None]
"""network, next hop, source peer, origin, AS path."""


@dataclass(frozen=True)
class Neighbour:
    """A configured peer: the address and the prefixes the local configuration gives it.

    ``router`` is the name of the router that answers there; None where the session is down.
    """

    address: str
    prefixes: tuple[str, ...]
    router: str | None


@dataclass(frozen=True)
class Router:
    """A gateway with BGP."""

    name: str
    asn: int
    address: str
    own: tuple[str, ...]
    neighbours: tuple[Neighbour, ...]

    @property
    def originated(self) -> set[str]:
        """What it originates and may tell."""
        return {
            *self.own,
            *(prefix for neighbour in self.neighbours for prefix in neighbour.prefixes),
        }


Offer = tuple[str, str, tuple[int, ...]]
"""prefix, the teller's address, AS path."""


def tables(routers: list[Router]) -> dict[str, set[Row]]:
    """Every router's table, by name, once nothing changes any more."""
    held: dict[str, set[Offer]] = {router.name: set() for router in routers}
    while True:
        after = {router.name: _hears(router, routers, held) for router in routers}
        if after == held:
            return {router.name: _rows(router, held[router.name]) for router in routers}
        held = after


def _hears(router: Router, routers: list[Router], held: dict[str, set[Offer]]) -> set[Offer]:
    heard: set[Offer] = set()
    for teller in routers:
        for towards in teller.neighbours:
            if towards.router != router.name:
                continue
            for prefix in teller.originated - set(towards.prefixes):
                heard.add((prefix, teller.address, (teller.asn,)))
            for prefix, source, path in _best(teller, held[teller.name]):
                if source != towards.address:
                    heard.add((prefix, teller.address, (teller.asn, *path)))
    return {offer for offer in heard if router.asn not in offer[2]}


def _best(router: Router, offers: set[Offer]) -> list[Offer]:
    """One offer a prefix, none where the router originates it."""
    rows = []
    for prefix in {offer[0] for offer in offers} - router.originated:
        rows.append(
            min(
                (offer for offer in offers if offer[0] == prefix),
                key=lambda offer: (len(offer[2]), ipaddress.ip_address(offer[1])),
            )
        )
    return rows


def _rows(router: Router, offers: set[Offer]) -> set[Row]:
    rows: set[Row] = {
        (prefix, None, router.address, "Network", None)
        for prefix in {
            *router.originated,
            *(f"{neighbour.address}/32" for neighbour in router.neighbours),
        }
    }
    for prefix, source, path in offers:
        rows.add((prefix, source, source, "EBgp", "-".join(map(str, path))))
    return rows
