"""Address arithmetic of the lab; pure.

What ARM checks is strict and knows both families: ``network``, ``address``. What the lab routes is
IPv4 alone, in any form that Azure takes, and parsed once: ``ipv4_network``, ``ipv4_number``, and
all that is below them. Azure keeps five addresses of every subnet: the first four and the last.
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
"""Where in its GatewaySubnet an ExpressRoute gateway's two instances speak from (observed)."""

EDGE_ASN = 12076
GATEWAY_ASN = 65515
"""The ASN of every ExpressRoute gateway (documented: it cannot be chosen)."""

PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
"""The ranges that Azure gives a default route of next hop ``None`` (documented)."""


def network(prefix: object) -> Network | None:
    """A prefix as a network; None where it is none, or has host bits set."""
    if not isinstance(prefix, str) or "/" not in prefix:
        return None
    try:
        return ipaddress.ip_network(prefix)
    except ValueError:
        return None


def address(text: object) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """A text as an address; None where it is none."""
    try:
        return ipaddress.ip_address(text) if isinstance(text, str) else None
    except ValueError:
        return None


def overlap(ours: Iterable[str], theirs: Iterable[str]) -> tuple[str, str] | None:
    """The first two prefixes, one of each side, that share an address."""
    others = [(text, found) for text in theirs if (found := network(text)) is not None]
    for text in ours:
        mine = network(text)
        if mine is None:
            continue
        for other, found in others:
            if mine.version == found.version and mine.overlaps(found):
                return text, other
    return None


def within(inner: Network, outer: Iterable[str]) -> bool:
    """Return whether a network lies inside one of some prefixes."""
    networks = (network(text) for text in outer)
    return any(
        found is not None and inner.network_address in found and inner.prefixlen >= found.prefixlen
        for found in networks
    )


def usable(subnet: str, candidate: str) -> bool:
    """Whether an address of a subnet may be given to a network interface."""
    found, wanted = network(subnet), address(candidate)
    if found is None or wanted is None or wanted not in found:
        return False
    offset = int(wanted) - int(found.network_address)
    return RESERVED <= offset < found.num_addresses - 1


def first_free(subnet: str, taken: Container[str]) -> str | None:
    """The lowest free address of a subnet; None where it is full."""
    found = network(subnet)
    if found is None:
        return None
    for offset in range(RESERVED, min(found.num_addresses - 1, 65_536)):
        candidate = str(found.network_address + offset)
        if candidate not in taken:
            return candidate
    return None


def express_addresses(subnet: str, taken: Container[str] = ()) -> tuple[str, ...]:
    """The addresses from which an ExpressRoute gateway speaks to the edge (observed).

    If a gateway beside it has them, the next two (assumed).
    """
    found = network(subnet)
    if found is None:
        return ()
    for first in range(EXPRESS_OFFSETS[0], found.num_addresses - 1, 2):
        pair = str(found.network_address + first), str(found.network_address + first + 1)
        if not any(each in taken for each in pair):
            return pair
    return ()


def gateway_addresses(
    subnet: str, active_active: bool, beside: Container[str] | None = None
) -> tuple[str, ...]:
    """The BGP addresses that Azure gives a VPN gateway of a GatewaySubnet.

    Recorded: the last usable one of the subnet (10.0.0.254 of a /24, 10.12.255.30 of a /27);
    two instances that are both active take the first two usable ones (documented). Beside an
    ExpressRoute gateway, whose addresses are then given, those are the edge's, and the instances
    have the 13th and 14th (published: 10.17.11.76 and .77, the edge 10.17.11.69, in "Using S2S VPN
    as a backup for ExpressRoute private peering"), or else the next two (assumed).
    """
    found = network(subnet)
    if found is None:
        return ()
    if active_active and beside is not None:
        return express_addresses(subnet, beside)
    if active_active:
        return tuple(str(found.network_address + RESERVED + each) for each in range(2))
    return (str(found.network_address + found.num_addresses - 2),)


@lru_cache(maxsize=65536)
def ipv4_network(text: str) -> ipaddress.IPv4Network | None:
    """Return a text as an IPv4 prefix, host bits cut off; None if it is none."""
    try:
        return ipaddress.IPv4Network(text.strip(), strict=False)
    except ValueError:
        return None


@lru_cache(maxsize=65536)
def ipv4_number(text: str) -> int | None:
    """Return a text as the number of an IPv4 address; None if it is none."""
    try:
        return int(ipaddress.IPv4Address(text.strip()))
    except ValueError:
        return None


def networks(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the IPv4 prefixes among some texts, each written the usual way, each once, in order.

    An IPv6 prefix or a service tag is left out: the lab routes neither.
    """
    found = (ipv4_network(text) for text in texts)
    return tuple(dict.fromkeys(str(each) for each in found if each is not None))


def ipv6_networks(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the IPv6 prefixes among some texts, each once, in order."""
    found = (network(text) for text in texts)
    wanted = (each for each in found if isinstance(each, ipaddress.IPv6Network))
    return tuple(dict.fromkeys(map(str, wanted)))


def holds(prefix: str, host: str) -> bool:
    """Whether an address lies in a prefix."""
    inside, number = ipv4_network(prefix), ipv4_number(host)
    if inside is None or number is None:
        return False
    return number & int(inside.netmask) == int(inside.network_address)


def covers(outer: str, inner: str) -> bool:
    """Whether one prefix lies wholly in another."""
    wide, narrow = ipv4_network(outer), ipv4_network(inner)
    return wide is not None and narrow is not None and narrow.subnet_of(wide)


def is_public(host: str) -> bool:
    """Whether an address is one of the Internet's."""
    try:
        return ipaddress.IPv4Address(host).is_global
    except ValueError:
        return False


class PrefixMap(Generic[T]):
    """Values by prefix, found by the longest prefix that holds an address."""

    def __init__(self) -> None:
        self._by_length: dict[int, dict[int, T]] = {}
        self._lengths: list[int] = []

    def set_default(self, prefix: str, value: T) -> None:
        """Put a value in unless the prefix has one already."""
        parsed = ipv4_network(prefix)
        if parsed is None:
            return
        if parsed.prefixlen not in self._by_length:
            self._lengths = sorted((*self._lengths, parsed.prefixlen), reverse=True)
        values = self._by_length.setdefault(parsed.prefixlen, {})
        values.setdefault(int(parsed.network_address), value)

    def matches(self, host: str) -> Iterator[T]:
        """The values of every prefix that holds an address, longest first."""
        number = ipv4_number(host)
        if number is None:
            return
        for length in self._lengths:
            start = number >> (32 - length) << (32 - length)
            if start in (values := self._by_length[length]):
                yield values[start]

    def longest(self, host: str) -> T | None:
        """The value of the longest prefix that holds an address."""
        return next(self.matches(host), None)
