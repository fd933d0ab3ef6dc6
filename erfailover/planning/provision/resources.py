"""The resources of a site's topology, as a dependency graph. Pure.

Each resource lists what must exist before it, and which resources a write owns or refers to, so
that nothing is written into a VNet or gateway that is being updated. ``plan`` compares the graph
with what exists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from erfailover.model.peering_flags import Flags
from erfailover.model.resource_ids import (
    CONNECTION,
    GATEWAY,
    GROUP,
    INTERFACE,
    LOCAL_GATEWAY,
    MACHINE,
    NETWORK,
    PEERING,
    PUBLIC_IP,
    ROUTE_TABLE,
    SECURITY_GROUP,
    WORDS,
    get_full_name,
)
from erfailover.model.site import Path, Role, Site, Spoke
from erfailover.model.topology import ADMIN_PASSWORD, Topology
from erfailover.planning.provision import arm_bodies, nat
from erfailover.planning.provision.arm_bodies import Body


@dataclass(frozen=True, slots=True)
class DesiredResource:
    """A resource that should be there.

    Attributes:
        id: its ARM id.
        type: its ARM type.
        body: its ARM body, with placeholders for what only Azure knows and for secrets.
        needs: keys of the resources that must be there before it.
        owns: ids (lower case) of the resources a write of it puts in ``Updating``.
        refers: ids (lower case) of the resources that must be at rest while it is written.
        spoke: the spoke whose peering this is; None for what no switch touches.
        step: what tells several writes of one resource apart; empty for the last.
    """

    id: str
    type: str
    body: Body
    needs: frozenset[str] = frozenset()
    owns: frozenset[str] = frozenset()
    refers: frozenset[str] = frozenset()
    spoke: str | None = None
    step: str = ""

    @property
    def key(self) -> str:
        """What others name it by in their ``needs``."""
        return self.id + self.step

    @property
    def name(self) -> str:
        """Its name; a peering's with its VNet, ``vnet1/vnet1-to-vnet2``."""
        return get_full_name(self.id, self.type)

    @property
    def title(self) -> str:
        """Its kind and name, as people say it."""
        return f"{WORDS[self.type]} {self.name}{self.step}"


def build_desired(
    site: Site, paths: Mapping[str, Path | None] | None = None
) -> tuple[DesiredResource, ...]:
    """Every resource of a site's topology, each after what it needs.

    Args:
        site: with a topology and a subscription.
        paths: the path each spoke is on, by its VNet's name; ``expressroute`` if not given.
            The peerings of a spoke whose path is None are left out: a switch is under way.
    """
    if site.topology is None:
        return ()
    graph = _Graph(site, site.topology, dict(paths or {}))
    return tuple(graph.iter_resources())


def format_secret_name(gateway: str, far_gateway: str) -> str:
    """Return the name of a tunnel's shared key: the same from either end."""
    return "shared-key/" + "/".join(sorted((gateway, far_gateway)))


def format_route_table_name(network: str, subnet: str) -> str:
    """Return the name of a subnet's route table; a subnet's name need not be unique among VNets."""
    return f"{subnet}-routes" if subnet.startswith(network) else f"{network}-{subnet}-routes"


@dataclass(frozen=True, slots=True)
class _Graph:
    site: Site
    topology: Topology
    paths: Mapping[str, Path | None]
    gateway_in: Mapping[str, str] = field(init=False)
    """VNet name to the id of the gateway in it."""

    def __post_init__(self) -> None:
        existing = {
            gateway.virtual_network: self._build_id(GATEWAY, name)
            for name, gateway in self.topology.gateways.items()
        }
        object.__setattr__(self, "gateway_in", existing)

    def iter_resources(self) -> Iterator[DesiredResource]:
        site = self.site
        yield DesiredResource(
            site.build_group_id(), GROUP, arm_bodies.build_resource_group(site.location, site.name)
        )
        yield from self._build_route_tables()
        yield from self._build_networks()
        yield from self._build_gateways()
        yield from self._build_tunnels()
        yield from self._build_peerings()
        yield from self._build_machines()

    def _build_id(self, type_: str, name: str) -> str:
        return self.site.build_resource_id(type_, name)

    def _make(
        self,
        type_: str,
        name: str,
        body: Body,
        needs: tuple[str, ...] = (),
        owns: tuple[str, ...] = (),
        refers: tuple[str, ...] = (),
    ) -> DesiredResource:
        id_ = self._build_id(type_, name)
        return DesiredResource(
            id_,
            type_,
            body,
            frozenset((self.site.build_group_id(), *needs)),
            _to_keys(id_, *owns),
            _to_keys(*refers),
        )

    def _get_placement(self) -> tuple[str, str]:
        return self.site.location, self.site.name

    def _build_route_tables(self) -> Iterator[DesiredResource]:
        for network_name, network in self.topology.virtual_networks.items():
            for name, subnet in network.subnets.items():
                if subnet.routes:
                    body = arm_bodies.build_route_table(*self._get_placement(), subnet.routes)
                    yield self._make(ROUTE_TABLE, format_route_table_name(network_name, name), body)

    def _build_networks(self) -> Iterator[DesiredResource]:
        for name, network in self.topology.virtual_networks.items():
            tables = {
                subnet_name: self._build_id(ROUTE_TABLE, format_route_table_name(name, subnet_name))
                for subnet_name, subnet in network.subnets.items()
                if subnet.routes
            }
            body = arm_bodies.build_virtual_network(*self._get_placement(), network, tables)
            needs = tuple(tables.values())
            yield self._make(NETWORK, name, body, needs, refers=needs)

    def _build_address_id(self, owner: str) -> str:
        return self._build_id(PUBLIC_IP, f"{owner}-public-ip1")

    def _build_address(self, owner: str) -> DesiredResource:
        name = f"{owner}-public-ip1"
        return self._make(PUBLIC_IP, name, arm_bodies.build_public_ip(*self._get_placement()))

    def _build_gateways(self) -> Iterator[DesiredResource]:
        for name, gateway in self.topology.gateways.items():
            yield self._build_address(name)
            network = self.site.build_network_id(gateway.virtual_network)
            address = self._build_address_id(name)
            body = arm_bodies.build_gateway(*self._get_placement(), gateway, network, address)
            needs = (network, address)
            yield self._make(GATEWAY, name, body, needs, refers=needs)

    def _build_tunnels(self) -> Iterator[DesiredResource]:
        """Local network gateways need the far gateway's address and BGP address, so come late."""
        names: set[str] = set()
        for name, connection in self.topology.connections.items():
            far = self.topology.gateways[connection.far_gateway]
            far_id = self.site.build_gateway_id(connection.far_gateway)
            local_name = connection.local_network_gateway
            if local_name not in names:
                names.add(local_name)
                address = self._build_address_id(connection.far_gateway)
                space = self.topology.virtual_networks[far.virtual_network].address_space
                body = arm_bodies.build_local_network_gateway(
                    *self._get_placement(), far, space, address, far_id
                )
                yield self._make(LOCAL_GATEWAY, local_name, body, (far_id, address))
            near_id = self.site.build_gateway_id(connection.gateway)
            local_id = self._build_id(LOCAL_GATEWAY, local_name)
            secret = format_secret_name(connection.gateway, connection.far_gateway)
            body = arm_bodies.build_connection(*self._get_placement(), near_id, local_id, secret)
            # A connection being written holds its gateway (recorded: RetryableError).
            yield self._make(CONNECTION, name, body, (near_id, local_id), (near_id,), (local_id,))

    def _build_peerings(self) -> Iterator[DesiredResource]:
        for name, peering in self.topology.peerings.items():
            opposite = next(
                (
                    self.site.build_peering_id(other.virtual_network, other_name)
                    for other_name, other in self.topology.peerings.items()
                    if other.virtual_network == peering.remote_virtual_network
                    and other.remote_virtual_network == peering.virtual_network
                ),
                None,
            )
            yield self._build_peering(
                peering.virtual_network,
                name,
                peering.remote_virtual_network,
                peering.flags.resolve_kept(None),
                opposite,
            )
        for spoke in self.site.spokes:
            path = self.paths.get(spoke.name, Path.EXPRESSROUTE)
            if path is not None:
                yield from self._build_spoke_peerings(spoke, path)

    def _build_spoke_peerings(self, spoke: Spoke, path: Path) -> Iterator[DesiredResource]:
        for role in Role:
            hub = self.site.get_hub(role).virtual_network
            outward, inward = spoke.get_outward(role), spoke.get_inward(role)
            flags = inward.get_flags(path)
            if flags is not None:
                yield self._build_peering(
                    hub, inward.name, spoke.virtual_network, flags, None, spoke.name
                )
            flags = outward.get_flags(path)
            if flags is not None:
                opposite = self.site.build_peering_id(hub, inward.name)
                yield self._build_peering(
                    spoke.virtual_network, outward.name, hub, flags, opposite, spoke.name
                )

    def _build_peering(
        self,
        network: str,
        name: str,
        remote: str,
        flags: Flags,
        opposite: str | None,
        spoke: str | None = None,
    ) -> DesiredResource:
        """One peering: the side that lends its gateway goes first (recorded order)."""
        own, far = self.site.build_network_id(network), self.site.build_network_id(remote)
        gateways = [self.gateway_in[text] for text in (network, remote) if text in self.gateway_in]
        needs = [own, far, *gateways]
        refers = [far]
        if flags.use_remote_gateways:
            needs += [opposite] if opposite else []
        if flags.use_remote_gateways or flags.allow_gateway_transit:
            refers += gateways
        return DesiredResource(
            self.site.build_peering_id(network, name),
            PEERING,
            arm_bodies.build_peering(far, flags),
            frozenset(needs),
            _to_keys(self.site.build_peering_id(network, name), own),
            _to_keys(*refers),
            spoke,
        )

    def _build_machines(self) -> Iterator[DesiredResource]:
        for name, machine in self.topology.machines.items():
            interface_ids = [
                self._build_id(INTERFACE, interface) for interface in machine.interfaces
            ]
            yield from self._build_interfaces(name)
            body = arm_bodies.build_virtual_machine(
                *self._get_placement(),
                name,
                machine,
                interface_ids,
                ADMIN_PASSWORD,
                nat.build_custom_data(self.topology, machine),
            )
            needs = tuple(interface_ids)
            yield self._make(MACHINE, name, body, needs, needs)

    def _build_interfaces(self, machine: str) -> Iterator[DesiredResource]:
        """Yield the interfaces of a machine; a security group goes with a public address only.

        A group on the inside of a NAT machine would drop what it is to forward: its default
        rules let in only what is meant for the VNet.
        """
        interfaces = self.topology.machines[machine].interfaces
        group_name = f"{machine}-nsg"
        if any(topology_interface.public for topology_interface in interfaces.values()):
            body = arm_bodies.build_security_group(*self._get_placement())
            yield self._make(SECURITY_GROUP, group_name, body)
        for name, interface in interfaces.items():
            network, subnet = interface.subnet.split("/")
            network_id = self.site.build_network_id(network)
            needs = [network_id]
            address = group = None
            if interface.public:
                address, group = (
                    self._build_address_id(name),
                    self._build_id(SECURITY_GROUP, group_name),
                )
                yield self._build_address(name)
                needs += [address, group]
            body = arm_bodies.build_network_interface(
                *self._get_placement(),
                f"{network_id}/subnets/{subnet}",
                interface.address,
                interface.forwarding,
                address,
                group,
            )
            yield self._make(INTERFACE, name, body, tuple(needs), refers=tuple(needs))


def _to_keys(*ids: str) -> frozenset[str]:
    return frozenset(id_.lower() for id_ in ids)
