"""Routes of a gateway, as one table to ask. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from ipaddress import IPv4Network

from erfailover.model.observed import GatewayRoute
from erfailover.model.prefix_table import PrefixTable, ipv4_prefix


class Routes:
    """Routes that a gateway has learned, or that it originates.

    Attributes:
        rows: the routes, in the order of the gateway's table.
        table: the IPv4 ones, by prefix.
        networks: their networks, as Azure writes them.
    """

    def __init__(self, rows: Iterable[GatewayRoute]) -> None:
        self.rows = tuple(rows)
        self.networks = frozenset(each.network for each in self.rows)
        self.table: PrefixTable[IPv4Network, GatewayRoute] = PrefixTable(
            (each.prefix, each) for each in self.rows if each.prefix is not None
        )

    def __iter__(self) -> Iterator[GatewayRoute]:
        return iter(self.rows)

    @cached_property
    def prefixes(self) -> frozenset[IPv4Network]:
        """Their IPv4 prefixes, each once."""
        found = (ipv4_prefix(each) for each in self.networks)
        return frozenset(each for each in found if each is not None)

    def covering(self, prefix: IPv4Network) -> GatewayRoute | None:
        """Return the route to a prefix; without one, to the narrowest prefix that covers it."""
        return next(self.table.covering(prefix), None)
