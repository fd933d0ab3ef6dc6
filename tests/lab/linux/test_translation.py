"""The translation of resources into namespaces, routes and rules, without any kernel."""

from __future__ import annotations

import re

import pytest

from erfailover.lab.linux.layout import from_json, to_json
from tests.support import worlds
from tests.support.layouts import (
    Translated,
    find_interface,
    get_node,
    list_chain,
    translate,
    walk,
)
from tests.support.worlds import PEERINGS, Builder, reference

APPLIANCE = "10.2.2.4"


def build_three() -> Builder:
    """Three VNets, ``a`` and ``c`` both peered with ``b``, with a machine in each."""
    b = Builder()
    for number, name in enumerate("abc", start=1):
        b.vnet(name, f"10.{number}.0.0/16")
        b.subnet(name, "sub", f"10.{number}.1.0/24")
        b.nic(f"{name}-nic", name, "sub", f"10.{number}.1.4")
        b.machine(f"vm-{name}", f"{name}-nic")
    for name in "ac":
        b.peer(name, "b")
        b.peer("b", name)
    return b


def test_a_peering_is_not_transitive() -> None:
    layout = translate(build_three())
    assert walk(layout, "vm-a", "10.2.1.4") == ["vm-a", "a", "b", "vm-b"]
    assert walk(layout, "vm-a", "10.3.1.4") == ["vm-a", "a", "lost"]


@pytest.mark.parametrize("flag", ["allowVirtualNetworkAccess", "peeringState"])
def test_a_peering_needs_both_sides(flag: str) -> None:
    b = build_three()
    b.patch(PEERINGS, "b", "b-to-a", **{flag: False})
    layout = translate(b)
    assert walk(layout, "vm-a", "10.2.1.4")[-1] == "lost"
    assert walk(layout, "vm-b", "10.1.1.4")[-1] == "lost"
    assert walk(layout, "vm-c", "10.2.1.4")[-1] == "vm-b"


def test_a_prefix_that_is_not_synchronised_is_not_reached_over_the_peering() -> None:
    b = build_three()
    b.vnet("b", "10.2.0.0/16", "172.16.0.0/24")
    b.subnet("b", "sub2", "172.16.0.0/24")
    b.nic("new-nic", "b", "sub2", "172.16.0.4")
    b.machine("vm-new", "new-nic")
    assert walk(translate(b), "vm-a", "172.16.0.4") == ["vm-a", "a", "lost"]
    b.peer("a", "b")
    assert walk(translate(b), "vm-a", "172.16.0.4") == ["vm-a", "a", "b", "vm-new"]


def test_a_spoke_reaches_the_far_side_by_its_hubs_gateway() -> None:
    layout = translate(
        worlds.proof_of_concept(), {"vng1": ["10.5.0.0/16"], "vng3": ["10.1.0.0/16"]}
    )
    way = walk(layout, "vm1", "10.5.0.4")
    # The learned route itself is BIRD's; without it the gateway has nowhere to send this.
    assert way == ["vm1", "vnet1", "vnet2", "vng1", "lost"]
    assert walk(layout, "vm1", "10.4.0.9") == [
        "vm1", "vnet1", "vnet2", "vng1", "vng3", "vnet4", "lost",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("vnet", "name", "flag"),
    [
        ("vnet1", "vnet1-to-vnet2", "useRemoteGateways"),
        ("vnet2", "vnet2-to-vnet1", "allowGatewayTransit"),
    ],
)
def test_gateway_transit_needs_both_flags(vnet: str, name: str, flag: str) -> None:
    b = worlds.proof_of_concept()
    b.patch(PEERINGS, vnet, name, **{flag: False})
    translated = Translated(b)
    layout = translated.translate()
    assert walk(layout, "vm1", "10.4.0.9") == ["vm1", "vnet1", "lost"]
    assert walk(layout, "vm1", "10.2.1.4")[-1] == "vm3"
    assert "10.1.0.0/16" not in get_node(layout, "vng1").bird
    gateway = get_node(layout, "vng1")
    assert not any(route.prefix == "10.1.0.0/16" for route in gateway.routes)


def test_forwarded_traffic_is_dropped_at_the_receiving_side_unless_it_allows_it() -> None:
    b = build_three()
    rules = list_chain(get_node(translate(b), "b"), "forwarding")
    entrance = find_interface(translate(b), "b", "a")
    assert (
        f'iifname {{ "{entrance}" }} ip saddr != {{ 10.1.0.0/16 }} ct direction original drop'
        in rules
    )
    assert (
        f'iifname {{ "{entrance}" }} ip saddr != {{ 10.1.0.0/16 }} ct state invalid drop' in rules
    )
    b.patch(PEERINGS, "b", "b-to-a", allowForwardedTraffic=True)
    layout = translate(b)
    assert not any(
        f'"{entrance}"' in rule and "10.1.0.0/16" in rule
        for rule in list_chain(get_node(layout, "b"), "forwarding")
    )


def route_to_appliance(b: Builder, prefix: str = "0.0.0.0/0", hop: str = APPLIANCE) -> None:
    b.put("routeTables", "rt")
    b.put(
        "routeTables/routes",
        "rt",
        "r",
        addressPrefix=prefix,
        nextHopType="VirtualAppliance",
        nextHopIpAddress=hop,
    )
    b.patch("virtualNetworks/subnets", "a", "sub", routeTable=reference("routeTables", "rt"))


def test_a_user_defined_route_leads_to_an_appliance_in_a_peered_vnet() -> None:
    b = build_three()
    b.nic("appliance-nic", "b", "sub", APPLIANCE, forwarding=True)
    b.machine("appliance", "appliance-nic")
    route_to_appliance(b)
    layout = translate(b)
    assert walk(layout, "vm-a", "8.8.8.8") == ["vm-a", "a", "b", "appliance"]
    assert walk(layout, "vm-a", "10.3.1.4") == ["vm-a", "a", "b", "appliance"]
    assert walk(layout, "vm-a", "10.2.1.4") == ["vm-a", "a", "b", "vm-b"]
    stopped = translate(b, None, "appliance")
    assert walk(stopped, "vm-a", "8.8.8.8") == ["vm-a", "a", "lost"]


def test_an_appliance_that_is_two_peerings_away_is_not_a_next_hop() -> None:
    b = build_three()
    b.nic("appliance-nic", "c", "sub", "10.3.1.9", forwarding=True)
    b.machine("appliance", "appliance-nic")
    route_to_appliance(b, hop="10.3.1.9")
    assert walk(translate(b), "vm-a", "8.8.8.8") == ["vm-a", "a", "lost"]


def test_a_route_to_a_host_of_the_own_vnet_beats_its_local_route() -> None:
    b = build_three()
    b.nic("appliance-nic", "a", "sub", "10.1.1.9", forwarding=True)
    b.machine("appliance", "appliance-nic")
    b.nic("other-nic", "a", "sub", "10.1.1.8")
    b.machine("other", "other-nic")
    assert walk(translate(b), "vm-a", "10.1.1.8") == ["vm-a", "a", "other"]
    route_to_appliance(b, "10.1.0.0/16", "10.1.1.9")
    assert walk(translate(b), "vm-a", "10.1.1.8") == ["vm-a", "a", "appliance"]


def test_a_route_of_one_host_to_its_own_vnet_leads_to_the_host() -> None:
    """Found by running both planes; documented: the hop type *Virtual network* of a route."""
    b = build_three()
    b.nic("other-nic", "a", "sub", "10.1.1.8")
    b.machine("other", "other-nic")
    route_to_appliance(b, "10.1.0.0/16", "10.1.1.9")
    b.put("routeTables/routes", "rt", "own", addressPrefix="10.1.1.8/32", nextHopType="VnetLocal")
    layout = translate(b)
    assert walk(layout, "vm-a", "10.1.1.8") == ["vm-a", "a", "other"]
    for node in layout.nodes:
        keys = [(route.table, route.prefix, route.metric) for route in node.routes]
        assert len(keys) == len(set(keys))


def build_group(b: Builder, *rules: tuple[int, str, str]) -> None:
    b.put("networkSecurityGroups", "g")
    for priority, access, source in rules:
        b.put(
            "networkSecurityGroups/securityRules",
            "g",
            f"rule{priority}",
            direction="Inbound",
            access=access,
            priority=priority,
            protocol="*",
            sourceAddressPrefix=source,
            destinationAddressPrefix="*",
            sourcePortRange="*",
            destinationPortRange="*",
        )


def test_security_rules_stand_in_the_order_of_their_priority_before_the_default_ones() -> None:
    b = build_three()
    build_group(b, (300, "Deny", "10.3.0.0/16"), (200, "Allow", "10.3.1.4"))
    b.patch(
        "networkInterfaces", "b-nic", networkSecurityGroup=reference("networkSecurityGroups", "g")
    )
    layout = translate(b)
    node, near = get_node(layout, "b"), find_interface(layout, "b", "vm-b")
    (jump,) = (rule for rule in list_chain(node, f"{near}_in") if rule.startswith("jump "))
    rules = list_chain(node, jump.removeprefix("jump "))
    assert rules[:2] == ["ip saddr { 10.3.1.4 } return", "ip saddr { 10.3.0.0/16 } drop"]
    assert rules[-1] == "drop"
    assert f'oifname "{near}" jump {near}_in' in list_chain(node, "forwarding")


def test_an_answer_passes_only_the_interfaces_that_its_request_passed() -> None:
    b = build_three()
    build_group(b)
    for name in "ab":
        group = reference("networkSecurityGroups", "g")
        b.patch("networkInterfaces", f"{name}-nic", networkSecurityGroup=group)
    b.nic("second-nic", "a", "sub", "10.1.1.5", networkSecurityGroup=group)
    b.machine("second", "second-nic")
    layout = translate(b)
    marks = set()
    for machine in ("vm-a", "second"):
        near = find_interface(layout, "a", machine)
        for direction in ("in", "out"):
            first, *_, last = list_chain(get_node(layout, "a"), f"{near}_{direction}")
            mark = first.removesuffix(" return").rpartition(" ")[2]
            assert first == f"ct direction reply ct mark & {mark} == {mark} return"
            assert last == f"ct direction original ct mark set ct mark | {mark}"
            marks.add((machine, mark))
    assert len(marks) == len({mark for _, mark in marks}) == 2


def test_the_gateway_subnets_route_leads_what_the_gateway_delivers_to_an_appliance() -> None:
    b = worlds.proof_of_concept()
    assert walk(translate(b), "vm2", "10.2.1.4")[-3:] == ["vng1", "vnet2", "vm3"]
    b.put("routeTables", "gw")
    b.put(
        "routeTables/routes",
        "gw",
        "r",
        addressPrefix="10.1.0.0/16",
        nextHopType="VirtualAppliance",
        nextHopIpAddress="10.2.2.4",
    )
    b.patch(
        "virtualNetworks/subnets",
        "vnet2",
        "GatewaySubnet",
        routeTable=reference("routeTables", "gw"),
    )
    layout = translate(b)
    gateway = find_interface(layout, "vnet2", "vng1")
    (rule,) = (each for each in get_node(layout, "vnet2").rules if each.interface == gateway)
    routes = {r.prefix: r.device for r in get_node(layout, "vnet2").routes if r.table == rule.table}
    links = {
        end.interface.name
        for link in layout.links
        if link.name == "vm3-nic2"
        for end in link.ends
        if end.node == "vnet2"
    }
    assert {routes["10.1.0.0/16"]} == links
    assert routes["10.2.1.4/32"] == find_interface(layout, "vnet2", "vm3")
    assert walk(layout, "vm2", "10.2.1.4")[-3:] == ["vng1", "vnet2", "vm3"]


def build_active_active() -> Builder:
    """A gateway with two instances, and one with one that is connected to both, without BGP."""
    b = Builder()
    for number, name in enumerate("ab", start=1):
        b.vnet(name, f"10.{number}.0.0/16")
        b.subnet(name, "GatewaySubnet", f"10.{number}.0.0/24")
        b.subnet(name, "sub", f"10.{number}.1.0/24")
        b.nic(f"{name}-nic", name, "sub", f"10.{number}.1.4")
        b.machine(f"vm-{name}", f"{name}-nic")
    b.gateway("vng-a", "a", 65001, "10.1.0.4", "10.1.0.5", bgp=False)
    b.gateway("vng-b", "b", 65002, "10.2.0.254", bgp=False)
    b.local_gateway("to-b", b.public_address("vng-b"), 65002, "10.2.0.254", "10.2.0.0/16")
    b.connection("a-b", "vng-a", "to-b", bgp=False)
    for number in (1, 2):
        public = b.public_address("vng-a", number)
        b.local_gateway(f"to-a{number}", public, 65001, f"10.1.0.{3 + number}", "10.1.0.0/16")
        b.connection(f"b-a{number}", "vng-b", f"to-a{number}", bgp=False)
    return b


def test_an_active_active_gateway_is_two_nodes_with_a_tunnel_each() -> None:
    layout = translate(build_active_active())
    assert walk(layout, "vm-a", "10.2.1.4") == ["vm-a", "a", "vng-a-0", "vng-b", "b", "vm-b"]
    assert walk(layout, "vm-b", "10.1.1.4") == ["vm-b", "b", "vng-b", "vng-a-0", "a", "vm-a"]
    assert [len(get_node(layout, f"vng-a-{n}").tunnels) for n in (0, 1)] == [1, 1]


def test_with_one_tunnel_the_vnet_and_the_twin_use_the_instance_that_has_it() -> None:
    b = build_active_active()
    b.delete("connections", "b-a1")
    layout = translate(b)
    assert walk(layout, "vm-a", "10.2.1.4") == ["vm-a", "a", "vng-a-1", "vng-b", "b", "vm-b"]
    twin = [route for route in get_node(layout, "vng-a-0").routes if route.device == "twin"]
    assert ("10.2.0.0/16", "10.1.0.5") in {(route.prefix, route.via) for route in twin}


def test_a_bgp_session_does_not_use_the_tunnel_of_the_twin() -> None:
    """Found by running both planes: with a wrong key at one instance its session came up all the
    same, through the twin's tunnel to the same peer.
    """
    b = build_active_active()
    for name in ("vng-a", "vng-b"):
        b.patch("virtualNetworkGateways", name, enableBgp=True)
    for name in ("a-b", "b-a1", "b-a2"):
        b.patch("connections", name, enableBgp=True)
    b.get("connections", "b-a1").hidden["sharedKey"] = "another"
    routes = get_node(translate(b), "vng-a-0").routes
    peer = sorted((r.metric, r.kind, r.device) for r in routes if r.prefix == "10.2.0.254/32")
    assert [kind for _, kind, _ in peer] == ["unicast", "blackhole"]
    assert peer[0][2].startswith("tunnel")
    assert "twin" in {route.device for route in routes if route.prefix == "10.2.0.0/16"}


def test_the_instances_of_a_gateway_speak_over_a_link_of_their_own() -> None:
    b = build_active_active()
    b.patch("virtualNetworkGateways", "vng-a", enableBgp=True)
    layout = translate(b)
    assert find_interface(layout, "vng-a-0", "vng-a-1") == "twin"
    assert 'route 10.1.0.5/32 via "twin";' in get_node(layout, "vng-a-0").bird
    (link,) = (link for link in layout.links if link.name == "vng-a-twins")
    near, far = link.ends
    assert near.interface.neighbors["10.1.0.5"] == far.interface.mac
    assert far.interface.neighbors["10.1.0.4"] == near.interface.mac


def test_a_prefix_of_a_local_network_gateway_is_withheld_from_its_own_connection() -> None:
    b = worlds.proof_of_concept()
    bird = get_node(translate(b), "vng3").bird
    held_back = [line for line in bird.splitlines() if "then reject; accept;" in line]
    assert [re.findall(r"net ~ \[ (.*?) \]", line) for line in held_back] == [
        ["10.2.0.0/16"],
        ["10.3.0.0/16"],
    ]


def test_a_prefix_whose_tunnel_is_down_goes_nowhere_whatever_bgp_says() -> None:
    layout = translate(worlds.proof_of_concept())
    routes = [r for r in get_node(layout, "vng1").routes if r.prefix == "10.4.0.0/16"]
    assert [route.kind for route in sorted(routes, key=lambda r: r.metric)] == [
        "unicast",
        "blackhole",
    ]
    assert max(route.metric for route in routes) < 100  # BIRD's


def test_only_the_address_of_the_very_interface_leaves_for_the_internet() -> None:
    b = worlds.proof_of_concept()
    layout = translate(b)
    near = [
        end.interface.name
        for link in layout.links
        if link.name == "vm3-nic1"
        for end in link.ends
        if end.node == "vnet2"
    ]
    rules = list_chain(get_node(layout, "vnet2"), "forwarding")
    assert f'oifname "internet" iifname . ip saddr != {{ "{near[0]}" . 10.2.1.4 }} drop' in rules


def test_names_stay_the_same_as_long_as_a_resource_exists() -> None:
    b = worlds.proof_of_concept()
    translated = Translated(b)
    before = translated.translate()
    b.vnet("a-new-one", "10.99.0.0/16")
    b.delete(PEERINGS, "vnet1", "vnet1-to-vnet2")
    after = translated.translate()
    assert {node.name for node in after.nodes} == {node.name for node in before.nodes} | {
        "a-new-one"
    }
    kept = {link.name: link for link in after.links}
    for link in before.links:
        if link.name in kept:
            assert kept[link.name] == link
    b.peer("vnet1", "vnet2", forwarded=True, remote_gateways=True)
    again = {link.name: link for link in translated.translate().links}
    assert all(again[link.name] == link for link in before.links)


def test_a_route_of_the_local_table_has_no_next_hop() -> None:
    """The kernel takes none there: by the route of everything, every next hop is local."""
    layout = translate(worlds.proof_of_concept())
    node = get_node(layout, "internet")
    assert {route.via for route in node.routes} == {""}
    for link in layout.links:
        for end, far in (link.ends, link.ends[::-1]):
            for route in node.routes if end.node == "internet" else ():
                if route.device == end.interface.name:
                    address = route.prefix.removesuffix("/32")
                    assert end.interface.neighbors[address] == far.interface.mac


def test_a_layout_survives_json() -> None:
    layout = translate(worlds.proof_of_concept())
    assert from_json(to_json(layout)) == layout
