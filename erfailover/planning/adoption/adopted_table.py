"""A route table of adopted spokes whose next hops move with the peerings. Pure value."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from erfailover.model.site import RoutingMode


@dataclass(frozen=True, slots=True)
class AdoptedTable:
    """A route table whose next hops should move, as far as it could be decided to where."""

    table_id: str
    mode: RoutingMode
    spokes: tuple[str, ...]
    on_expressroute: IPv4Address | None = None
    on_ipsec: IPv4Address | None = None

    @property
    def is_decided(self) -> bool:
        """Whether both next hops are known."""
        return self.on_expressroute is not None and self.on_ipsec is not None
