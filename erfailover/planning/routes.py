"""Routes of a gateway, as one table to query. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from ipaddress import IPv4Network

from erfailover.model.observed import GatewayRoute
from erfailover.model.prefix_table import PrefixTable, build_table


class Routes:
    """Routes that a gateway has learned, or that it originates.

    Each peer and each instance lists a network again, so it is parsed once.

    Attributes:
        networks: the rows of each network, by Azure's text.
    """

    def __init__(self, rows: Iterable[GatewayRoute]) -> None:
        self.networks: dict[str, list[GatewayRoute]] = {}
        for row in rows:
            self.networks.setdefault(row.network, []).append(row)

    @cached_property
    def prefixes(self) -> dict[IPv4Network, list[GatewayRoute]]:
        """The rows of each IPv4 prefix."""
        parsed = ((rows[0].prefix, rows) for rows in self.networks.values())
        return {prefix: rows for prefix, rows in parsed if prefix is not None}

    @cached_property
    def table(self) -> PrefixTable[IPv4Network, IPv4Network]:
        """The IPv4 prefixes, to find those that cover another."""
        return build_table(self.prefixes)

    def has_covering(self, prefix: IPv4Network) -> bool:
        """Return whether there is a route to a prefix, or to one that covers it."""
        return self.table.has_covering(prefix)

    def iter_covering(self, prefix: IPv4Network) -> Iterator[GatewayRoute]:
        """Return the routes to a prefix, and to those that cover it, the narrowest first."""
        for item in self.table.iter_covering(prefix):
            yield from self.prefixes[item]
