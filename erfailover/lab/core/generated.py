"""Values that Azure generates: GUIDs, etags, public addresses.

Owns the lab's randomness; with a seed, the same requests produce the same world.
"""

from __future__ import annotations

import ipaddress
import random
import uuid
from collections.abc import Container


class ValueGenerator:
    """Generates values; never the same one twice."""

    def __init__(self, seed: int | None = None) -> None:
        self._chance = random.Random(seed)

    def make_guid(self) -> str:
        """Return a new GUID."""
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def make_etag(self) -> str:
        """Return a new weak etag, as Microsoft.Network writes them."""
        return f'W/"{self.make_guid()}"'

    def make_mac_address(self) -> str:
        """Return a MAC address from Microsoft's range, as a network interface shows it."""
        return "-".join(["00", "0D", "3A", *(f"{self._chance.randrange(256):02X}" for _ in "123")])

    def make_public_address(self, result: Container[str]) -> str:
        """Return a public IPv4 address that is not taken."""
        while True:
            address = str(ipaddress.IPv4Address(0x14330000 + self._chance.randrange(1 << 18)))
            if address not in result and not address.endswith((".0", ".255")):
                return address

    def make_shared_key(self, length: int) -> str:
        """Return a new shared key of the given length."""
        letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"
        return "".join(self._chance.choice(letters) for _ in range(length))
