"""What Azure makes up: GUIDs, etags, public addresses.

Owns the lab's chance; with a seed the same requests make the same world.
"""

from __future__ import annotations

import ipaddress
import random
import uuid
from collections.abc import Container


class Fresh:
    """Makes new names; never the same twice."""

    def __init__(self, seed: int | None = None) -> None:
        self._chance = random.Random(seed)

    def guid(self) -> str:
        """A new GUID."""
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def etag(self) -> str:
        """A new weak etag, as Microsoft.Network writes them."""
        return f'W/"{self.guid()}"'

    def mac_address(self) -> str:
        """A MAC address from Microsoft's range, as a network interface shows it."""
        return "-".join(["00", "0D", "3A", *(f"{self._chance.randrange(256):02X}" for _ in "123")])

    def public_address(self, taken: Container[str]) -> str:
        """A public IPv4 address that nobody has."""
        while True:
            found = str(ipaddress.IPv4Address(0x14330000 + self._chance.randrange(1 << 18)))
            if found not in taken and not found.endswith((".0", ".255")):
                return found

    def shared_key(self, length: int) -> str:
        """A new shared key of some characters."""
        letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"
        return "".join(self._chance.choice(letters) for _ in range(length))
