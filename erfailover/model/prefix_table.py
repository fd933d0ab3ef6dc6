"""Values by prefix, found by the prefixes that cover another one or lie within it. Pure.

A route table has thousands of rows, and many callers look up many prefixes. The prefixes that cover
one are found by a look-up for each length that occurs (at most 33 for IPv4), those within it by
bisection: no look-up goes through all rows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import Generic, TypeVar

T = TypeVar("T")
Prefix = TypeVar("Prefix", IPv4Network, IPv6Network)

ANYWHERE = IPv4Network("0.0.0.0/0")
"""The default route."""
KEPT = 1 << 14
"""How many prefixes are kept parsed: more than ExpressRoute takes (10,000, published)."""
LISTED = 12
"""How many prefixes are named in a sentence."""


@lru_cache(KEPT)
def parse_route_prefix(network: str) -> IPv4Network | None:
    """Return the IPv4 prefix of a row of a route table; None for IPv6 and anything else.

    Each peer and each instance lists a prefix again: it is parsed once.
    """
    try:
        return IPv4Network(network)
    except ValueError:
        return None


def format_prefixes(prefixes: Iterable[IPv4Network | str], comma: str = ", ") -> str:
    """Return prefixes in words; of many the first ones, and how many more there are."""
    names = [str(prefix) for prefix in prefixes]
    more = len(names) - LISTED
    return comma.join(names) if more <= 1 else f"{comma.join(names[:LISTED])} and {more} more"


class PrefixTable(Generic[Prefix, T]):
    """A value for each prefix; of several, the first."""

    def __init__(self, rows: Iterable[tuple[Prefix, T]] = ()) -> None:
        self._by_length: dict[int, dict[int, T]] = {}
        self._bits = 0
        for prefix, value in rows:
            length = prefix.prefixlen
            starts = self._by_length.setdefault(length, {})
            start = int(prefix.network_address) >> (prefix.max_prefixlen - length)
            starts.setdefault(start, value)
            self._bits = prefix.max_prefixlen
        self._lengths = sorted(self._by_length, reverse=True)

    def iter_covering(self, prefix: Prefix) -> Iterator[T]:
        """Return the values of a prefix and of those that cover it, the narrowest first."""
        own, bits = prefix.prefixlen, prefix.max_prefixlen
        start = int(prefix.network_address)
        for length in self._lengths:
            at = start >> (bits - length)
            if length <= own and at in self._by_length[length]:
                yield self._by_length[length][at]

    def has_covering(self, prefix: Prefix) -> bool:
        """Return whether a prefix, or one that covers it, is in the table."""
        return any(True for _ in self.iter_covering(prefix))

    def iter_within(self, prefix: Prefix) -> Iterator[T]:
        """Return the values of a prefix and of those that lie within it, in order."""
        own, first = prefix.prefixlen, int(prefix.network_address)
        last = first + prefix.num_addresses
        at = bisect_left(self._sorted, (first,))
        while at < len(self._sorted) and self._sorted[at][0] < last:
            _, length, value = self._sorted[at]
            at += 1
            if length >= own:
                yield value

    def iter_overlapping(self, prefix: Prefix) -> Iterator[T]:
        """Return the values of those that cover a prefix, and of those that lie within it."""
        if prefix.prefixlen:
            yield from self.iter_covering(prefix.supernet())
        yield from self.iter_within(prefix)

    @cached_property
    def _sorted(self) -> list[tuple[int, int, T]]:
        rows = (
            (start << (self._bits - length), length, value)
            for length, starts in self._by_length.items()
            for start, value in starts.items()
        )
        return sorted(rows, key=lambda row: row[:2])


def build_table(prefixes: Iterable[Prefix]) -> PrefixTable[Prefix, Prefix]:
    """Return a table whose values are the prefixes themselves."""
    return PrefixTable((prefix, prefix) for prefix in prefixes)
