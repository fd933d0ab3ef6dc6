"""Which route of a subnet carries a prefix. Pure arithmetic of addresses.

Azure's precedence (published, virtual-networks-udr-overview): the longest prefix; for equal
prefixes a user-defined route, then a gateway's, then a system one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from erfailover.model.prefix_table import format_prefixes
from erfailover.model.routing import RouteTable, UserRoute


@dataclass(frozen=True, slots=True)
class RoutedRange:
    """A part of a prefix and what carries it: a user-defined route, a gateway's, or neither."""

    prefix: IPv4Network
    route: UserRoute | None = None
    by_gateway: bool = False


def split_prefix(
    table: RouteTable, gateway_prefixes: Iterable[IPv4Network], wanted: IPv4Network
) -> tuple[RoutedRange, ...]:
    """Return a prefix, taken apart by what carries each part of it.

    Args:
        table: the subnet's route table; if it takes no gateway routes, none is considered.
        gateway_prefixes: what the gateway in use has learned: at least what overlaps ``wanted``.
        wanted: the prefix to reach.

    Returns:
        Pieces that do not overlap and cover ``wanted`` wholly.
    """
    rows = [(each.network, 1, each) for each in table.routes if each.network is not None]
    heard = gateway_prefixes if table.takes_gateway_routes else ()
    ranked: list[tuple[IPv4Network, int, UserRoute | None]] = [*rows]
    ranked += [(each, 0, None) for each in heard]
    ranked.sort(key=lambda row: (-row[0].prefixlen, -row[1]))
    left, found = [wanted], []
    for network, _, route in ranked:
        taken = [common for part in left if (common := find_overlap(part, network)) is not None]
        found += [RoutedRange(each, route, by_gateway=route is None) for each in taken]
        left = [rest for part in left for rest in exclude_prefix(part, network)]
    return (*found, *(RoutedRange(each) for each in left))


def find_overlap(one: IPv4Network, other: IPv4Network) -> IPv4Network | None:
    """Return what two prefixes have in common: the narrower one, or nothing."""
    if not one.overlaps(other):
        return None
    return one if one.prefixlen >= other.prefixlen else other


def exclude_prefix(prefix: IPv4Network, taken: IPv4Network) -> Iterator[IPv4Network]:
    """Yield what is left of a prefix without another one."""
    if not prefix.overlaps(taken):
        yield prefix
    elif taken.prefixlen > prefix.prefixlen:
        yield from prefix.address_exclude(taken)


def format_merged(prefixes: Iterable[IPv4Network]) -> str:
    """Prefixes in words, each once, in order."""
    return format_prefixes(sorted(set(prefixes)))
