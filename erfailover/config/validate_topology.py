"""The checks across the keys of a site's topology. Pure.

Finds names that lead nowhere, addresses that do not fit, and what Azure is known to refuse, so
that it is reported before the first write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from itertools import islice
from typing import Any

from erfailover.config import azure_names
from erfailover.config.azure_names import is_name
from erfailover.config.validate_keys import check_shared_keys, check_ssh_key
from erfailover.config.yaml_source import Keys, Problem
from erfailover.model.counting import format_count, join_names
from erfailover.model.peering_flags import Flags
from erfailover.model.probes import list_interfaces, list_machines
from erfailover.model.resource_ids import (
    CONNECTION,
    GATEWAY,
    GATEWAY_SUBNET,
    INTERFACE,
    LOCAL_GATEWAY,
    NETWORK,
    PEERING,
    SUBNET,
)
from erfailover.model.site import ROLE_OF_PATH, Drill, Path, Role, Site, SiteFailoverTest
from erfailover.model.topology import Topology, TopologyMachine, TopologyNetwork

RESERVED_ASNS: Mapping[int, str] = {
    **dict.fromkeys((8074, 8075, 12076, 65515, 65517, 65518, 65519, 65520), "Azure's own"),
    **dict.fromkeys((0, 23456, *range(64496, 64512), *range(65535, 65552)), "reserved by IANA"),
}
"""ASNs a VPN gateway is refused (documented; 65515 is a gateway's default and would collide)."""

HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?", re.IGNORECASE)
SKU = re.compile(r"\w{1,80}", re.ASCII)
IMAGE = re.compile(r"([\w.-]{1,80}:){3}[\w.-]{1,80}", re.ASCII)
ADMIN_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
FORBIDDEN_ADMINS = frozenset({"root", "admin", "administrator", "guest", "test", "user"})

SECTIONS = {
    "virtual_networks": NETWORK,
    "gateways": GATEWAY,
    "connections": CONNECTION,
    "peerings": PEERING,
}
SMALLEST_SUBNET = 29
"""The longest prefix of a subnet that Azure takes."""

MOST_LISTED = 20
ROOT: Keys = ("topology",)


def check_topology(site: Site) -> list[Problem]:
    """Everything that is wrong with a site's topology; none if there is no topology."""
    topology = site.topology
    if topology is None:
        return []
    return [
        *_check_names(topology),
        *_check_hubs_and_spokes(site, topology),
        *_check_networks(topology),
        *_check_overlaps(topology),
        *_check_gateways(topology),
        *_check_connections(topology),
        *check_shared_keys((*ROOT, "shared_keys"), topology.shared_keys),
        *_check_peerings(site, topology),
        *_check_machines(topology),
        *_check_routes(topology),
        *_check_probes_and_drill(site, topology),
    ]


def _check_known(keys: Keys, kind: str, name: str, defined: Mapping[str, Any]) -> Iterator[Problem]:
    if name not in defined:
        text = ", ".join(islice(defined, MOST_LISTED)) or "none"
        text += ", ..." if len(defined) > MOST_LISTED else ""
        yield Problem(keys, f"a {kind} of the topology ({text})", repr(name))


def _check_names(topology: Topology) -> Iterator[Problem]:
    named = [
        ((*ROOT, section, name), type_, name)
        for section, type_ in SECTIONS.items()
        for name in getattr(topology, section)
    ]
    for network_name, network in topology.virtual_networks.items():
        place: Keys = (*ROOT, "virtual_networks", network_name, "subnets")
        named += [((*place, name), SUBNET, name) for name in network.subnets]
    for machine_name, machine in topology.machines.items():
        place = (*ROOT, "machines", machine_name, "interfaces")
        named += [((*place, name), INTERFACE, name) for name in machine.interfaces]
        if not HOST_NAME.fullmatch(machine_name):
            expected = "a name for a machine and its host: letters, digits and hyphens"
            yield Problem((*ROOT, "machines", machine_name), expected, repr(machine_name))
    for keys, type_, name in named:
        if not is_name(type_, name):
            yield Problem(keys, azure_names.describe_expected(type_), repr(name))


def _check_hubs_and_spokes(site: Site, topology: Topology) -> Iterator[Problem]:
    networks, gateways = topology.virtual_networks, topology.gateways
    for role in Role:
        hub = site.get_hub(role)
        yield from _check_known((role, "virtual_network"), "VNet", hub.virtual_network, networks)
        yield from _check_known((role, "gateway"), "gateway", hub.gateway, gateways)
        gateway = gateways.get(hub.gateway)
        if gateway and gateway.virtual_network != hub.virtual_network:
            actual = f"one in {gateway.virtual_network}"
            yield Problem((role, "gateway"), f"a gateway in {hub.virtual_network}", actual)
    with_gateway = {topology_gateway.virtual_network for topology_gateway in gateways.values()}
    for i, spoke in enumerate(site.spokes):
        keys: Keys = ("spokes", i, "virtual_network")
        yield from _check_known(keys, "VNet", spoke.virtual_network, networks)
        if spoke.virtual_network in with_gateway:
            remedy = "Azure rejects remote gateways on a VNet that has its own gateway"
            yield Problem(keys, "a VNet without a gateway", repr(spoke.virtual_network), remedy)


class _Prefixes:
    """Prefixes with their owners, among which one that overlaps is found without a search."""

    def __init__(self) -> None:
        self._own: dict[IPv4Network, tuple[str, IPv4Network]] = {}
        self._above: dict[IPv4Network, tuple[str, IPv4Network]] = {}

    def add(self, prefix: IPv4Network, owner: str) -> None:
        """Add a prefix."""
        self._own.setdefault(prefix, (owner, prefix))
        for with_supernet in _iter_with_supernets(prefix):
            self._above.setdefault(with_supernet, (owner, prefix))

    def has_one_above(self, prefix: IPv4Network) -> bool:
        """Return whether a prefix lies in one of these, or is one."""
        return any(with_supernet in self._own for with_supernet in _iter_with_supernets(prefix))

    def find_overlap(self, prefix: IPv4Network) -> tuple[str, IPv4Network] | None:
        """Return one of these that overlaps a prefix, with its owner; None if none does."""
        inside = self._above.get(prefix)
        return inside or next(filter(None, map(self._own.get, _iter_with_supernets(prefix))), None)


def _iter_with_supernets(prefix: IPv4Network) -> Iterator[IPv4Network]:
    yield prefix
    while prefix.prefixlen:
        prefix = prefix.supernet()
        yield prefix


def _check_networks(topology: Topology) -> Iterator[Problem]:
    for name, network in topology.virtual_networks.items():
        keys: Keys = (*ROOT, "virtual_networks", name)
        if not network.address_space:
            yield Problem((*keys, "address_space"), "at least one prefix", "none")
        placed = _Prefixes()
        space = _Prefixes()
        for prefix in network.address_space:
            space.add(prefix, name)
        for subnet_name, subnet in network.subnets.items():
            place: Keys = (*keys, "subnets", subnet_name, "prefix")
            if not space.has_one_above(subnet.prefix):
                whole = ", ".join(map(str, network.address_space[:MOST_LISTED]))
                yield Problem(place, f"a prefix inside {whole}", str(subnet.prefix))
            if clash := placed.find_overlap(subnet.prefix):
                yield Problem(
                    place, f"a prefix that does not overlap {clash[0]}", str(subnet.prefix)
                )
            if subnet.prefix.prefixlen > SMALLEST_SUBNET:
                yield Problem(place, f"a /{SMALLEST_SUBNET} or larger", str(subnet.prefix))
            placed.add(subnet.prefix, subnet_name)


def _check_overlaps(topology: Topology) -> Iterator[Problem]:
    prefixes = _Prefixes()
    for name, network in topology.virtual_networks.items():
        for prefix in network.address_space:
            if clash := prefixes.find_overlap(prefix):
                yield Problem(
                    (*ROOT, "virtual_networks", name, "address_space"),
                    f"prefixes that do not overlap {clash[0]} ({clash[1]})",
                    str(prefix),
                    "Azure refuses to peer VNets that overlap, and BGP cannot tell them apart",
                )
            prefixes.add(prefix, name)


def _check_gateways(topology: Topology) -> Iterator[Problem]:
    asns: dict[int, str] = {}
    placed: dict[str, str] = {}
    for name, gateway in topology.gateways.items():
        keys: Keys = (*ROOT, "gateways", name)
        place, network_name = (*keys, "virtual_network"), gateway.virtual_network
        yield from _check_known(place, "VNet", network_name, topology.virtual_networks)
        network = topology.virtual_networks.get(network_name)
        if network and GATEWAY_SUBNET not in network.subnets:
            remedy = f"add a subnet of that name to {network_name}, a /27 or larger"
            yield Problem(place, f"a VNet with a {GATEWAY_SUBNET}", repr(network_name), remedy)
        if network_name in placed:
            actual = f"a second in {network_name}, beside {placed[network_name]}"
            yield Problem(place, "one gateway per VNet", actual)
        placed.setdefault(network_name, name)
        yield from _check_asn((*keys, "asn"), name, gateway.asn, asns)
        if not SKU.fullmatch(gateway.sku) or not gateway.sku.endswith("AZ"):
            yield Problem(
                (*keys, "sku"),
                "a zone-redundant SKU such as VpnGw1AZ",
                repr(gateway.sku),
                "Azure rejects new VPN gateways without zones",
            )


def _check_asn(keys: Keys, name: str, asn: int, owners: dict[int, str]) -> Iterator[Problem]:
    if asn in RESERVED_ASNS or not 0 < asn < 2**32 - 1:
        owner = RESERVED_ASNS.get(asn, "outside the range of ASNs")
        remedy = "use a private one, such as 65000 to 65010"
        yield Problem(keys, "an ASN that a gateway may have", f"{asn} ({owner})", remedy)
    if asn in owners:
        yield Problem(keys, "a different ASN for each gateway", f"{asn}, the ASN of {owners[asn]}")
    owners.setdefault(asn, name)


def _check_connections(topology: Topology) -> Iterator[Problem]:
    directions = {
        (topology_connection.gateway, topology_connection.far_gateway)
        for topology_connection in topology.connections.values()
    }
    stands_for: dict[str, str] = {}
    visited: set[tuple[str, str]] = set()
    for name, connection in topology.connections.items():
        keys: Keys = (*ROOT, "connections", name)
        near, far = connection.gateway, connection.far_gateway
        yield from _check_known((*keys, "gateway"), "gateway", near, topology.gateways)
        yield from _check_known((*keys, "far_gateway"), "gateway", far, topology.gateways)
        if near == far:
            yield Problem((*keys, "far_gateway"), "another gateway", repr(far))
        if (far, near) not in directions:
            remedy = "a tunnel needs a connection at both ends; add the other"
            yield Problem(keys, f"a connection from {far} to {near} too", "none", remedy)
        if (near, far) in visited:
            yield Problem(keys, f"one connection from {near} to {far}", "a second one")
        visited.add((near, far))
        local = connection.local_network_gateway
        if stands_for.setdefault(local, far) != far:
            expected = f"a local network gateway that represents only {far}"
            actual = f"{local!r}, which represents {stands_for[local]}"
            yield Problem((*keys, "local_network_gateway"), expected, actual)
        if not is_name(LOCAL_GATEWAY, local):
            place = (*keys, "local_network_gateway")
            yield Problem(place, azure_names.describe_expected(LOCAL_GATEWAY), repr(local))


Directed = tuple[Keys, str, str, Flags]
"""A peering: its place in the file, its VNet, the remote VNet, its flags."""


def _iter_peerings(site: Site, topology: Topology, path: Path) -> Iterator[Directed]:
    """Every peering of the site on a path."""
    for name, peering in topology.peerings.items():
        keys: Keys = (*ROOT, "peerings", name)
        yield keys, peering.virtual_network, peering.remote_virtual_network, peering.flags
    for i, spoke in enumerate(site.spokes):
        for role in Role:
            hub = site.get_hub(role).virtual_network
            outward, inward = (
                spoke.get_outward(role).get_flags(path),
                spoke.get_inward(role).get_flags(path),
            )
            if outward:
                yield ("spokes", i, f"spoke_to_{role}"), spoke.virtual_network, hub, outward
            if inward:
                yield ("spokes", i, f"{role}_to_spoke"), hub, spoke.virtual_network, inward


def _check_peerings(site: Site, topology: Topology) -> Iterator[Problem]:
    for name, peering in topology.peerings.items():
        keys: Keys = (*ROOT, "peerings", name)
        for end in ("virtual_network", "remote_virtual_network"):
            yield from _check_known(
                (*keys, end), "VNet", getattr(peering, end), topology.virtual_networks
            )
        if peering.flags.allow_forwarded_traffic == "keep":
            place = (*keys, "flags", "allow_forwarded_traffic")
            yield Problem(place, "true or false", "'keep'", "there is nothing yet to keep")
    with_gateway = {gateway.virtual_network for gateway in topology.gateways.values()}
    visited: set[Keys] = set()
    for path in Path:
        for problem in _check_peerings_on_path(
            list(_iter_peerings(site, topology, path)), with_gateway
        ):
            if problem.keys not in visited:
                visited.add(problem.keys)
                yield problem


def _check_peerings_on_path(all_: list[Directed], with_gateway: set[str]) -> Iterator[Problem]:
    flags_of = {(network, remote): flags for _, network, remote, flags in all_}
    visited: set[tuple[str, str]] = set()
    users: dict[str, str] = {}
    for keys, network, remote, flags in all_:
        if network == remote:
            yield Problem((*keys, "remote_virtual_network"), "another VNet", repr(remote))
        elif (network, remote) in visited:
            yield Problem(keys, f"one peering from {network} to {remote}", "a second one")
        elif (remote, network) not in flags_of:
            remedy = "a peering stays Initiated until its opposite exists; add it"
            yield Problem(keys, f"a peering from {remote} to {network} too", "none", remedy)
        elif flags.use_remote_gateways:
            yield from _check_remote_gateways(
                keys, network, remote, flags_of[remote, network], with_gateway, users
            )
        visited.add((network, remote))


def _check_remote_gateways(
    keys: Keys,
    network: str,
    remote: str,
    opposite: Flags,
    with_gateway: set[str],
    users: dict[str, str],
) -> Iterator[Problem]:
    """Yield what Azure refuses about ``use_remote_gateways`` (recorded; see its peering rules)."""
    place = (*keys, "flags", "use_remote_gateways") if keys[0] == "topology" else keys
    if remote not in with_gateway:
        yield Problem(place, "false", "true", f"{remote} has no gateway to share")
    if network in with_gateway:
        yield Problem(place, "false", "true", f"{network} has its own gateway")
    if not opposite.allow_gateway_transit:
        remedy = f"the peering from {remote} to {network} needs allow_gateway_transit"
        yield Problem(place, "false", "true", remedy)
    if users.setdefault(network, remote) != remote:
        remedy = f"{network} already uses the gateway of {users[network]}"
        yield Problem(place, "false", "true", remedy)


def _check_machines(topology: Topology) -> Iterator[Problem]:
    interfaces: dict[str, str] = {}
    addresses: dict[IPv4Address, str] = {}
    for name, machine in topology.machines.items():
        keys: Keys = (*ROOT, "machines", name)
        yield from _check_machine(keys, machine)
        networks = {
            topology_interface.subnet.split("/")[0]
            for topology_interface in machine.interfaces.values()
        }
        if len(networks) > 1:
            actual = join_names(sorted(networks), MOST_LISTED)
            yield Problem((*keys, "interfaces"), "interfaces in one VNet", actual)
        for interface_name, interface in machine.interfaces.items():
            place: Keys = (*keys, "interfaces", interface_name)
            if interface_name in interfaces:
                actual = f"{interface_name!r}, an interface of {interfaces[interface_name]}"
                yield Problem(place, "a name that no other interface has", actual)
            interfaces.setdefault(interface_name, name)
            if interface.address in addresses:
                actual = f"{interface.address}, the address of {addresses[interface.address]}"
                yield Problem((*place, "address"), "an unused address", actual)
            addresses.setdefault(interface.address, interface_name)
            yield from _check_interface(place, interface.subnet, interface.address, topology)


def _check_interface(
    keys: Keys, subnet: str, address: IPv4Address, topology: Topology
) -> Iterator[Problem]:
    network_name, _, subnet_name = subnet.partition("/")
    network = topology.virtual_networks.get(network_name, TopologyNetwork(()))
    topology_subnet = network.subnets.get(subnet_name)
    if topology_subnet is None:
        remedy = "write <virtual network>/<subnet>, as in vnet1/vnet1-sub1"
        yield Problem((*keys, "subnet"), "a subnet of the topology", repr(subnet), remedy)
        return
    if subnet_name == GATEWAY_SUBNET:
        yield Problem((*keys, "subnet"), f"a subnet other than {GATEWAY_SUBNET}", repr(subnet))
    if topology_subnet.prefix.prefixlen > SMALLEST_SUBNET:
        return
    first, last = topology_subnet.prefix[4], topology_subnet.prefix[-2]
    if not first <= address <= last:
        remedy = "Azure reserves the first four addresses and the last one of a subnet"
        yield Problem((*keys, "address"), f"one from {first} to {last}", str(address), remedy)


def _check_machine(keys: Keys, machine: TopologyMachine) -> Iterator[Problem]:
    if not SKU.fullmatch(machine.size):
        yield Problem((*keys, "size"), "a size such as Standard_B2ats_v2", repr(machine.size))
    if not IMAGE.fullmatch(machine.image):
        yield Problem((*keys, "image"), "publisher:offer:sku:version", repr(machine.image))
    if not ADMIN_NAME.fullmatch(machine.admin_username) or (
        machine.admin_username in FORBIDDEN_ADMINS
    ):
        actual = repr(machine.admin_username)
        yield Problem((*keys, "admin_username"), "a user name that Azure allows", actual)
    yield from check_ssh_key(keys, machine)
    interfaces = list(machine.interfaces.values())
    if not interfaces:
        yield Problem((*keys, "interfaces"), "at least one interface", "none")
    if machine.nat_for is None:
        return
    fits = [interface.public for interface in interfaces[:1]] == [True] and len(interfaces[1:]) == 1
    if not fits or not all(interface.forwarding for interface in interfaces):
        yield Problem(
            (*keys, "nat_for"),
            "a machine with two interfaces that forward, the first of them public",
            format_count(len(interfaces), "interface"),
            "give it an outside and an inside interface, forwarding: true on both, "
            "public: true on the first",
        )


def _check_routes(topology: Topology) -> Iterator[Problem]:
    appliances = {
        interface.address
        for machine in topology.machines.values()
        for interface in machine.interfaces.values()
        if interface.forwarding
    }
    for name, network in topology.virtual_networks.items():
        for subnet_name, subnet in network.subnets.items():
            for prefix, next_hop in subnet.routes.items():
                keys: Keys = (*ROOT, "virtual_networks", name, "subnets", subnet_name)
                place: Keys = (*keys, "routes", str(prefix))
                if next_hop not in appliances:
                    expected = "the address of an interface with forwarding: true"
                    yield Problem(place, expected, str(next_hop))
                if subnet_name == GATEWAY_SUBNET and prefix.prefixlen == 0:
                    yield Problem(place, f"no default route on {GATEWAY_SUBNET}", str(prefix))


def _check_probes_and_drill(site: Site, topology: Topology) -> Iterator[Problem]:
    by_name = {text: None for machine in topology.machines.values() for text in machine.interfaces}
    for name, probe in site.probes.items():
        keys: Keys = ("probes", name)
        for key, machine in zip(("machine", "through"), list_machines(probe), strict=False):
            yield from _check_known((*keys, key), "machine", machine, topology.machines)
        for interface in list_interfaces(probe):
            yield from _check_known((*keys, "interface"), "network interface", interface, by_name)
    if isinstance(site.drill, SiteFailoverTest):
        place: Keys = ("drill", "peering_location")
        expected = (
            "a drill with local_network_gateway: provision creates a VPN gateway as the primary"
        )
        remedy = "'erfailover init' writes an example"
        yield Problem(place, expected, repr(site.drill.peering_location), remedy)
    if not isinstance(site.drill, Drill):
        return
    if site.drill.bgp_peering_address == site.drill.unused_bgp_peering_address:
        unused, address = ("drill", "unused_bgp_peering_address"), site.drill.bgp_peering_address
        yield Problem(unused, "an unused address", f"{address}, the gateway's own")
    primary = site.get_hub(ROLE_OF_PATH[Path.EXPRESSROUTE]).gateway
    of_primary = {
        connection.local_network_gateway: connection
        for connection in topology.connections.values()
        if connection.gateway == primary
    }
    if site.drill.local_network_gateway not in of_primary:
        yield Problem(
            ("drill", "local_network_gateway"),
            f"the local network gateway of a connection of {primary}",
            repr(site.drill.local_network_gateway),
        )
