"""Address prefixes: parsing them, and finding the longest one that holds an address.

Owns no state. IPv4 only: an IPv6 prefix or a service tag is left out by ``networks``, since
nothing of the lab routes it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Generic, TypeVar

T = TypeVar("T")

PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
"""The ranges that Azure gives a default route of next hop ``None`` (documented)."""


@lru_cache(maxsize=65536)
def network(text: str) -> ipaddress.IPv4Network | None:
    """The IPv4 prefix that a text writes; None where it writes something else."""
    try:
        return ipaddress.IPv4Network(text.strip(), strict=False)
    except ValueError:
        return None


@lru_cache(maxsize=65536)
def address(text: str) -> int | None:
    """An IPv4 address as a number; None where the text writes something else."""
    try:
        return int(ipaddress.IPv4Address(text.strip()))
    except ValueError:
        return None


def networks(texts: Iterable[str]) -> tuple[str, ...]:
    """The IPv4 prefixes among some texts, each written the usual way, each once, in order."""
    found = (network(text) for text in texts)
    return tuple(dict.fromkeys(str(each) for each in found if each is not None))


def holds(prefix: str, host: str) -> bool:
    """Whether an address lies in a prefix."""
    inside, number = network(prefix), address(host)
    if inside is None or number is None:
        return False
    return number & int(inside.netmask) == int(inside.network_address)


def covers(outer: str, inner: str) -> bool:
    """Whether one prefix lies wholly in another."""
    wide, narrow = network(outer), network(inner)
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
        parsed = network(prefix)
        if parsed is None:
            return
        if parsed.prefixlen not in self._by_length:
            self._lengths = sorted((*self._lengths, parsed.prefixlen), reverse=True)
        values = self._by_length.setdefault(parsed.prefixlen, {})
        values.setdefault(int(parsed.network_address), value)

    def matches(self, host: str) -> Iterator[T]:
        """The values of every prefix that holds an address, longest first."""
        number = address(host)
        if number is None:
            return
        for length in self._lengths:
            start = number >> (32 - length) << (32 - length)
            if start in (values := self._by_length[length]):
                yield values[start]

    def longest(self, host: str) -> T | None:
        """The value of the longest prefix that holds an address."""
        return next(self.matches(host), None)
