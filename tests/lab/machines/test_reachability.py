"""Reachability: the proof of concept's paths, and each rule that lets a packet pass or drops it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from erfailover.lab.machines.machines import Machines
from erfailover.lab.machines.reachability import Trace, trace_packet
from erfailover.lab.routing.bgp import Bgp
from erfailover.lab.routing.sessions import BgpTiming
from tests.support import worlds
from tests.support.lab_machines import NAT
from tests.support.worlds import Builder, reference

TIMING = BgpTiming()

OFFICE, INTERNET = "10.5.0.4", "8.8.4.4"


@dataclass
class Lab:
    """A world with its routing and machines."""

    builder: Builder
    bgp: Bgp
    machines: Machines

    def trace(self, nic: str, destination: str, protocol: str = "icmp", port: int = 0) -> Trace:
        """A packet and its answer."""
        interface = self.builder.get("networkInterfaces", nic)
        world = self.builder.world
        return trace_packet(world, self.bgp, self.machines, interface, destination, protocol, port)

    def vm(self, name: str, script: str) -> str:
        """Run a script and return what it wrote; it must succeed."""
        vm = self.builder.get("virtualMachines", name, provider="Microsoft.Compute")
        output = self.machines.run(vm, script.splitlines())
        assert output.exit_code == 0, output
        return output.stdout


def lab() -> Lab:
    """The proof of concept with sessions up and the NAT machine set up."""
    builder = worlds.proof_of_concept()
    bgp = worlds.routing(builder)
    network_lab = Lab(builder, bgp, Machines(builder.world, bgp))
    builder.wait(TIMING.connect_s)
    network_lab.vm("vm3", NAT)
    return network_lab


def test_the_story_of_the_proof_of_concept() -> None:
    it = lab()

    def state() -> tuple[bool, bool]:
        return it.trace("vm1-nic", OFFICE).reached, it.trace("vm1-nic", INTERNET).reached

    assert state() == (True, True)
    worlds.expressroute_fails(it.builder)
    assert state() == (False, True)
    it.builder.wait(TIMING.hold_s)
    assert state() == (False, True)
    worlds.leave_primary(it.builder)
    assert state() == (False, True)
    worlds.join_backup(it.builder)
    it.builder.wait(TIMING.learn_s)
    assert state() == (True, True)
    worlds.expressroute_is_repaired(it.builder)
    it.builder.wait(TIMING.connect_s)
    assert state() == (True, True)


def test_the_request_and_the_answer_are_told_hop_by_hop() -> None:
    it = lab()
    trace = it.trace("vm1-nic", INTERNET)
    assert trace.hops == (
        "vm1-nic: 8.8.4.4 via User 8.8.4.4/32 VirtualAppliance 10.2.2.4",
        "peering vnet1-to-vnet2",
        "vm3 forwards out of eth0",
        "vm3-nic1: 8.8.4.4 via Default 0.0.0.0/0 Internet",
        "Internet: 8.8.4.4",
        "reply",
        "Internet to vm3-nic1",
        "vm3 forwards out of eth1",
        "vm3-nic2: 10.1.0.4 via Default 10.1.0.0/16 VNetPeering",
        "peering vnet2-to-vnet1",
    )
    assert (trace.internet, trace.forwards, trace.tunnels) == (True, 1, 0)
    assert [(flow.source, flow.reply_destination) for flow in trace.flows] == [
        ("10.1.0.4", "10.2.1.4")
    ]


def test_the_office_is_reached_by_the_gateways_and_back() -> None:
    trace = lab().trace("vm1-nic", OFFICE)
    assert trace.tunnels == 2
    assert "vng1: 10.5.0.0/16 via the tunnel to vng3" in trace.hops
    assert "vng3: 10.1.0.0/16 via the tunnel to vng1" in trace.hops


def test_asking_leaves_no_trace_on_the_machines() -> None:
    it = lab()
    it.trace("vm1-nic", INTERNET)
    assert it.vm("vm3", "conntrack -L 2>/dev/null") == ""


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        (
            "iptables -t nat",
            "vm3-nic1: 10.1.0.4 is not its address, so Azure does not translate it",
        ),
        ("sysctl", "vm3 does not forward: net.ipv4.ip_forward is 0"),
    ],
)
def test_nat_works_only_after_its_commands_have_run(missing: str, reason: str) -> None:
    builder = worlds.proof_of_concept()
    bgp = worlds.routing(builder)
    it = Lab(builder, bgp, Machines(builder.world, bgp))
    it.vm("vm3", "\n".join(line for line in NAT.splitlines() if missing not in line))
    assert it.trace("vm1-nic", INTERNET).reason == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(
            lambda b: b.delete(worlds.PEERINGS, "vnet1", "vnet1-to-vnet2"),
            "vm1-nic: the next hop 10.2.2.4 is reached via None only",
            id="peering deleted",
        ),
        pytest.param(
            lambda b: b.peer("vnet2", "vnet1", access=False),
            "vnet1 to vnet2: allowVirtualNetworkAccess is off",
            id="access off on the far side",
        ),
        pytest.param(
            lambda b: b.patch("networkInterfaces", "vm3-nic2", enableIPForwarding=False),
            "vm3-nic2: 8.8.4.4 is not its address, and IP forwarding is off",
            id="inside interface does not forward",
        ),
        pytest.param(
            lambda b: b.nic("vm3-nic1", "vnet2", "vnet2-sub1", "10.2.1.4", forwarding=True),
            "vm3-nic1: no public IP, so it cannot reach the Internet",
            id="outside interface without a public IP",
        ),
        pytest.param(
            lambda b: b.nic("vm3-nic2", "vnet2", "vnet2-sub2", "10.2.2.5", forwarding=True),
            "vnet2: no interface has 10.2.2.4",
            id="next hop without interface",
        ),
    ],
)
def test_the_nat_path_needs_every_piece(change: Callable[[Builder], object], reason: str) -> None:
    it = lab()
    change(it.builder)
    assert it.trace("vm1-nic", INTERNET).reason == reason


def test_without_the_peering_bgp_does_not_lead_to_the_nat_machine() -> None:
    it = lab()
    worlds.leave_primary(it.builder)
    worlds.join_backup(it.builder)
    it.builder.wait(TIMING.learn_s)
    assert it.trace("vm1-nic", INTERNET).reached
    it.builder.delete(worlds.PEERINGS, "vnet1", "vnet1-to-vnet2")
    reason = "vm1-nic: the next hop 10.2.2.4 is reached via VirtualNetworkGateway only"
    assert it.trace("vm1-nic", INTERNET).reason == reason


@pytest.mark.parametrize("prefix", ["10.2.0.0/16", "10.0.0.0/8"])
def test_a_route_that_covers_its_own_next_hop_leads_there(prefix: str) -> None:
    """Documented: in *Virtual network traffic routing*, routing example, the route of a VNet's
    whole space has an appliance in that VNet as its next hop.
    """
    it = lab()
    assert it.trace("vm1-nic", "10.2.9.9").reason == "vnet2: no interface has 10.2.9.9"
    it.builder.put(
        "routeTables/routes",
        "rt1",
        "hub",
        addressPrefix=prefix,
        nextHopType="VirtualAppliance",
        nextHopIpAddress="10.2.2.4",
    )
    hops = it.trace("vm1-nic", "10.2.9.9").hops
    by_appliance = any("VirtualAppliance 10.2.2.4" in hop for hop in hops)
    assert by_appliance == (prefix == "10.2.0.0/16")
    assert it.trace("vm1-nic", INTERNET).reached


def test_each_instance_of_a_gateway_forwards_by_its_own_table() -> None:
    """RFC 4271 (9.1): a speaker selects among the routes that it has itself.

    Found by running both planes. ``single`` sends what is for ``far`` to the second instance of
    ``twins``, which knows ``far`` only; the first one, which also hears of it from ``single`` and
    prefers the lower identifier, would send it back.
    """
    b = Builder()
    for number, name in enumerate(("single", "twins", "far"), start=1):
        b.vnet(name, f"10.{number}.0.0/16")
        b.subnet(name, "GatewaySubnet", f"10.{number}.0.0/24")
        b.subnet(name, "sub", f"10.{number}.1.0/24")
        b.nic(f"{name}-nic", name, "sub", f"10.{number}.1.4")
        b.machine(f"vm-{name}", f"{name}-nic")
    b.gateway("g-single", "single", 65001, "10.1.0.254")
    b.gateway("g-twins", "twins", 65002, "10.2.0.4", "10.2.0.5")
    b.gateway("g-far", "far", 65003, "10.3.0.254")
    for name, near, far, number, asn, address, static in (
        ("s-t1", "g-single", "g-twins", 1, 65002, "10.2.0.4", ()),
        ("s-t2", "g-single", "g-twins", 2, 65002, "10.2.0.5", ("10.3.0.0/16",)),
        ("t-s", "g-twins", "g-single", 1, 65001, "10.1.0.254", ()),
        ("t-f", "g-twins", "g-far", 1, 65003, "10.3.0.254", ()),
        ("f-t1", "g-far", "g-twins", 1, 65002, "10.2.0.4", ()),
        ("f-t2", "g-far", "g-twins", 2, 65002, "10.2.0.5", ()),
    ):
        b.local_gateway(name, b.public_address(far, number), asn, address, *static)
        b.connection(name, near, name)
    bgp = worlds.routing(b)
    it = Lab(b, bgp, Machines(b.world, bgp))
    b.wait(TIMING.connect_s)
    learned = bgp.list_learned_routes(b.get("virtualNetworkGateways", "g-twins"))
    sources = {
        (row["localAddress"], row["sourcePeer"], row["origin"])
        for row in learned
        if row["network"] == "10.3.0.0/16"
    }
    assert ("10.2.0.4", "10.1.0.254", "EBgp") in sources
    assert ("10.2.0.5", "10.1.0.254", "EBgp") not in sources
    assert it.trace("single-nic", "10.3.1.4").reached, it.trace("single-nic", "10.3.1.4")
    assert it.trace("far-nic", "10.1.1.4").reached


# Forwarded traffic.


def test_answers_to_a_flow_the_vnet_opened_pass_without_forwarded_traffic() -> None:
    it = lab()
    it.builder.peer("vnet1", "vnet2")
    it.builder.peer("vnet2", "vnet1")
    assert it.trace("vm1-nic", INTERNET).reached


def forwarded_case() -> Lab:
    """Vnet5's machine reaches vnet1 by a machine in vnet2 that does not translate."""
    b = Builder()
    for number in (1, 2, 5):
        b.vnet(f"vnet{number}", f"10.{number}.0.0/16")
    for number, hop in ((1, "10.2.0.4"), (5, "10.2.0.4")):
        table = f"rt{number}"
        b.put("routeTables", table)
        b.put(
            "routeTables/routes",
            table,
            "all",
            addressPrefix="10.0.0.0/8",
            nextHopType="VirtualAppliance",
            nextHopIpAddress=hop,
        )
        route_table = reference("routeTables", table)
        b.subnet(f"vnet{number}", "s", f"10.{number}.0.0/24", routeTable=route_table)
    b.subnet("vnet2", "s", "10.2.0.0/24")
    for number in (1, 2, 5):
        b.nic(f"nic{number}", f"vnet{number}", "s", f"10.{number}.0.4", forwarding=number == 2)
        b.machine(f"m{number}", f"nic{number}")
    for number in (1, 5):
        b.peer("vnet2", f"vnet{number}", forwarded=True)
        b.peer(f"vnet{number}", "vnet2", forwarded=True)
    bgp = worlds.routing(b)
    it = Lab(b, bgp, Machines(b.world, bgp))
    it.vm("m2", "sysctl -w net.ipv4.ip_forward=1")
    return it


@pytest.mark.parametrize("receiving", [1, 5])
def test_forwarded_traffic_is_the_receiving_vnets_to_allow(receiving: int) -> None:
    it = forwarded_case()
    assert it.trace("nic5", "10.1.0.4").reached
    it.builder.peer(f"vnet{receiving}", "vnet2")
    trace = it.trace("nic5", "10.1.0.4")
    if receiving == 1:
        assert trace.reason == "vnet2 to vnet1: vnet1-to-vnet2 does not allow forwarded traffic"
    else:
        assert trace.reached, "the answer belongs to a flow that vnet5 opened"


def test_the_sending_vnets_flag_does_not_matter_for_forwarded_traffic() -> None:
    it = forwarded_case()
    it.builder.peer("vnet2", "vnet1")
    it.builder.peer("vnet2", "vnet5")
    assert it.trace("nic5", "10.1.0.4").reached


def test_a_gateways_deliveries_are_not_subject_to_the_forwarded_traffic_flag() -> None:
    it = lab()
    it.builder.peer("vnet1", "vnet2", remote_gateways=True)
    it.builder.peer("vnet2", "vnet1", transit=True)
    it.builder.peer("vnet5", "vnet4", remote_gateways=True)
    it.builder.peer("vnet4", "vnet5", transit=True)
    assert it.trace("vm2-nic", "10.1.0.4").reached


# Gateways.


def test_a_gateway_drops_what_it_has_no_route_to() -> None:
    it = lab()
    worlds.expressroute_fails(it.builder)
    assert it.trace("vm1-nic", OFFICE).reason == "vm1-nic: no route to 10.5.0.4"
    assert it.trace("vm1-nic", "10.4.0.77").reason == "vnet4: no interface has 10.4.0.77"


def test_a_tunnel_that_is_down_carries_nothing() -> None:
    it = lab()
    it.builder.connection("vng1-to-vng3", "vng1", "lng1", "wrong")
    assert it.trace("vm1-nic", OFFICE).reason == "vng1: no tunnel to 10.5.0.0/16 is up"


def test_the_answer_needs_a_way_back() -> None:
    it = lab()
    worlds.expressroute_fails(it.builder)
    it.builder.put(
        "routeTables/routes",
        "rt1",
        "by-gateway",
        addressPrefix="10.4.0.0/16",
        nextHopType="VirtualNetworkGateway",
    )
    it.builder.wait(TIMING.hold_s)
    assert it.trace("vm2-nic", "10.1.0.4").reason == "vm2-nic: no route to 10.1.0.4"


def test_a_gateway_delivers_to_a_spoke_only_while_the_spoke_uses_it() -> None:
    it = lab()
    it.builder.peer("vnet1", "vnet2", forwarded=True)
    reason = "vnet1 does not use the gateway of vnet2"
    assert it.trace("vm2-nic", "10.1.0.4").reason == reason


def test_a_machine_in_the_hub_uses_its_own_gateway() -> None:
    it = lab()
    assert it.trace("vm3-nic1", OFFICE).reached


# Machines and addresses.


@pytest.mark.parametrize(
    ("destination", "reason"),
    [
        ("10.1.0.99", "vnet1: no interface has 10.1.0.99"),
        ("10.99.0.1", "vm1-nic: no route to 10.99.0.1"),
        ("20.50.0.9", ""),
    ],
)
def test_an_address_that_nobody_has_does_not_answer(destination: str, reason: str) -> None:
    trace = lab().trace("vm1-nic", destination)
    assert not trace.reached
    assert reason in trace.reason


def test_a_stopped_machine_does_not_answer() -> None:
    it = lab()
    it.machines.stop(it.builder.get("virtualMachines", "vm2", provider="Microsoft.Compute"))
    assert it.trace("vm1-nic", OFFICE).reason == "vm2-nic: no running machine"


def test_the_internet_answers_to_a_public_ip_only() -> None:
    it = lab()
    assert it.trace("vm1-nic", "8.8.8.8").reached
    it.builder.nic("vm1-nic", "vnet1", "vnet1-sub1", "10.1.0.4")
    assert "no public IP" in it.trace("vm1-nic", "8.8.8.8").reason


def test_a_machines_packet_filter_drops_what_it_says() -> None:
    it = lab()
    it.vm("vm2", "iptables -A INPUT -p icmp -s 10.1.0.0/16 -j DROP")
    assert it.trace("vm1-nic", OFFICE).reason == "vm2: iptables drops it (chain INPUT)"
    assert it.trace("vm1-nic", OFFICE, "tcp", 22).reached


def test_the_forward_chain_tells_answers_from_new_flows() -> None:
    it = lab()
    it.vm("vm3", "iptables -P FORWARD DROP")
    assert it.trace("vm1-nic", INTERNET).reached
    it.vm("vm3", "iptables -D FORWARD -i eth1 -o eth0 -j ACCEPT")
    assert it.trace("vm1-nic", INTERNET).reason == "vm3: iptables drops it (chain FORWARD)"


def test_a_machine_drops_what_comes_back_from_itself() -> None:
    """Linux: a source that is one of its own addresses is a martian (Documentation/networking,
    ip-sysctl, accept_local). Found by running both planes.
    """
    b = Builder()
    b.vnet("one", "10.1.0.0/16")
    for number, name in enumerate(("a", "b", "c"), start=1):
        b.subnet("one", name, f"10.1.{number}.0/24")
        b.nic(f"nic-{name}", "one", name, f"10.1.{number}.4", forwarding=name != "c")
    b.machine("both", "nic-a", "nic-b")
    b.machine("other", "nic-c")
    bgp = worlds.routing(b)
    it = Lab(b, bgp, Machines(b.world, bgp))
    it.vm("both", "sysctl -w net.ipv4.ip_forward=1")
    assert it.trace("nic-a", "10.1.3.4").reached
    b.put("routeTables", "rt")
    b.put(
        "routeTables/routes",
        "rt",
        "back",
        addressPrefix="10.1.3.0/24",
        nextHopType="VirtualAppliance",
        nextHopIpAddress="10.1.2.4",
    )
    b.subnet("one", "a", "10.1.1.0/24", routeTable=reference("routeTables", "rt"))
    reason = "both: 10.1.1.4 is its own address, a martian source"
    assert it.trace("nic-a", "10.1.3.4").reason == reason


def test_packets_that_go_round_in_circles_are_dropped() -> None:
    it = forwarded_case()
    it.builder.subnet("vnet2", "s", "10.2.0.0/24", routeTable=reference("routeTables", "rt5"))
    it.builder.put(
        "routeTables/routes",
        "rt5",
        "back",
        addressPrefix="10.1.0.0/16",
        nextHopType="VirtualAppliance",
        nextHopIpAddress="10.2.0.4",
    )
    assert it.trace("nic5", "10.1.0.4").reason == "routing loop"


# Security groups.


def put_security_group(
    it: Lab, where: str, *rules: tuple[str, str, str, int, str, str], protocol: str = "*"
) -> None:
    """Put a security group on vm2's subnet or interface: name, direction, access, priority, ..."""
    it.builder.put("networkSecurityGroups", "nsg")
    for name, direction, access, priority, source, destination in rules:
        it.builder.put(
            "networkSecurityGroups/securityRules",
            "nsg",
            name,
            protocol=protocol,
            direction=direction,
            access=access,
            priority=priority,
            sourceAddressPrefix=source,
            destinationAddressPrefix=destination,
            sourcePortRange="*",
            destinationPortRange="*",
        )
    group = reference("networkSecurityGroups", "nsg")
    if where == "subnet":
        it.builder.subnet("vnet5", "vnet5-sub1", "10.5.0.0/24", networkSecurityGroup=group)
    else:
        it.builder.patch("networkInterfaces", "vm2-nic", networkSecurityGroup=group)


@pytest.mark.parametrize("where", ["subnet", "interface"])
def test_the_default_rules_let_the_virtual_network_in(where: str) -> None:
    it = lab()
    put_security_group(it, where)
    assert it.trace("vm1-nic", OFFICE).reached


@pytest.mark.parametrize("where", ["subnet", "interface"])
def test_a_rule_drops_and_the_lower_priority_number_wins(where: str) -> None:
    it = lab()
    put_security_group(it, where, ("no", "Inbound", "Deny", 200, "10.1.0.0/16", "*"))
    assert it.trace("vm1-nic", OFFICE).reason == "vm2-nic: nsg drops it (rule no)"
    put_security_group(it, where, ("yes", "Inbound", "Allow", 100, "10.1.0.4", "VirtualNetwork"))
    assert it.trace("vm1-nic", OFFICE).reached


def test_answers_pass_whatever_the_rules_say() -> None:
    it = lab()
    put_security_group(it, "subnet", ("no", "Inbound", "Deny", 100, "*", "*"))
    assert it.trace("vm2-nic", "10.1.0.4").reached
    assert it.trace("vm2-nic", "8.8.8.8").reached
    assert not it.trace("vm1-nic", OFFICE).reached


def test_outbound_rules_are_judged_where_the_packet_leaves() -> None:
    it = lab()
    put_security_group(it, "interface", ("no", "Outbound", "Deny", 100, "*", "Internet"))
    assert it.trace("vm2-nic", "8.8.8.8").reason == "vm2-nic: nsg drops it (rule no)"
    assert it.trace("vm2-nic", "10.1.0.4").reached


def test_a_rule_for_another_protocol_does_not_match() -> None:
    it = lab()
    put_security_group(it, "subnet", ("no", "Inbound", "Deny", 100, "*", "*"), protocol="Tcp")
    assert it.trace("vm1-nic", OFFICE).reached
    assert not it.trace("vm1-nic", OFFICE, "tcp", 22).reached


def test_the_virtual_network_tag_follows_the_gateways_routes() -> None:
    it = lab()
    put_security_group(it, "subnet")
    assert it.trace("vm1-nic", OFFICE).reached
    it.builder.put(
        "routeTables/routes",
        "rt1",
        "way",
        addressPrefix="10.5.0.0/16",
        nextHopType="VirtualNetworkGateway",
    )
    it.builder.put("routeTables", "rt5", disableBgpRoutePropagation=True)
    it.builder.subnet(
        "vnet5",
        "vnet5-sub1",
        "10.5.0.0/24",
        networkSecurityGroup=reference("networkSecurityGroups", "nsg"),
        routeTable=reference("routeTables", "rt5"),
    )
    assert it.trace("vm1-nic", OFFICE).reason == "vm2-nic: nsg drops it (rule DenyAllInBound)"
