"""What forwards packets in a hub: firewalls, network interfaces, load balancers. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from erfailover.model.resource_ids import get_last_name


class ApplianceKind(StrEnum):
    """What an appliance is, in words."""

    FIREWALL = "Azure Firewall"
    INTERFACE = "network interface"
    FRONT_END = "load balancer"


@dataclass(frozen=True, slots=True)
class Appliance:
    """Something in a hub that has private addresses and may forward.

    Attributes:
        id: the resource's id.
        addresses: its private addresses in the hub, as a next hop would name them.
        fault: why it forwards nothing; empty if nothing is known against it.
        unknown: what could not be read of it, with the reason; empty if all could.
        pooled: whether a load balancer is before it: then that one's address is the next hop.
    """

    id: str
    kind: ApplianceKind
    addresses: tuple[IPv4Address, ...]
    fault: str = ""
    unknown: str = ""
    pooled: bool = False

    @property
    def name(self) -> str:
        """The resource's name."""
        return get_last_name(self.id)
