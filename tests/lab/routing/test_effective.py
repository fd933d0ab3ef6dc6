"""Effective routes: what is listed, and which route a destination takes."""

from __future__ import annotations

import json

import pytest

from erfailover.lab.routing.bgp import Bgp
from erfailover.lab.routing.effective_routes import (
    list_effective_routes,
    list_subnet_routes,
    select_route,
)
from erfailover.lab.routing.sessions import BgpTiming
from tests.support import worlds
from tests.support.worlds import Builder, reference

TIMING = BgpTiming()


def start_proof_of_concept() -> tuple[Builder, Bgp]:
    builder = worlds.proof_of_concept()
    bgp = worlds.routing(builder)
    builder.wait(TIMING.connect_s)
    return builder, bgp


def rows(builder: Builder, bgp: Bgp, nic: str) -> set[tuple[str, ...]]:
    """Rows as tuples: source, state, prefix, next hop type, next hop."""
    return {
        (
            row["source"],
            row["state"],
            *row["addressPrefix"],
            row["nextHopType"],
            *row["nextHopIpAddress"],
        )
        for row in list_effective_routes(bgp, builder.get("networkInterfaces", nic))
    }


def find_taken_route(
    builder: Builder, bgp: Bgp, nic: str, destination: str
) -> tuple[str, str, str]:
    """Source, prefix and next hop type of the route a destination takes."""
    record = bgp.network.nics.get(str(builder.get("networkInterfaces", nic).id).lower())
    assert record is not None
    route = select_route(list_subnet_routes(bgp, record.subnet), destination)
    assert route is not None
    return route.source, route.prefix, route.next_hop_type


def switch_to_backup(builder: Builder) -> None:
    worlds.leave_primary(builder)
    worlds.join_backup(builder)
    builder.wait(TIMING.learn_s)


def test_a_spoke_has_vnet_peering_gateway_user_and_default_routes() -> None:
    builder, bgp = start_proof_of_concept()
    gateway = builder.public_address("vng1")
    assert rows(builder, bgp, "vm1-nic") == {
        ("Default", "Active", "10.1.0.0/16", "VnetLocal"),
        ("Default", "Active", "10.2.0.0/16", "VNetPeering"),
        ("VirtualNetworkGateway", "Active", "10.4.0.254/32", "VirtualNetworkGateway", gateway),
        ("VirtualNetworkGateway", "Active", "10.3.0.0/16", "VirtualNetworkGateway", gateway),
        ("VirtualNetworkGateway", "Active", "10.4.0.0/16", "VirtualNetworkGateway", gateway),
        ("VirtualNetworkGateway", "Active", "10.5.0.0/16", "VirtualNetworkGateway", gateway),
        ("Default", "Active", "0.0.0.0/0", "Internet"),
        ("Default", "Active", "10.0.0.0/8", "None"),
        ("Default", "Active", "172.16.0.0/12", "None"),
        ("Default", "Active", "192.168.0.0/16", "None"),
        ("Default", "Active", "100.64.0.0/10", "None"),
        ("User", "Active", "8.8.4.4/32", "VirtualAppliance", "10.2.2.4"),
    }


def test_every_row_has_the_keys_that_are_always_there() -> None:
    builder, bgp = start_proof_of_concept()
    nic = builder.get("networkInterfaces", "vm1-nic")
    for row in list_effective_routes(bgp, nic):
        always = {"addressPrefix", "nextHopIpAddress", "nextHopType", "source", "state"}
        assert always <= set(json.loads(json.dumps(row)))


def test_a_peering_wins_over_the_same_prefix_learned_by_the_gateway() -> None:
    builder, bgp = start_proof_of_concept()
    switch_to_backup(builder)
    names = {row for row in rows(builder, bgp, "vm1-nic") if row[2] == "10.2.0.0/16"}
    assert {row[:2] for row in names} == {
        ("Default", "Active"),
        ("VirtualNetworkGateway", "Invalid"),
    }
    assert find_taken_route(builder, bgp, "vm1-nic", "10.2.2.4") == (
        "Default",
        "10.2.0.0/16",
        "VNetPeering",
    )


def test_a_peering_wins_over_a_more_specific_prefix_learned_by_the_gateway() -> None:
    builder, bgp = start_proof_of_concept()
    builder.patch(
        "localNetworkGateways",
        "lng1",
        localNetworkAddressSpace={"addressPrefixes": ["10.2.2.0/24", "10.1.0.128/25"]},
    )
    assert find_taken_route(builder, bgp, "vm1-nic", "10.2.2.4")[2] == "VNetPeering"
    assert find_taken_route(builder, bgp, "vm1-nic", "10.1.0.200")[2] == "VnetLocal"


def test_what_a_gateway_originates_and_learns_too_is_not_beyond_its_tunnels() -> None:
    """RFC 4271 (9.1.2.2 and 3.2): only the selected route is used; a gateway's own is selected.

    Found by running both planes: BIRD never installs what it originates itself.
    """
    builder, bgp = start_proof_of_concept()
    builder.local_gateway("x", "203.0.113.9", 65099, "192.168.9.9", "10.5.0.0/16")
    builder.connection("vng1-to-x", "vng1", "x")
    learned = bgp.list_learned_routes(builder.get("virtualNetworkGateways", "vng3"))
    origins = {row["origin"] for row in learned if row["network"] == "10.5.0.0/16"}
    assert origins == {"Network", "EBgp"}
    gateway_rows = {row[2] for row in rows(builder, bgp, "vm2-nic") if row[0] != "Default"}
    assert gateway_rows == {
        "10.1.0.0/16",
        "10.2.0.0/16",
        "10.2.0.254/32",
        "10.3.0.0/16",
        "10.3.0.254/32",
    }


def test_without_the_peering_the_gateways_route_to_the_same_prefix_is_taken() -> None:
    builder, bgp = start_proof_of_concept()
    switch_to_backup(builder)
    builder.delete(worlds.PEERINGS, "vnet1", "vnet1-to-vnet2")
    assert find_taken_route(builder, bgp, "vm1-nic", "10.2.2.4") == (
        "VirtualNetworkGateway",
        "10.2.0.0/16",
        "VirtualNetworkGateway",
    )


@pytest.mark.parametrize(
    ("prefix", "destination", "expected"),
    [
        pytest.param("10.5.0.0/16", "10.5.0.4", "User", id="equal to a gateway's"),
        pytest.param("10.2.0.0/16", "10.2.2.4", "User", id="equal to a peering's"),
        pytest.param("10.1.0.0/16", "10.1.0.9", "User", id="equal to the VNet's"),
        pytest.param("0.0.0.0/0", "8.8.8.8", "User", id="equal to the default"),
        pytest.param("10.0.0.0/8", "10.5.0.4", "VirtualNetworkGateway", id="shorter"),
        pytest.param("10.5.0.0/24", "10.5.0.4", "User", id="longer"),
    ],
)
def test_a_user_defined_route_wins_unless_another_is_longer(
    prefix: str, destination: str, expected: str
) -> None:
    builder, bgp = start_proof_of_concept()
    builder.put("routeTables/routes", "rt1", "r", addressPrefix=prefix, nextHopType="None")
    assert find_taken_route(builder, bgp, "vm1-nic", destination)[0] == expected


def test_an_overridden_system_route_is_listed_as_invalid() -> None:
    builder, bgp = start_proof_of_concept()
    builder.put("routeTables/routes", "rt1", "r", addressPrefix="0.0.0.0/0", nextHopType="None")
    names = {row[:4] for row in rows(builder, bgp, "vm1-nic") if row[2] == "0.0.0.0/0"}
    assert names == {
        ("Default", "Invalid", "0.0.0.0/0", "Internet"),
        ("User", "Active", "0.0.0.0/0", "None"),
    }


def test_a_route_table_can_keep_the_gateways_routes_out() -> None:
    builder, bgp = start_proof_of_concept()
    builder.put("routeTables", "rt1", disableBgpRoutePropagation=True)
    assert not any(row[0] == "VirtualNetworkGateway" for row in rows(builder, bgp, "vm1-nic"))


def test_a_spoke_without_remote_gateways_has_no_gateway_routes() -> None:
    builder, bgp = start_proof_of_concept()
    worlds.leave_primary(builder)
    assert not any(row[0] == "VirtualNetworkGateway" for row in rows(builder, bgp, "vm1-nic"))


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b.peer("vnet1", "vnet2", access=False),
        lambda b: b.delete(worlds.PEERINGS, "vnet2", "vnet2-to-vnet1"),
        lambda b: b.delete("virtualNetworks", "vnet2"),
    ],
)
def test_a_peering_gives_routes_only_while_connected_and_allowed(change: object) -> None:
    builder, bgp = start_proof_of_concept()
    change(builder)  # type: ignore[operator]
    assert not any(row[3] == "VNetPeering" for row in rows(builder, bgp, "vm1-nic"))


def test_private_space_has_no_next_hop_unless_the_vnet_covers_it() -> None:
    builder, bgp = start_proof_of_concept()
    assert find_taken_route(builder, bgp, "vm1-nic", "10.77.0.1") == (
        "Default",
        "10.0.0.0/8",
        "None",
    )
    builder.vnet("wide", "10.0.0.0/8")
    builder.subnet("wide", "s", "10.9.0.0/24", routeTable=reference("routeTables", "none"))
    builder.nic("wide-nic", "wide", "s", "10.9.0.4")
    assert {row[3] for row in rows(builder, bgp, "wide-nic") if row[2] == "10.0.0.0/8"} == {
        "VnetLocal"
    }


def test_a_hub_routes_to_its_own_gateways_remote_prefixes() -> None:
    builder, bgp = start_proof_of_concept()
    names = {row[2] for row in rows(builder, bgp, "vm3-nic1") if row[0] != "Default"}
    assert names == {"10.4.0.254/32", "10.3.0.0/16", "10.4.0.0/16", "10.5.0.0/16"}
