"""What the translation starts from, and the links that follow from it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from erfailover.lab.core import addresses
from erfailover.lab.linux.layout import Interface, Link, LinkEnd, Machine
from erfailover.lab.linux.translation.names import Names
from erfailover.lab.machines.appliances import find_backend
from erfailover.lab.routing import records
from erfailover.lab.routing.effective_routes import (
    APPLIANCE,
    TO_GATEWAY,
    EffectiveRoute,
    RouteSource,
    list_subnet_routes,
    select_direct_route,
)
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.route_exchange import EndKey, SpeakerKey
from erfailover.lab.routing.sessions import ConnectionEnd

OTHER_SIDE = "169.254.255.1"
"""The next hop of every route over a link: a permanent neighbour, so that nothing asks by ARP."""
FIRST_TABLE = 1000
"""The routing table of a VNet's interface has this number plus the interface's own."""


@dataclass(frozen=True, slots=True)
class LinkNames:
    """A link's number and the names of its two interfaces."""

    number: int
    near: str
    far: str

    @property
    def macs(self) -> tuple[str, str]:
        """The MAC addresses of both ends."""
        tail = f"{self.number >> 16 & 255:02x}:{self.number >> 8 & 255:02x}:{self.number & 255:02x}"
        return f"02:00:00:{tail}", f"06:00:00:{tail}"


@dataclass(frozen=True)
class Ground:
    """The parsed resources, and what the plane knows beside them.

    ``originated`` and ``delivered`` are by gateway: the prefixes that it originates, and those of
    its VNet and of the spokes that it delivers to. ``learned`` are the prefixes that an instance
    has by BGP over its tunnels, ``up`` the ends whose tunnel carries packets.
    ``machines`` are those that run, by key, and ``disks`` are those of all machines.
    """

    network: Network
    names: Names
    source: RouteSource
    ends: Mapping[EndKey, ConnectionEnd]
    originated: Mapping[str, tuple[str, ...]]
    delivered: Mapping[str, tuple[str, ...]]
    learned: Mapping[SpeakerKey, tuple[str, ...]]
    machines: Mapping[str, Machine]
    speed: float
    disks: tuple[str, ...] = ()
    up: frozenset[EndKey] = frozenset()
    _routes: dict[str, list[EffectiveRoute]] = field(default_factory=dict)

    # Routes of subnets.

    def list_routes(self, subnet: str) -> list[EffectiveRoute]:
        """Return the effective routes of a subnet."""
        if subnet not in self._routes:
            self._routes[subnet] = list_subnet_routes(self.source, subnet)
        return self._routes[subnet]

    # Machines and their interfaces.

    @cached_property
    def nics(self) -> Mapping[str, tuple[records.Nic, ...]]:
        """The interfaces of running machines, by VNet."""
        nics: dict[str, list[records.Nic]] = {}
        for key in self.machines:
            for nic in self.list_machine_nics(key):
                nics.setdefault(nic.vnet, []).append(nic)
        return {vnet: tuple(items) for vnet, items in nics.items()}

    def list_machine_nics(self, machine: str) -> list[records.Nic]:
        """Return a machine's interfaces that have an address, the primary one first."""
        record = self.network.machines.get(machine)
        found = (self.network.nics.get(key) for key in (record.nics if record else ()))
        return [nic for nic in found if nic is not None and nic.address and nic.subnet]

    def find_next_hop(
        self, vnet: str, hop: str, routes: Iterable[EffectiveRoute]
    ) -> records.Nic | None:
        """Return the interface that takes packets for a next hop, if it is in reach and runs."""
        way = select_direct_route(routes, hop)
        if way is None:
            return None
        place = way.target or vnet
        if place != vnet and (vnet, place) not in self.peerings:
            return None
        for nic in self.nics.get(place, ()):
            if any(configuration.address == hop for configuration in nic.configurations):
                return nic
        return find_backend(self.network, self.machines.__contains__, place, hop)

    # Links.

    @cached_property
    def peerings(self) -> Mapping[tuple[str, str], records.Peering]:
        """The sides of peerings that let packets pass, by own and remote VNet."""
        network = self.network
        sides = {}
        for here in network.peerings.all.values():
            there = network.find_peering(here.remote, here.vnet)
            if there is None or here.remote not in network.vnets.all:
                continue
            if here.connected and there.connected and here.access and there.access:
                sides[here.vnet, here.remote] = here
        return sides

    @cached_property
    def transits(self) -> tuple[tuple[str, str], ...]:
        """The pairs of a spoke and the hub whose gateway it uses."""
        hubs = dict.fromkeys(gateway.vnet for gateway in self.network.gateways.all.values())
        pairs = ((spoke, hub) for hub in hubs for _, spoke in self.network.list_borrowers(hub))
        return tuple(dict.fromkeys(pairs))

    @cached_property
    def hops(self) -> tuple[tuple[str, str], ...]:
        """The pairs of a VNet and an interface in a peered one that is a next hop of its routes."""
        pairs: dict[tuple[str, str], None] = {}
        for subnet in self.network.subnets.all.values():
            routes = self.list_routes(subnet.key) if subnet.route_table else []
            for route in routes:
                if not route.active or not is_appliance_route(route):
                    continue
                nic = self.find_next_hop(subnet.vnet, route.next_hop, routes)
                if nic is not None and nic.vnet != subnet.vnet:
                    pairs[subnet.vnet, nic.key] = None
        return tuple(pairs)

    def name_link(self, kind: str, *keys: str) -> LinkNames:
        """Return the number and the interface names of a link between two nodes."""
        number = self.names.number(kind, *keys)
        near, far = _INTERFACES[kind]
        return LinkNames(number, near.format(number), far.format(number))

    def name_nic(self, nic: records.Nic) -> LinkNames:
        """Return the names of the link to a machine's interface; the near end is the VNet's."""
        machine = self.network.machine_of[nic.key]
        at = [each.key for each in self.list_machine_nics(machine.key)].index(nic.key)
        names = self.name_link("nic", nic.key)
        return LinkNames(names.number, names.near, f"eth{at}")

    def name_peering(self, vnet: str, remote: str) -> tuple[LinkNames, str]:
        """Return the names of a peering's link, and that of the interface in ``vnet``."""
        names = self.name_link("peering", *sorted((vnet, remote)))
        return names, names.near if vnet < remote else names.far

    # Gateways.

    @cached_property
    def instances(self) -> tuple[SpeakerKey, ...]:
        """The instances of VPN gateways that have an address and whose VNet exists."""
        return tuple(
            (gateway.key, index)
            for gateway in self.network.gateways.all.values()
            if gateway.kind == "vpn" and gateway.vnet in self.network.vnets.all
            for index, instance in enumerate(gateway.instances)
            if instance.addresses
        )

    def name_instance(self, speaker: SpeakerKey) -> str:
        """Return the name of a gateway instance's node."""
        key, index = speaker
        gateway = self.network.gateways.all[key]
        several = len(gateway.instances) > 1
        name = f"{gateway.name}-{index}" if several else gateway.name
        return self.names.name_node(f"{key}#{index}", name)

    def find_public_address(self, speaker: SpeakerKey) -> str:
        """Return the public address of a gateway instance; empty without one."""
        key, index = speaker
        instance = self.network.gateways.all[key].instances[index]
        return self.network.public_ips.get(instance.public_ip) or ""

    def find_instance(self, gateway: str, prefix: str) -> SpeakerKey | None:
        """Return the instance that a VNet sends packets for a prefix to."""
        speakers = [speaker for speaker in self.instances if speaker[0] == gateway]
        for end in self.ends.values():
            if end.speaker in speakers and end.key in self.up and prefix in end.static_prefixes:
                return end.speaker
        for speaker in speakers:
            if prefix in self.learned.get(speaker, ()):
                return speaker
        return speakers[0] if speakers else None

    def name_vnet(self, vnet: str) -> str:
        """Return the name of a VNet's node."""
        return self.names.name_node(vnet, self.network.vnets.all[vnet].name)

    def name_machine(self, machine: str) -> str:
        """Return the name of a machine's node."""
        return self.names.name_node(machine, self.network.machines.all[machine].name)

    def find_router(self, subnet: str, address: str) -> tuple[str, int]:
        """Return a subnet's first address, and the length of the prefix that holds an address."""
        record = self.network.subnets.get(subnet)
        for prefix in record.prefixes if record is not None else ():
            parsed = addresses.parse_ipv4_network(prefix)
            if parsed is not None and addresses.contains(prefix, address):
                return str(parsed[1]), parsed.prefixlen
        return OTHER_SIDE, 32


_INTERFACES = {
    "nic": ("nic{}", "eth"),
    "peering": ("peer{}", "peer{}"),
    "hop": ("hop{}", "hop{}"),
    "transit": ("transit{}", "transit{}"),
    "inside": ("gw{}", "inside"),
    "outside": ("to{}", "outside"),
    "internet": ("internet", "to{}"),
    "twin": ("twin", "twin"),
}


def is_appliance_route(route: EffectiveRoute) -> bool:
    """Return whether a route leads to an appliance: a user-defined one, or a Route Server's."""
    learned = route.next_hop_type == TO_GATEWAY and bool(route.next_hop) and not route.target
    return route.next_hop_type == APPLIANCE or learned


def make_link(name: str, names: LinkNames, near: str, far: str) -> Link:
    """Return a link whose two ends know each other as the next hop ``OTHER_SIDE``."""
    one, other = names.macs
    return Link(
        name,
        (
            LinkEnd(near, Interface(names.near, one, neighbors={OTHER_SIDE: other})),
            LinkEnd(far, Interface(names.far, other, neighbors={OTHER_SIDE: one})),
        ),
    )
