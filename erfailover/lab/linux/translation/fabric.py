"""A VNet's node: the router between its machines, its peerings, its gateways and the Internet.

Every interface has a separate routing table, for what arrives there. What a packet may not
reach is absent from the table of the interface that it arrives at, which is how a peering is
not transitive, and how a next hop in a peered VNet stays known on the other side.

TTL: a VNet is one hop here, unlike in Azure, where it is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from erfailover.lab.core import addresses
from erfailover.lab.linux.layout import Link, Node, Route, Rule
from erfailover.lab.linux.translation.filters import build_ruleset, list_public_addresses
from erfailover.lab.linux.translation.ground import (
    FIRST_TABLE,
    OTHER_SIDE,
    Ground,
    is_appliance_route,
    make_link,
)
from erfailover.lab.routing import records
from erfailover.lab.routing.effective_routes import (
    INTERNET,
    TO_GATEWAY,
    USER,
    VNET_LOCAL,
    VNET_PEERING,
    EffectiveRoute,
    rank_route,
    select_route,
)
from erfailover.lab.routing.route_exchange import SpeakerKey

EVERYTHING = "0.0.0.0/0"
_PRIORITY = 1000
_BLACKHOLE = Route(EVERYTHING, kind="blackhole")

_Condition = Callable[[EffectiveRoute], bool]


def build_vnet(ground: Ground, vnet: records.Vnet) -> Node:
    """Return a VNet's node."""
    fabric = _Fabric(ground, vnet)
    tables = list(fabric.iter_tables())
    return Node(
        name=ground.name_vnet(vnet.key),
        kind="vnet",
        forwarding=True,
        routes=tuple(
            replace(route, table=FIRST_TABLE + number)
            for _, number, routes in tables
            for route in routes
        ),
        rules=tuple(
            Rule(_PRIORITY, FIRST_TABLE + number, interface) for interface, number, _ in tables
        ),
        nft=build_ruleset(ground, vnet),
    )


def build_links(ground: Ground, vnet: records.Vnet) -> Iterator[Link]:
    """Yield the links of a VNet, each link between two VNets at one of them only."""
    network, here = ground.network, ground.name_vnet(vnet.key)
    for nic in ground.nics.get(vnet.key, ()):
        yield _make_nic_link(ground, here, nic)
    for one, other in ground.peerings:
        if one == vnet.key and one < other:
            names, _ = ground.name_peering(one, other)
            there = ground.name_vnet(other)
            yield make_link(f"{here}-{there}", names, here, there)
    for one, key in ground.hops:
        if one == vnet.key:
            nic = network.nics.all[key]
            names = ground.name_link("hop", one, key)
            yield make_link(f"{here}-{nic.name}", names, here, ground.name_vnet(nic.vnet))
    for spoke, hub in ground.transits:
        if spoke == vnet.key:
            names, there = ground.name_link("transit", spoke, hub), ground.name_vnet(hub)
            yield make_link(f"{here}-{there}-gateway", names, here, there)
    for speaker in ground.instances:
        if network.gateways.all[speaker[0]].vnet == vnet.key:
            yield _make_inside_link(ground, here, speaker)
    yield _make_internet_link(ground, here, vnet.key)


def _make_nic_link(ground: Ground, here: str, nic: records.Nic) -> Link:
    machine = ground.network.machine_of[nic.key]
    names = ground.name_nic(nic)
    link = make_link(nic.name, names, here, ground.name_machine(machine.key))
    router, length = ground.find_router(nic.subnet, nic.address)
    near, far = link.ends
    neighbors = {configuration.address: names.macs[1] for configuration in nic.configurations}
    inside = replace(near.interface, addresses=(f"{router}/32",), neighbors=neighbors, proxy=True)
    guest = replace(far.interface, addresses=(f"{nic.address}/{length}",), neighbors={})
    return replace(link, ends=(replace(near, interface=inside), replace(far, interface=guest)))


def _make_inside_link(ground: Ground, here: str, speaker: SpeakerKey) -> Link:
    gateway = ground.network.gateways.all[speaker[0]]
    node = ground.name_instance(speaker)
    names = ground.name_link("inside", speaker[0], str(speaker[1]))
    link = make_link(f"{node}-inside", names, here, node)
    near, far = link.ends
    own = tuple(f"{address}/32" for address in gateway.instances[speaker[1]].addresses)
    inside = replace(near.interface, proxy=True)
    return replace(
        link,
        ends=(
            replace(near, interface=inside),
            replace(far, interface=replace(far.interface, addresses=own)),
        ),
    )


def _make_internet_link(ground: Ground, here: str, vnet: str) -> Link:
    link = make_link(f"{here}-internet", ground.name_link("internet", vnet), here, "internet")
    near, far = link.ends
    known = dict.fromkeys(list_public_addresses(ground, vnet), near.interface.mac)
    neighbors = {**far.interface.neighbors, **known}
    return replace(
        link, ends=(near, replace(far, interface=replace(far.interface, neighbors=neighbors)))
    )


@dataclass(frozen=True, slots=True)
class _Fabric:
    ground: Ground
    vnet: records.Vnet

    def iter_tables(self) -> Iterator[tuple[str, int, list[Route]]]:
        """Yield each interface of the node, its number, and the routes of what arrives there."""
        ground, here = self.ground, self.vnet.key
        for nic in ground.nics.get(here, ()):
            names = ground.name_nic(nic)
            yield names.near, names.number, list(self._list_subnet_table(nic.subnet))
        for one, other in ground.peerings:
            if one == here:
                names, interface = ground.name_peering(one, other)
                yield interface, names.number, [*self._list_hosts(), _BLACKHOLE]
        for one, key in ground.hops:
            nic = ground.network.nics.all[key]
            names = ground.name_link("hop", one, key)
            if nic.vnet == here:
                way = Route(EVERYTHING, ground.name_nic(nic).near, nic.address)
                yield names.far, names.number, [way]
            elif one == here:
                yield names.near, names.number, [_BLACKHOLE]
        for spoke, hub in ground.transits:
            names = ground.name_link("transit", spoke, hub)
            if spoke == here:
                yield names.near, names.number, [*self._list_hosts(), _BLACKHOLE]
            elif hub == here:
                yield names.far, names.number, list(self._list_ways_to_gateways())
        for speaker in ground.instances:
            if ground.network.gateways.all[speaker[0]].vnet == here:
                names = ground.name_link("inside", speaker[0], str(speaker[1]))
                yield names.near, names.number, list(self._list_gateway_table(speaker))
        names = ground.name_link("internet", here)
        yield names.near, names.number, [*self._list_hosts(), _BLACKHOLE]

    def _list_hosts(self) -> Iterator[Route]:
        """Yield the routes to the VNet's own machines."""
        for nic in self.ground.nics.get(self.vnet.key, ()):
            for configuration in nic.configurations:
                device = self.ground.name_nic(nic).near
                yield Route(f"{configuration.address}/32", device)

    def _list_subnet_table(self, subnet: str) -> Iterator[Route]:
        """Yield the routes of what the machines of a subnet send."""
        routes = self.ground.list_routes(subnet)
        hosts = list(self._list_hosts_by(routes, lambda route: route.next_hop_type == VNET_LOCAL))
        yield from hosts
        taken = {host.prefix for host in hosts}
        for route in _pick_best(routes):
            if route.prefix not in taken:
                yield self._follow(route, routes)

    def _list_hosts_by(self, routes: list[EffectiveRoute], keeps: _Condition) -> Iterator[Route]:
        """Yield the routes to those of the VNet's machines that its routes lead to directly."""
        for host in self._list_hosts():
            chosen = select_route(routes, host.prefix.partition("/")[0])
            if chosen is not None and keeps(chosen):
                yield host

    def _list_gateway_table(self, speaker: SpeakerKey) -> Iterator[Route]:
        """Yield the routes of what a gateway instance delivers."""
        ground = self.ground
        subnet = f"{self.vnet.key}/subnets/gatewaysubnet"
        record = ground.network.subnets.get(subnet)
        routes = ground.list_routes(subnet) if record is not None and record.route_table else []
        user = [route for route in _pick_best(routes) if route.source == USER]
        yield from (
            self._list_hosts_by(routes, lambda route: route.source != USER)
            if routes
            else self._list_hosts()
        )
        taken = {route.prefix for route in user}
        for prefix, spoke in ground.network.list_borrowers(self.vnet.key):
            if prefix not in taken:
                names = ground.name_link("transit", spoke, self.vnet.key)
                yield Route(prefix, names.far, OTHER_SIDE)
        for route in user:
            if is_appliance_route(route):
                yield self._follow(route, routes)
            else:
                yield Route(route.prefix, kind="blackhole")
        if EVERYTHING not in taken:
            yield _BLACKHOLE

    def _list_ways_to_gateways(self) -> Iterator[Route]:
        """Yield the routes of what a spoke sends to this VNet's gateways."""
        ground = self.ground
        chosen: dict[str, Route] = {}
        for gateway in ground.network.gateways.list_group(self.vnet.key):
            for prefix in (*ground.source.list_remote_prefixes(gateway.key), EVERYTHING):
                way = self._find_gateway_route(gateway.key, prefix)
                if way is not None:
                    chosen.setdefault(prefix, way)
        yield from chosen.values()
        if EVERYTHING not in chosen:
            yield _BLACKHOLE

    def _find_gateway_route(self, gateway: str, prefix: str) -> Route | None:
        speaker = self.ground.find_instance(gateway, prefix)
        if speaker is None:
            return None
        names = self.ground.name_link("inside", speaker[0], str(speaker[1]))
        return Route(prefix, names.near, OTHER_SIDE)

    def _follow(self, route: EffectiveRoute, routes: list[EffectiveRoute]) -> Route:
        """Return the kernel's form of an effective route."""
        ground, here = self.ground, self.vnet.key
        lost = Route(route.prefix, kind="blackhole")
        if is_appliance_route(route):
            nic = ground.find_next_hop(here, route.next_hop, routes)
            if nic is None:
                return lost
            if nic.vnet == here:
                return Route(route.prefix, ground.name_nic(nic).near, nic.address)
            return Route(route.prefix, ground.name_link("hop", here, nic.key).near, OTHER_SIDE)
        if route.next_hop_type == VNET_PEERING and (here, route.target) in ground.peerings:
            return Route(route.prefix, ground.name_peering(here, route.target)[1], OTHER_SIDE)
        if route.next_hop_type == INTERNET:
            return Route(route.prefix, ground.name_link("internet", here).near, OTHER_SIDE)
        if route.next_hop_type == TO_GATEWAY and route.target:
            gateway = ground.network.gateways.get(route.target)
            if gateway is not None and gateway.vnet == here:
                return self._find_gateway_route(gateway.key, route.prefix) or lost
            if gateway is not None and (here, gateway.vnet) in ground.transits:
                names = ground.name_link("transit", here, gateway.vnet)
                return Route(route.prefix, names.near, OTHER_SIDE)
        return lost


def _pick_best(routes: Iterable[EffectiveRoute]) -> list[EffectiveRoute]:
    """Return the one active route of each prefix that wins."""
    best: dict[str, EffectiveRoute] = {}
    for route in routes:
        if addresses.parse_ipv4_network(route.prefix) is None or not route.active:
            continue
        before = best.get(route.prefix)
        if before is None or rank_route(route) > rank_route(before):
            best[route.prefix] = route
    return list(best.values())
