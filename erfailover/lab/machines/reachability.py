"""The path of a packet and of its answer, hop by hop, through the whole modelled network.

Pure: it reads resources, routes, gateways and machines and changes none; the flows that a
packet opens are part of the answer, for callers that really send it. Every hop is one that Azure
makes: a network interface's effective route, a next hop that must itself be reached by VNet or
peering, a machine's kernel, a gateway's table and tunnel, a network security group, an Azure
Firewall, a load balancer's front end.

Forwarded traffic: a packet that enters a VNet over a peering with a source outside the sending
VNet's address space needs ``allowForwardedTraffic`` on the receiving VNet's side (documented),
unless it answers a flow that the receiving VNet opened over that peering (observed: with the
flag off on both sides the answers of the NAT path still pass). What gateways deliver is not
subject to it.

Not modelled: IPv6; outbound access without a public IP or NAT gateway; the Internet reaching in
first. A public address outside the lab answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from erfailover.lab.core import addresses, ids
from erfailover.lab.core.world import Resource, World
from erfailover.lab.machines.appliances import FirewallSessions, SystemSource, find_backend
from erfailover.lab.machines.linux import Decision, Flow, Linux
from erfailover.lab.routing import records
from erfailover.lab.routing.bgp import Bgp
from erfailover.lab.routing.effective_routes import (
    APPLIANCE,
    INTERNET,
    NONE,
    TO_GATEWAY,
    USER,
    VNET_LOCAL,
    VNET_PEERING,
    EffectiveRoute,
    list_subnet_routes,
    select_direct_route,
    select_route,
)
from erfailover.lab.routing.security_groups import Packet, find_refusing_rule

MAXIMUM_HOPS = 32
"""The most hops of a packet, in place of a time to live; more mean a loop."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Whether an answer returned, and the path in both directions.

    ``host`` is the key of the machine that answered; empty if none of the lab's did. ``flows`` are
    those that tracking machines on the way opened. ``forwards`` counts Linux
    machines that forwarded the answer, ``tunnels`` the tunnels both ways; ``internet``
    is whether the answer came from the Internet.
    """

    reached: bool
    hops: tuple[str, ...]
    reason: str
    flows: tuple[Flow, ...] = ()
    forwards: int = 0
    tunnels: int = 0
    internet: bool = False
    host: str = ""


def trace_packet(
    world: World,
    bgp: Bgp,
    systems: SystemSource,
    source_nic: Resource,
    destination: str,
    protocol: str = "icmp",
    port: int = 0,
) -> Trace:
    """Send a packet from a network interface's machine, and its answer back.

    Args:
        world: the lab's world.
        bgp: its routing.
        systems: the virtual machines' systems.
        source_nic: the network interface that the packet leaves from.
        destination: an IPv4 address.
        protocol: ``icmp``, ``tcp`` or ``udp``, for security groups and packet filters.
        port: the destination port of ``tcp`` and ``udp``.

    Returns:
        The trace; if no answer returned, ``reason`` names the hop that dropped it.
    """
    walk = _Walk(bgp, systems)
    nic = bgp.network.nics.get(ids.to_key(source_nic.id))
    if nic is None or world.get(source_nic.id) is None:
        return Trace(False, (), "the network interface does not exist")
    try:
        return walk.trace_round_trip(nic, Packet(nic.address, destination, protocol, port))
    except _PacketDropped as dropped:
        return Trace(False, tuple(walk.hops), str(dropped), tuple(walk.flows))


class _PacketDropped(Exception):
    """A packet that goes no further; the text says where and why."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A packet's destination: a machine, or the Internet (``linux`` None).

    With ``gateway``, the key of an ExpressRoute gateway, it is the network behind its circuit.
    """

    packet: Packet
    nic: records.Nic
    linux: Linux | None
    gateway: str = ""


_BEYOND = records.Nic("", "the network behind the circuit", (), False, "")
"""A host beyond the lab that answers."""


@dataclass(slots=True)
class _Walk:
    """A packet and its answer on their way."""

    bgp: Bgp
    systems: SystemSource
    hops: list[str] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    at_interfaces: set[tuple[str, str, str]] = field(default_factory=set)
    over_peerings: set[tuple[str, str, str, str]] = field(default_factory=set)
    sessions: FirewallSessions = field(default_factory=FirewallSessions)
    answering: bool = False
    forwards: int = 0
    tunnels: int = 0

    def trace_round_trip(self, nic: records.Nic, packet: Packet) -> Trace:
        """Trace the request and the reply."""
        linux = self._get_system(nic)
        if linux.is_local(packet.destination):
            return Trace(True, (f"{nic.name}: its own address",), "", host=linux.key)
        arrival = self._send_from_process(linux, packet, nic)
        self.forwards, self.answering = 0, True
        self.hops.append("reply")
        if arrival.linux is None and arrival.gateway:
            self._record_hop(f"{arrival.nic.name} answers")
            back = self._enter_gateway(arrival.gateway, arrival.packet.to_reply())
        elif arrival.linux is None:
            back = self._enter_from_internet(arrival.nic, arrival.packet.to_reply())
        else:
            back = self._send_from_process(arrival.linux, arrival.packet.to_reply())
        if back.linux is not linux:
            raise _PacketDropped(f"the reply went to {back.nic.name} instead")
        if half_seen := self.sessions.find_half_seen(packet):
            raise _PacketDropped(f"{_get_last_part(half_seen)} has seen no answer: asymmetric path")
        return Trace(
            True,
            tuple(self.hops),
            "",
            tuple(self.flows),
            self.forwards,
            self.tunnels,
            arrival.linux is None and not arrival.gateway,
            arrival.linux.key if arrival.linux is not None else "",
        )

    # Machines.

    def _get_system(self, nic: records.Nic) -> Linux:
        machine = self.bgp.network.machine_of.get(nic.key)
        linux = self.systems.get_system(machine.key) if machine is not None else None
        if linux is None:
            raise _PacketDropped(f"{nic.name}: no running machine")
        return linux

    def _runs(self, machine: str) -> bool:
        return self.systems.get_system(machine) is not None

    def _send_from_process(
        self, linux: Linux, packet: Packet, nic: records.Nic | None = None
    ) -> _Arrival:
        """Send from a local process, by the kernel's route unless an interface is given."""
        decision = linux.send(packet, self.flows)
        if nic is not None and decision.action == "send":
            return self._leave(nic, self._record_flow(decision))
        return self._continue(decision)

    def _continue(self, decision: Decision) -> _Arrival:
        packet = self._record_flow(decision)
        assert decision.interface is not None
        nic = self.bgp.network.nics.get(decision.interface.nic)
        if nic is None:
            raise _PacketDropped(f"{decision.interface.name} has no network interface")
        return self._leave(nic, packet)

    def _record_flow(self, decision: Decision) -> Packet:
        if decision.action == "drop":
            raise _PacketDropped(decision.reason)
        if decision.flow is not None:
            self.flows.append(decision.flow)
        return decision.packet

    def _enter_interface(self, nic: records.Nic, packet: Packet) -> _Arrival:
        """Enter what is behind an interface: an Azure Firewall, or a machine."""
        if self.bgp.network.firewalls.get(nic.key) is None:
            return self._enter_machine(nic, packet)
        sent = self.sessions.admit(nic, packet, answer=self.answering)
        if sent is None:
            raise _PacketDropped(f"{nic.name} has not seen the flow of this answer")
        if sent.destination == nic.address:
            raise _PacketDropped(f"{nic.name} answers nothing")
        self._record_hop(f"{nic.name} forwards")
        return self._leave(nic, sent)

    def _enter_machine(self, nic: records.Nic, packet: Packet) -> _Arrival:
        linux = self._get_system(nic)
        interface = linux.find_interface(nic.key)
        if interface is None:
            raise _PacketDropped(f"{nic.name}: its machine has not detected it")
        decision = linux.receive(packet, interface, self.flows, answer=self.answering)
        if decision.action == "deliver":
            return _Arrival(self._record_flow(decision), nic, linux)
        if decision.action == "send":
            assert decision.interface is not None
            self._record_hop(f"{linux.hostname} forwards out of {decision.interface.name}")
            self.forwards += 1
        return self._continue(decision)

    # Network interfaces.

    def _leave(self, nic: records.Nic, packet: Packet) -> _Arrival:
        """Leave a network interface along its effective route."""
        own = packet.source in (configuration.address for configuration in nic.configurations)
        if not own and not nic.forwarding:
            raise _PacketDropped(
                f"{nic.name}: {packet.source} is not its address, and IP forwarding is off"
            )
        routes = list_subnet_routes(self.bgp, nic.subnet)
        self._pass_groups(nic, packet, routes, inbound=False)
        route = select_route(routes, packet.destination)
        if route is None or route.next_hop_type == NONE:
            raise _PacketDropped(f"{nic.name}: no route to {packet.destination}")
        where = f"{nic.name}: {packet.destination} via {route.source} {route.prefix}"
        self._record_hop(f"{where} {route.next_hop_type} {route.next_hop}".rstrip())
        if route.next_hop_type == INTERNET:
            return self._leave_to_internet(nic, packet)
        by_appliance = route.next_hop_type == APPLIANCE
        if route.next_hop_type == TO_GATEWAY and route.next_hop and not route.target:
            by_appliance = True  # a Route Server's route: it names its appliance
        elif route.next_hop_type == TO_GATEWAY:
            if not route.target:
                raise _PacketDropped(f"{nic.name}: the VNet has no gateway")
            return self._enter_gateway(
                route.target, packet, self._choose_instance(nic, route, packet)
            )
        hop = packet.destination
        if by_appliance:
            hop = route.next_hop
            route = select_direct_route(routes, hop)
            if route is None:
                way = select_route(routes, hop)
                how = way.next_hop_type if way is not None else NONE
                raise _PacketDropped(f"{nic.name}: the next hop {hop} is reached via {how} only")
        if route.next_hop_type == VNET_PEERING:
            self._cross(nic.vnet, route.target, packet)
        elif route.next_hop_type != VNET_LOCAL:
            raise _PacketDropped(f"{nic.name}: next hop type {route.next_hop_type} is not modelled")
        return self._enter(route.target or nic.vnet, hop, packet)

    def _enter(self, vnet: str, hop: str, packet: Packet) -> _Arrival:
        """Enter the interface of a VNet that has the address ``hop``."""
        network = self.bgp.network
        nic = network.find_nic(vnet, hop) or find_backend(network, self._runs, vnet, hop)
        if nic is None:
            raise _PacketDropped(f"{self._get_name(vnet)}: no interface has {hop}")
        if packet.destination != hop and not nic.forwarding:
            raise _PacketDropped(
                f"{nic.name}: {packet.destination} is not its address, and IP forwarding is off"
            )
        self._pass_groups(nic, packet, list_subnet_routes(self.bgp, nic.subnet), inbound=True)
        return self._enter_interface(nic, packet)

    def _pass_groups(
        self, nic: records.Nic, packet: Packet, routes: list[EffectiveRoute], *, inbound: bool
    ) -> None:
        """Pass the security groups of the subnet and the interface, which track flows."""
        if (nic.key, packet.destination, packet.source) in self.at_interfaces:
            return
        subnet = self.bgp.network.subnets.get(nic.subnet)
        groups = [subnet.security_group if subnet is not None else "", nic.security_group]
        space = [
            route.prefix
            for route in routes
            if route.next_hop_type not in (INTERNET, NONE) or route.source == "User"
        ]
        for group in groups if inbound else reversed(groups):
            if group:
                rules = self.bgp.network.rules.list_group(group)
                rule = find_refusing_rule(rules, group, inbound, packet, space)
                if rule is not None:
                    raise _PacketDropped(
                        f"{nic.name}: {_get_last_part(group)} drops it (rule {rule})"
                    )
        self.at_interfaces.add((nic.key, packet.source, packet.destination))

    # Between VNets.

    def _cross(self, vnet: str, remote: str, packet: Packet) -> None:
        """Cross a peering, if both sides allow it."""
        network = self.bgp.network
        here, there = network.find_peering(vnet, remote), network.find_peering(remote, vnet)
        way = f"{self._get_name(vnet)} to {self._get_name(remote)}"
        if here is None or there is None or not (here.connected and there.connected):
            raise _PacketDropped(f"{way}: the peering is not Connected")
        if not (here.access and there.access):
            raise _PacketDropped(f"{way}: allowVirtualNetworkAccess is off")
        own = network.vnets.all[vnet].prefixes
        forwarded = not any(addresses.contains(prefix, packet.source) for prefix in own)
        answer = (remote, vnet, packet.destination, packet.source) in self.over_peerings
        if forwarded and not answer and not there.forwarded:
            raise _PacketDropped(f"{way}: {there.name} does not allow forwarded traffic")
        self.over_peerings.add((vnet, remote, packet.source, packet.destination))
        self._record_hop(f"peering {here.name}")

    def _choose_instance(self, nic: records.Nic, route: EffectiveRoute, packet: Packet) -> int:
        """Choose the instance of a gateway: by the route at its own VNet, else by its prefixes."""
        gateway = self.bgp.network.gateways.get(route.target)
        if gateway is not None and gateway.vnet == nic.vnet:
            return self.bgp.find_instance(route.target, route.prefix)
        table: addresses.PrefixMap[str] = addresses.PrefixMap()
        for prefix in self.bgp.list_remote_prefixes(route.target):
            table.set_default(prefix, prefix)
        return self.bgp.find_instance(route.target, table.find_longest(packet.destination) or "")

    def _enter_gateway(self, gateway: str, packet: Packet, index: int = 0) -> _Arrival:
        """Pass gateways and tunnels, from one instance on, until one delivers into a VNet."""
        record = self.bgp.network.gateways.get(gateway)
        name = record.name if record is not None else _get_last_part(gateway)
        entry = self.bgp.get_forwarding_table(gateway, index).find_longest(packet.destination)
        if entry is None:
            raise _PacketDropped(f"{name}: no route to {packet.destination}")
        if entry.vnet:
            self._record_hop(f"{name}: {entry.prefix} into {self._get_name(entry.vnet)}")
            return self._leave_gateway(gateway, entry.vnet, packet)
        if entry.circuit:
            self._record_hop(
                f"{name}: {entry.prefix} via the circuit of {_get_last_part(entry.circuit)}"
            )
            return _Arrival(packet, _BEYOND, None, gateway)
        for end in entry.ends:
            far = self.bgp.find_tunnel(end)
            if far is not None:
                self._record_hop(f"{name}: {entry.prefix} via the tunnel to {far.gateway.name}")
                self.tunnels += 1
                return self._enter_gateway(far.gateway.key, packet, far.speaker[1])
        raise _PacketDropped(f"{name}: no tunnel to {entry.prefix} is up")

    def _leave_gateway(self, gateway: str, vnet: str, packet: Packet) -> _Arrival:
        """Leave a gateway into its own VNet, or into one that still uses it."""
        network = self.bgp.network
        home = network.gateways.all[gateway].vnet
        if vnet != home:
            here, there = network.find_peering(home, vnet), network.find_peering(vnet, home)
            if here is None or there is None or not (here.connected and there.connected):
                raise _PacketDropped(
                    f"{self._get_name(home)} has no Connected peering to {self._get_name(vnet)}"
                )
            if not (here.transit and there.remote_gateways and here.access and there.access):
                raise _PacketDropped(
                    f"{self._get_name(vnet)} does not use the gateway of {self._get_name(home)}"
                )
        route = self._find_gateway_subnet_route(home, packet)
        if route is not None:
            return self._follow_user_route(gateway, home, route, packet)
        return self._enter(vnet, packet.destination, packet)

    def _find_gateway_subnet_route(self, home: str, packet: Packet) -> EffectiveRoute | None:
        """Return the GatewaySubnet's user-defined route for a packet into a VNet, if any."""
        key = f"{home}/subnets/gatewaysubnet"
        subnet = self.bgp.network.subnets.get(key)
        if subnet is None or not subnet.route_table:
            return None
        route = select_route(list_subnet_routes(self.bgp, key), packet.destination)
        return route if route is not None and route.source == USER else None

    def _follow_user_route(
        self, gateway: str, home: str, route: EffectiveRoute, packet: Packet
    ) -> _Arrival:
        """Leave a gateway along a user-defined route of its subnet."""
        name, how = (
            _get_last_part(gateway),
            f"{route.prefix} {route.next_hop_type} {route.next_hop}",
        )
        if route.next_hop_type != APPLIANCE:
            raise _PacketDropped(
                f"{name}: the GatewaySubnet's route {how.rstrip()} has no usable next hop"
            )
        self._record_hop(f"{name}: the GatewaySubnet's route {how}")
        way = select_direct_route(
            list_subnet_routes(self.bgp, f"{home}/subnets/gatewaysubnet"), route.next_hop
        )
        if way is None:
            raise _PacketDropped(
                f"{name}: the next hop {route.next_hop} is not in its VNet or a peered one"
            )
        if way.next_hop_type == VNET_PEERING:
            self._cross(home, way.target, packet)
        return self._enter(way.target, route.next_hop, packet)

    # The Internet.

    def _leave_to_internet(self, nic: records.Nic, packet: Packet) -> _Arrival:
        """Leave to an Internet host, which answers to the interface's public address."""
        if not addresses.is_public(packet.destination):
            raise _PacketDropped(f"{nic.name}: {packet.destination} is not a public address")
        if packet.destination in self.bgp.network.public_ips.all.values():
            raise _PacketDropped(f"{packet.destination} does not accept traffic from the Internet")
        subnet = self.bgp.network.subnets.get(nic.subnet)
        for configuration in nic.configurations:
            if configuration.address == packet.source:
                if configuration.public_ip or (subnet is not None and subnet.nat_gateway):
                    self._record_hop(f"Internet: {packet.destination}")
                    return _Arrival(packet, nic, None)
                raise _PacketDropped(f"{nic.name}: no public IP, so it cannot reach the Internet")
        raise _PacketDropped(
            f"{nic.name}: {packet.source} is not its address, so Azure does not translate it"
        )

    def _enter_from_internet(self, nic: records.Nic, packet: Packet) -> _Arrival:
        """Return by the public address that the request left from."""
        self._pass_groups(nic, packet, list_subnet_routes(self.bgp, nic.subnet), inbound=True)
        self._record_hop(f"Internet to {nic.name}")
        return self._enter_interface(nic, packet)

    def _record_hop(self, text: str) -> None:
        self.hops.append(text)
        if len(self.hops) > MAXIMUM_HOPS:
            raise _PacketDropped("routing loop")

    def _get_name(self, vnet: str) -> str:
        record = self.bgp.network.vnets.get(vnet)
        return record.name if record is not None else _get_last_part(vnet)


def _get_last_part(key: str) -> str:
    return key.rpartition("/")[2]
