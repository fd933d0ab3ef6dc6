"""Firewalls and load balancers on the way of a packet: what they forward, translate and drop."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from erfailover.lab.machines.machines import Machines
from erfailover.lab.machines.reachability import Trace, trace_packet
from erfailover.lab.routing.bgp import Bgp
from tests.support import worlds
from tests.support.worlds import Builder, reference, resource_id

ONE, OTHER, INTERNET = "10.1.0.4", "10.3.0.4", "8.8.4.4"


@dataclass
class Hub:
    """Two spokes whose default routes lead to a firewall in the hub between them."""

    builder: Builder
    bgp: Bgp
    machines: Machines

    def trace(self, nic: str, destination: str, protocol: str = "tcp") -> Trace:
        interface = self.builder.get("networkInterfaces", nic)
        world = self.builder.world
        return trace_packet(world, self.bgp, self.machines, interface, destination, protocol, 443)

    def route(self, table: str, prefix: str, address: str) -> None:
        self.builder.put(
            "routeTables/routes",
            table,
            prefix.replace("/", "-"),
            addressPrefix=prefix,
            nextHopType="VirtualAppliance",
            nextHopIpAddress=address,
        )


def firewall(builder: Builder, name: str, subnet: str, address: str) -> None:
    builder.public_ip(f"{name}-pip")
    configuration = {
        "privateIPAddress": address,
        "subnet": reference("virtualNetworks/subnets", "hub", subnet),
        "publicIPAddress": reference("publicIPAddresses", f"{name}-pip"),
    }
    builder.put(
        "azureFirewalls", name, ipConfigurations=[{"name": "fw", "properties": configuration}]
    )


@pytest.fixture
def hub() -> Hub:
    b = Builder()
    b.vnet("hub", "10.2.0.0/16")
    b.subnet("hub", "AzureFirewallSubnet", "10.2.0.0/26")
    b.subnet("hub", "nva", "10.2.1.0/24")
    for name, space, address in (("one", "10.1.0.0", ONE), ("other", "10.3.0.0", OTHER)):
        b.vnet(name, f"{space}/16")
        b.put("routeTables", f"rt-{name}", disableBgpRoutePropagation=True)
        table = reference("routeTables", f"rt-{name}")
        b.subnet(name, "apps", f"{space}/24", routeTable=table)
        b.nic(f"{name}-nic", name, "apps", address)
        b.machine(f"vm-{name}", f"{name}-nic")
        b.peer("hub", name)
        b.peer(name, "hub", forwarded=True)
    firewall(b, "fw", "AzureFirewallSubnet", "10.2.0.4")
    bgp = worlds.routing(b)
    hub = Hub(b, bgp, Machines(b.world, bgp))
    hub.route("rt-one", "0.0.0.0/0", "10.2.0.4")
    hub.route("rt-other", "0.0.0.0/0", "10.2.0.4")
    return hub


def test_spokes_reach_each_other_through_the_firewall(hub: Hub) -> None:
    trace = hub.trace("one-nic", OTHER)
    assert trace.reached, trace
    assert trace.hops == (
        "one-nic: 10.3.0.4 via User 0.0.0.0/0 VirtualAppliance 10.2.0.4",
        "peering one-to-hub",
        "fw forwards",
        "fw: 10.3.0.4 via Default 10.3.0.0/16 VNetPeering",
        "peering hub-to-other",
        "reply",
        "other-nic: 10.1.0.4 via User 0.0.0.0/0 VirtualAppliance 10.2.0.4",
        "peering other-to-hub",
        "fw forwards",
        "fw: 10.1.0.4 via Default 10.1.0.0/16 VNetPeering",
        "peering hub-to-one",
    )


def test_what_leaves_for_the_internet_has_the_firewalls_address(hub: Hub) -> None:
    trace = hub.trace("one-nic", INTERNET)
    assert (trace.reached, trace.internet) == (True, True)
    assert "Internet to fw" in trace.hops
    assert trace.flows == (), "no machine on the way tracks anything"


def test_a_firewall_drops_the_answer_to_what_went_around_it(hub: Hub) -> None:
    hub.builder.peer("one", "other", forwarded=True)
    hub.builder.peer("other", "one", forwarded=True)
    hub.route("rt-other", "10.1.0.0/16", "10.2.0.4")
    for protocol in ("tcp", "icmp", "udp"):
        trace = hub.trace("one-nic", OTHER, protocol)
        assert trace.reason == "fw has not seen the flow of this answer"


def test_a_connection_fails_whose_answer_goes_around_a_firewall_and_an_echo_passes(
    hub: Hub,
) -> None:
    hub.builder.peer("one", "other", forwarded=True)
    hub.builder.peer("other", "one", forwarded=True)
    hub.route("rt-one", "10.3.0.0/16", "10.2.0.4")
    assert hub.trace("one-nic", OTHER).reason == "fw has seen no answer: asymmetric path"
    assert hub.trace("one-nic", OTHER, "icmp").reached


def test_a_firewall_without_its_address_forwards_nothing(hub: Hub) -> None:
    hub.builder.patch("azureFirewalls", "fw", ipConfigurations=[])
    assert hub.trace("one-nic", OTHER).reason == "hub: no interface has 10.2.0.4"


def test_a_firewall_answers_nothing_itself(hub: Hub) -> None:
    assert hub.trace("one-nic", "10.2.0.4").reason == "fw answers nothing"


def balance(hub: Hub, *members: str, ports: int = 0) -> None:
    """A load balancer 10.2.1.100 before machines, to which the spokes' default routes lead."""
    b = hub.builder
    part = {
        kind: {"id": str(resource_id(f"loadBalancers/{kind}", "lb", "x"))}
        for kind in ("frontendIPConfigurations", "backendAddressPools")
    }
    for number, name in enumerate(members, 4):
        b.nic(f"{name}-nic", "hub", "nva", f"10.2.1.{number}", forwarding=True)
        interface = b.get("networkInterfaces", f"{name}-nic").active_properties
        inner = interface["ipConfigurations"][0]["properties"]
        inner["loadBalancerBackendAddressPools"] = [part["backendAddressPools"]]
        b.patch("networkInterfaces", f"{name}-nic", ipConfigurations=interface["ipConfigurations"])
        b.machine(name, f"{name}-nic")
    front = {
        "privateIPAddress": "10.2.1.100",
        "subnet": reference("virtualNetworks/subnets", "hub", "nva"),
    }
    rule = {
        "frontendIPConfiguration": part["frontendIPConfigurations"],
        "backendAddressPool": part["backendAddressPools"],
        "protocol": "All" if ports == 0 else "Tcp",
        "frontendPort": ports,
        "backendPort": ports,
    }
    b.put(
        "loadBalancers",
        "lb",
        frontendIPConfigurations=[{**part["frontendIPConfigurations"], "properties": front}],
        backendAddressPools=[part["backendAddressPools"]],
        loadBalancingRules=[{"name": "all", "properties": rule}],
    )
    for name in members:
        vm = b.get("virtualMachines", name, provider="Microsoft.Compute")
        hub.machines.run(vm, ["sysctl -w net.ipv4.ip_forward=1"])
    for table in ("rt-one", "rt-other"):
        hub.route(table, "0.0.0.0/0", "10.2.1.100")


def test_a_load_balancer_delivers_both_directions_to_one_machine(hub: Hub) -> None:
    balance(hub, "nva1", "nva2")
    trace = hub.trace("one-nic", OTHER)
    assert trace.reached, trace
    assert [hop for hop in trace.hops if "forwards" in hop] == ["nva1 forwards out of eth0"] * 2


@pytest.mark.parametrize("ports", [0, 443])
def test_without_members_or_without_a_rule_for_all_ports_nothing_is_delivered(
    hub: Hub, ports: int
) -> None:
    balance(hub, *(["nva1"] if ports else []), ports=ports)
    assert hub.trace("one-nic", OTHER).reason == "hub: no interface has 10.2.1.100"


STATEFUL = ["iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP"]


def test_a_machine_that_tracks_drops_answers_that_are_invalid(hub: Hub) -> None:
    b = hub.builder
    b.nic("nva-nic", "hub", "nva", "10.2.1.4", forwarding=True)
    b.machine("nva", "nva-nic")
    vm = b.get("virtualMachines", "nva", provider="Microsoft.Compute")
    hub.machines.run(vm, ["sysctl -w net.ipv4.ip_forward=1"])
    b.peer("one", "other", forwarded=True)
    b.peer("other", "one", forwarded=True)
    hub.route("rt-other", "10.1.0.0/16", "10.2.1.4")
    assert hub.trace("one-nic", OTHER).reached, "without a rule it forwards whatever comes"
    hub.machines.run(vm, STATEFUL)
    assert hub.trace("one-nic", OTHER).reason == "nva: iptables drops it (chain FORWARD)"
    assert hub.trace("one-nic", OTHER, "udp").reached, "UDP has no first packet"
    assert hub.trace("other-nic", ONE).reached
