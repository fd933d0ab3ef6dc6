"""What every check of a hazard looks at, and the names of the conditions. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import Gateway, SiteSnapshot
from erfailover.model.prefix_table import PrefixTable
from erfailover.model.resource_ids import get_last_name
from erfailover.model.route_tables import RouteTable
from erfailover.model.routing import RoutingEnvironment, Subnet, VnetRouting
from erfailover.model.site import PATH_OF_ROLE, Path, Role, Site, Spoke
from erfailover.planning.conditions import select_learned_routes
from erfailover.planning.other_spokes import list_other_spaces
from erfailover.planning.route_selection import RoutedRange, split_prefix

PROPAGATION = "subnets_take_gateway_routes"
APPLIANCES = "no_user_route_leads_to_the_hub_being_left"
NEXT_HOP = "no_user_route_names_the_virtual_network_gateway"
GATEWAY_SUBNET = "gateway_subnet_sends_nothing_astray"
ROUTE_SERVER = "spokes_lose_no_route_of_a_route_server"
ENFORCED = "network_manager_enforces_no_peering"
ADVERTISED = "leaving_gateway_gives_up_the_spokes"

IPV6 = "ipv6_comes_along"
DEFAULT_ROUTE = "default_route_is_the_same_on_both_paths"
PREFIXES = "all_that_is_learned_comes_along"
DNS_SERVERS = "dns_servers_are_reached_on_both_paths"
RESIDENTS = "primary_hub_itself_stays"
MANAGED = "network_manager_undoes_no_switch"
TUNNELS = "backup_tunnels_do_not_need_the_circuit"

REMARKS = (IPV6, DEFAULT_ROUTE, PREFIXES, DNS_SERVERS, RESIDENTS, MANAGED, TUNNELS)
"""What is reported before a switch, without preventing it."""

NAMES = (PROPAGATION, APPLIANCES, NEXT_HOP, GATEWAY_SUBNET, ROUTE_SERVER, ADVERTISED, ENFORCED)
"""What a plan refuses; ``--force`` overrides each of them."""


@dataclass(frozen=True, slots=True)
class HazardContext:
    """What every check looks at."""

    site: Site
    around: RoutingEnvironment
    observed: SiteSnapshot
    arriving: Role
    leaving: Role

    @property
    def target(self) -> Path:
        """The path that is switched to."""
        return PATH_OF_ROLE[self.arriving]

    def get_gateway(self, role: Role) -> Gateway | None:
        """Return a hub's gateway, from the reading that has it."""
        gateway = self.observed.gateways.get(role)
        beside = self.around.leaving_gateway.value
        return gateway or (beside if role is self.leaving else None)

    def get_gateway_name(self, role: Role) -> str:
        """Return the name of a hub's gateway."""
        return get_last_name(self.site.get_hub(role).gateway)

    def explain_no_gateway(self, role: Role) -> str:
        """Why a gateway was not read."""
        key = self.site.build_gateway_id(self.site.get_hub(role).gateway).lower()
        beside = self.around.leaving_gateway.unknown if role is self.leaving else None
        return self.observed.unknown.get(key) or beside or "it could not be read"

    def list_spaces(self) -> list[IPv4Network]:
        """Return the address spaces of the site's VNets, and of all others that were read."""
        read = [
            space for network in self.observed.networks.values() for space in network.address_space
        ]
        others = list_other_spaces(self.site, self.observed).values()
        return read + [space for other in others for space in other]

    def get_hub_name(self, role: Role) -> str:
        """Return the name of a hub's VNet."""
        return get_last_name(self.site.get_hub(role).virtual_network)

    def get_hub_id(self, role: Role) -> str:
        """Return the id of a hub's VNet."""
        return self.site.build_network_id(self.site.get_hub(role).virtual_network)

    def get_space(self, network_id: str) -> tuple[IPv4Network, ...]:
        """Return a VNet's address space, from the reading that has it."""
        around = self.around.get_network(network_id).value
        network = self.observed.get_network(network_id)
        return around.address_space if around else network.address_space if network else ()

    def is_in_network(self, network_id: str, address: IPv4Address) -> bool:
        """Whether an address lies in a VNet."""
        return any(address in prefix for prefix in self.get_space(network_id))

    def iter_spokes(self) -> Iterator[tuple[Spoke, VnetRouting]]:
        """Yield the spokes whose VNets were read."""
        for spoke in self.site.spokes:
            routing = self.around.get_network(
                self.site.build_network_id(spoke.virtual_network)
            ).value
            if routing is not None:
                yield spoke, routing

    def is_unread(self, spoke: Spoke) -> bool:
        """Whether a spoke's VNet was not read."""
        return (
            self.around.get_network(self.site.build_network_id(spoke.virtual_network)).value is None
        )

    def iter_tables(self) -> Iterator[tuple[Spoke, VnetRouting, Subnet, RouteTable]]:
        """Yield the subnets of the spokes that have a route table that was read."""
        for spoke, network in self.iter_spokes():
            for subnet in network.subnets:
                table = self.around.get_table(subnet).value if subnet.route_table else None
                if table is not None:
                    yield spoke, network, subnet, table

    def iter_carried(self, table: RouteTable) -> Iterator[RoutedRange]:
        """Yield the remote prefixes, by what carries them from a subnet with this table.

        The gateway routes are assumed to be what the arriving gateway has learned, plus the remote
        prefix itself if nothing learned covers it: a guard checks that it is not missing.
        """
        gateway = self.observed.gateways.get(self.arriving)
        heard = select_learned_routes(gateway).table if gateway else PrefixTable()
        for remote in self.site.remote_prefixes:
            near = list(heard.iter_overlapping(remote))
            yield from split_prefix(
                table, near if heard.has_covering(remote) else [*near, remote], remote
            )


def build_unknown(name: str, message: str, remedy: str = "") -> Condition:
    """Return a condition that could not be decided."""
    remedy = remedy or "Check it yourself, or get permission to read it."
    return Condition(name, ConditionStatus.UNKNOWN, message, remedy)
