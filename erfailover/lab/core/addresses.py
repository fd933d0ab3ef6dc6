"""Address arithmetic of the lab; pure.

``parse_network`` and ``parse_address`` are as strict as ARM and accept both families. The lab
routes IPv4 only, in any form that Azure accepts, parsed once: ``parse_ipv4_network``,
``parse_ipv4_number`` and everything below them. Azure reserves five addresses of every subnet: the
first four and the last.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Container, Iterable, Iterator
from functools import lru_cache
from typing import Generic, TypeVar

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

RESERVED = 4
EXPRESS_OFFSETS = (12, 13)
"""Offsets in the GatewaySubnet of an ExpressRoute gateway's two instances (observed)."""

EDGE_ASN = 12076
GATEWAY_ASN = 65515
"""The ASN of every ExpressRoute gateway (documented: it cannot be chosen)."""

PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
"""The ranges that Azure gives a default route of next hop ``None`` (documented)."""


def parse_network(prefix: object) -> Network | None:
    """Parse a prefix; return None if it is invalid or has host bits set."""
    if not isinstance(prefix, str) or "/" not in prefix:
        return None
    try:
        return ipaddress.ip_network(prefix)
    except ValueError:
        return None


def parse_address(text: object) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse an address; return None if it is invalid."""
    try:
        return ipaddress.ip_address(text) if isinstance(text, str) else None
    except ValueError:
        return None


def find_overlap(ours: Iterable[str], theirs: Iterable[str]) -> tuple[str, str] | None:
    """Return the first two prefixes, one from each side, that share an address."""
    others = [(text, parsed) for text in theirs if (parsed := parse_network(text)) is not None]
    for text in ours:
        network = parse_network(text)
        if network is None:
            continue
        for other, parsed in others:
            if network.version == parsed.version and network.overlaps(parsed):
                return text, other
    return None


def is_within(inner: Network, outer: Iterable[str]) -> bool:
    """Return whether a network lies inside one of the given prefixes."""
    networks = (parse_network(text) for text in outer)
    return any(
        network is not None
        and inner.network_address in network
        and inner.prefixlen >= network.prefixlen
        for network in networks
    )


def is_usable(subnet: str, candidate: str) -> bool:
    """Return whether an address of a subnet may be assigned to a network interface."""
    network, address = parse_network(subnet), parse_address(candidate)
    if network is None or address is None or address not in network:
        return False
    offset = int(address) - int(network.network_address)
    return RESERVED <= offset < network.num_addresses - 1


def find_first_free(subnet: str, result: Container[str]) -> str | None:
    """Return the lowest free address of a subnet; None if it is full."""
    network = parse_network(subnet)
    if network is None:
        return None
    for offset in range(RESERVED, min(network.num_addresses - 1, 65_536)):
        candidate = str(network.network_address + offset)
        if candidate not in result:
            return candidate
    return None


def pick_express_addresses(subnet: str, result: Container[str] = ()) -> tuple[str, ...]:
    """Return the addresses from which an ExpressRoute gateway speaks to the edge (observed).

    If a gateway beside it has them, the next two (assumed).
    """
    network = parse_network(subnet)
    if network is None:
        return ()
    for first in range(EXPRESS_OFFSETS[0], network.num_addresses - 1, 2):
        pair = str(network.network_address + first), str(network.network_address + first + 1)
        if not any(address in result for address in pair):
            return pair
    return ()


def pick_gateway_addresses(
    subnet: str, active_active: bool, beside: Container[str] | None = None
) -> tuple[str, ...]:
    """Return the BGP addresses that Azure gives a VPN gateway of a GatewaySubnet.

    Recorded: the last usable one of the subnet (10.0.0.254 of a /24, 10.12.255.30 of a /27);
    two instances that are both active take the first two usable ones (documented). Beside an
    ExpressRoute gateway, whose addresses are then given, those are the edge's, and the instances
    have the 13th and 14th (published: 10.17.11.76 and .77, the edge 10.17.11.69, in "Using S2S VPN
    as a backup for ExpressRoute private peering"), or else the next two (assumed).
    """
    network = parse_network(subnet)
    if network is None:
        return ()
    if active_active and beside is not None:
        return pick_express_addresses(subnet, beside)
    if active_active:
        return tuple(str(network.network_address + RESERVED + offset) for offset in range(2))
    return (str(network.network_address + network.num_addresses - 2),)


@lru_cache(maxsize=65536)
def parse_ipv4_network(text: str) -> ipaddress.IPv4Network | None:
    """Parse an IPv4 prefix and clear its host bits; return None if it is invalid."""
    try:
        return ipaddress.IPv4Network(text.strip(), strict=False)
    except ValueError:
        return None


@lru_cache(maxsize=65536)
def parse_ipv4_number(text: str) -> int | None:
    """Parse an IPv4 address to its number; return None if it is invalid."""
    try:
        return int(ipaddress.IPv4Address(text.strip()))
    except ValueError:
        return None


def parse_ipv4_networks(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the IPv4 prefixes among some texts, each written the usual way, each once, in order.

    An IPv6 prefix or a service tag is left out: the lab routes neither.
    """
    parsed = (parse_ipv4_network(text) for text in texts)
    return tuple(dict.fromkeys(str(network) for network in parsed if network is not None))


def parse_ipv6_networks(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the IPv6 prefixes among some texts, each once, in order."""
    parsed = (parse_network(text) for text in texts)
    ipv6 = (network for network in parsed if isinstance(network, ipaddress.IPv6Network))
    return tuple(dict.fromkeys(map(str, ipv6)))


def contains(prefix: str, host: str) -> bool:
    """Return whether an address lies in a prefix."""
    inside, number = parse_ipv4_network(prefix), parse_ipv4_number(host)
    if inside is None or number is None:
        return False
    return number & int(inside.netmask) == int(inside.network_address)


def covers(outer: str, inner: str) -> bool:
    """Return whether one prefix lies wholly in another."""
    wide, narrow = parse_ipv4_network(outer), parse_ipv4_network(inner)
    return wide is not None and narrow is not None and narrow.subnet_of(wide)


def is_public(host: str) -> bool:
    """Return whether an address is a public Internet address."""
    try:
        return ipaddress.IPv4Address(host).is_global
    except ValueError:
        return False


class PrefixMap(Generic[T]):
    """Values by prefix, found by the longest prefix that contains an address."""

    def __init__(self) -> None:
        self._by_length: dict[int, dict[int, T]] = {}
        self._lengths: list[int] = []

    def set_default(self, prefix: str, value: T) -> None:
        """Add a value unless the prefix already has one."""
        parsed = parse_ipv4_network(prefix)
        if parsed is None:
            return
        if parsed.prefixlen not in self._by_length:
            self._lengths = sorted((*self._lengths, parsed.prefixlen), reverse=True)
        values = self._by_length.setdefault(parsed.prefixlen, {})
        values.setdefault(int(parsed.network_address), value)

    def find_all(self, host: str) -> Iterator[T]:
        """Yield the values of every prefix that contains an address, longest prefix first."""
        number = parse_ipv4_number(host)
        if number is None:
            return
        for length in self._lengths:
            start = number >> (32 - length) << (32 - length)
            if start in (values := self._by_length[length]):
                yield values[start]

    def find_longest(self, host: str) -> T | None:
        """Return the value of the longest prefix that contains an address, or None."""
        return next(self.find_all(host), None)
