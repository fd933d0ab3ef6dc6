"""Route tables and the routes in them, as Azure has them. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from erfailover.model.arm_json import parse_ipv4_address, parse_ipv4_prefix
from erfailover.model.resource_ids import get_last_name

APPLIANCE, GATEWAY_HOP = "VirtualAppliance", "VirtualNetworkGateway"
"""Next hop types, as Azure writes them."""


@dataclass(frozen=True, slots=True)
class UserRoute:
    """A user-defined route, in the words of ``routeTables/routes``."""

    name: str
    prefix: str
    """``addressPrefix``: a prefix, or a service tag."""
    next_hop_type: str
    next_hop: str | None = None

    @property
    def network(self) -> IPv4Network | None:
        """The prefix; None for a service tag or IPv6."""
        return parse_ipv4_prefix(self.prefix)

    @property
    def address(self) -> IPv4Address | None:
        """The appliance's address; None if the next hop is none."""
        return parse_ipv4_address(self.next_hop)


@dataclass(frozen=True, slots=True)
class RouteTable:
    """A route table."""

    id: str
    takes_gateway_routes: bool
    """False if ``disableBgpRoutePropagation`` is set: no gateway's route reaches the subnets."""
    routes: tuple[UserRoute, ...] = ()
    subnets: tuple[str, ...] = ()
    """The ids of the subnets that use it."""
    provisioning_state: str = "Succeeded"

    @property
    def name(self) -> str:
        """The table's name."""
        return get_last_name(self.id)

    def get_route(self, name: str) -> UserRoute | None:
        """Return a route by its name, in any letter case; None if there is none."""
        return next((route for route in self.routes if route.name.lower() == name.lower()), None)
