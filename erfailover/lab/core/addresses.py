"""Address arithmetic that the rules share; pure.

Azure keeps five addresses of every subnet: the first four and the last.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Container, Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

RESERVED = 4
EXPRESS_OFFSETS = (12, 13)
"""Where in its GatewaySubnet an ExpressRoute gateway's two instances speak from (observed)."""

EDGE_ASN = 12076
GATEWAY_ASN = 65515
"""The ASN of every ExpressRoute gateway (documented: it cannot be chosen)."""


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
    """Whether a network lies inside one of some prefixes."""
    for text in outer:
        found = network(text)
        if isinstance(found, ipaddress.IPv4Network) and isinstance(inner, ipaddress.IPv4Network):
            if inner.subnet_of(found):
                return True
        elif (
            isinstance(found, ipaddress.IPv6Network)
            and isinstance(inner, ipaddress.IPv6Network)
            and inner.subnet_of(found)
        ):
            return True
    return False


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


def express_addresses(subnet: str) -> tuple[str, ...]:
    """The addresses from which an ExpressRoute gateway speaks to the edge (observed)."""
    found = network(subnet)
    if found is None:
        return ()
    return tuple(str(found.network_address + each) for each in EXPRESS_OFFSETS)


def gateway_addresses(subnet: str, active_active: bool) -> tuple[str, ...]:
    """The BGP addresses that Azure gives a gateway of a GatewaySubnet.

    Recorded: the last usable one of the subnet (10.0.0.254 of a /24, 10.12.255.30 of a /27);
    two instances that are both active take the first two usable ones (documented).
    """
    found = network(subnet)
    if found is None:
        return ()
    if active_active:
        return tuple(str(found.network_address + RESERVED + each) for each in range(2))
    return (str(found.network_address + found.num_addresses - 2),)
