"""Which route of a subnet carries a prefix. Pure arithmetic of addresses.

Azure's precedence (published, virtual-networks-udr-overview): the longest prefix; for equal
prefixes a user-defined route, then a gateway's, then a system one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from erfailover.model.prefix_table import format_prefixes
from erfailover.model.route_tables import RouteTable, UserRoute


@dataclass(frozen=True, slots=True)
class RoutedRange:
    """A part of a prefix and what carries it: a user-defined route, a gateway's, or neither."""

    prefix: IPv4Network
    route: UserRoute | None = None
    by_gateway: bool = False


def split_prefix(
    table: RouteTable, gateway_prefixes: Iterable[IPv4Network], prefix: IPv4Network
) -> tuple[RoutedRange, ...]:
    """Return a prefix, split by what carries each part of it.

    Args:
        table: the subnet's route table; if it takes no gateway routes, none is considered.
        gateway_prefixes: what the gateway in use has learned: at least what overlaps ``prefix``.
        prefix: the prefix to reach.

    Returns:
        Pieces that do not overlap and cover ``prefix`` wholly.
    """
    rows = [
        (user_route.network, 1, user_route)
        for user_route in table.routes
        if user_route.network is not None
    ]
    heard = gateway_prefixes if table.takes_gateway_routes else ()
    ranked: list[tuple[IPv4Network, int, UserRoute | None]] = [*rows]
    ranked += [(item, 0, None) for item in heard]
    ranked.sort(key=lambda row: (-row[0].prefixlen, -row[1]))
    prefixes, routed_ranges = [prefix], []
    for network, _, route in ranked:
        items = [common for part in prefixes if (common := find_overlap(part, network)) is not None]
        routed_ranges += [RoutedRange(item, route, by_gateway=route is None) for item in items]
        prefixes = [rest for part in prefixes for rest in exclude_prefix(part, network)]
    return (*routed_ranges, *(RoutedRange(item) for item in prefixes))


def find_overlap(one: IPv4Network, other: IPv4Network) -> IPv4Network | None:
    """Return what two prefixes have in common: the narrower one, or nothing."""
    if not one.overlaps(other):
        return None
    return one if one.prefixlen >= other.prefixlen else other


def exclude_prefix(prefix: IPv4Network, excluded: IPv4Network) -> Iterator[IPv4Network]:
    """Yield what is left of a prefix without another one."""
    if not prefix.overlaps(excluded):
        yield prefix
    elif excluded.prefixlen > prefix.prefixlen:
        yield from prefix.address_exclude(excluded)


def format_merged(prefixes: Iterable[IPv4Network]) -> str:
    """Prefixes in words, each once, in order."""
    return format_prefixes(sorted(set(prefixes)))
