"""What surrounds a spoke: subnets, route tables, Route Servers, prefixes. Pure values.

Owns the picture that ``hazards`` decides on. What could not be read is in it as a ``Reading``
with the reason. Ids that serve as keys are in lower case. It never reads anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from erfailover.model.observed import Gateway, Reading, Tunnel
from erfailover.model.route_tables import RouteTable
from erfailover.model.site import Role


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet, and the route table that it has."""

    name: str
    prefixes: tuple[IPv4Network, ...]
    route_table: str | None = None
    """The table's id in lower case."""


@dataclass(frozen=True, slots=True)
class VnetRouting:
    """A VNet with what the observation of a switch leaves out."""

    id: str
    name: str
    address_space: tuple[IPv4Network, ...]
    subnets: tuple[Subnet, ...] = ()
    summarized: tuple[IPv4Network, ...] = ()
    """``summarizedGatewayPrefixes``: what its gateway advertises instead of narrower ones."""
    ipv6: tuple[IPv6Network, ...] = ()
    """The IPv6 part of its address space."""
    dns_servers: tuple[str, ...] = ()
    """``dhcpOptions.dnsServers``; empty for Azure's own."""
    residents: Mapping[str, int] = field(default_factory=dict)
    """What is in its subnets besides gateways and Route Servers: how many of each kind."""

    def get_subnet(self, name: str) -> Subnet | None:
        """Return a subnet by its name, ignoring case."""
        return next(
            (subnet for subnet in self.subnets if subnet.name.lower() == name.lower()), None
        )


@dataclass(frozen=True, slots=True)
class RouteServer:
    """A Route Server in a hub, and what it has learned from its peers."""

    id: str
    name: str
    peers: tuple[str, ...]
    """The names of its BGP connections."""
    learned: Reading[tuple[str, ...]]
    """The prefixes learned from the appliances, each once."""


@dataclass(frozen=True, slots=True)
class StaticPrefix:
    """A prefix that a gateway originates for a local network gateway of one of its connections."""

    prefix: IPv4Network
    local_network_gateway: str


@dataclass(frozen=True, slots=True)
class ManagedConfiguration:
    """A connectivity configuration of a Virtual Network Manager that is in effect for a VNet."""

    name: str
    enforced: bool
    """``peeringEnforcement: Enforced``: only the manager may write its peerings."""


@dataclass(frozen=True, slots=True)
class RoutingEnvironment:
    """Everything around the spokes of a site, as read at one moment."""

    networks: Mapping[str, Reading[VnetRouting]] = field(default_factory=dict)
    route_tables: Mapping[str, Reading[RouteTable]] = field(default_factory=dict)
    gateway_types: Mapping[Role, Reading[str]] = field(default_factory=dict)
    """``Vpn`` or ``ExpressRoute``; read only if a route makes it matter."""
    route_servers: Mapping[Role, Reading[tuple[RouteServer, ...]]] = field(default_factory=dict)
    static_prefixes: Mapping[Role, Reading[tuple[StaticPrefix, ...]]] = field(default_factory=dict)
    tunnels: Reading[tuple[Tunnel, ...]] = field(default_factory=lambda: Reading(None, "not read"))
    """The site-to-site connections of the backup hub's gateway."""
    leaving_gateway: Reading[Gateway] = field(default_factory=lambda: Reading(None, "not read"))
    """The gateway of the hub being left, if the observation leaves it out."""
    managed: Mapping[str, Reading[tuple[ManagedConfiguration, ...]]] = field(default_factory=dict)
    """What a Virtual Network Manager has deployed, by the id of each VNet that was checked."""

    def get_network(self, network_id: str) -> Reading[VnetRouting]:
        """Return a VNet by its id."""
        return self.networks.get(network_id.lower(), Reading(None, "not read"))

    def get_table(self, subnet: Subnet) -> Reading[RouteTable]:
        """Return the route table of a subnet that has one."""
        key = subnet.route_table or ""
        return self.route_tables.get(key, Reading(None, "not read"))
