"""BGP of the lab: the observed tables, sessions over time, and how large a world may be."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from erfailover.lab.routing.bgp import Bgp
from erfailover.lab.routing.bgp_rows import format_duration
from erfailover.lab.routing.sessions import BgpTiming
from tests.support import worlds
from tests.support.worlds import Builder

OBSERVED = {
    observation["name"]: observation
    for observation in json.loads(
        (Path(__file__).parents[1] / "observed_bgp.json").read_text(encoding="utf-8")
    )["observations"]
}
TIMING = BgpTiming()

PEER_FIELDS = {
    "neighbor": "neighbor",
    "local_address": "localAddress",
    "asn": "asn",
    "state": "state",
    "routes_received": "routesReceived",
}
ROUTE_FIELDS = {
    "network": "network",
    "next_hop": "nextHop",
    "local_address": "localAddress",
    "weight": "weight",
    "source_peer": "sourcePeer",
    "origin": "origin",
    "as_path": "asPath",
}


def start_proof_of_concept() -> tuple[Builder, Bgp]:
    """The proof of concept with every session up."""
    builder = worlds.proof_of_concept()
    bgp = worlds.routing(builder)
    builder.wait(TIMING.connect_s)
    return builder, bgp


def reach_state(name: str) -> tuple[Builder, Bgp]:
    """The world in the state of an observation, reached as the proof of concept did."""
    builder, bgp = start_proof_of_concept()
    if name == "vng1-healthy":
        return builder, bgp
    worlds.expressroute_fails(builder)
    builder.wait(TIMING.hold_s)
    if name == "vng2-after-switch":
        worlds.leave_primary(builder)
        worlds.join_backup(builder)
        builder.wait(TIMING.learn_s)
    return builder, bgp


def to_observed_rows(rows: list[dict[str, Any]], fields: dict[str, str]) -> set[tuple[Any, ...]]:
    """Wire rows as a set, an absent or empty value being None."""
    return {
        tuple(row.get(wire) or _zero(row.get(wire)) for wire in fields.values()) for row in rows
    }


def _zero(value: Any) -> Any:
    return 0 if value == 0 and value is not False and value != "" else None


def routes(builder: Builder, bgp: Bgp, gateway: str) -> list[dict[str, Any]]:
    return bgp.list_learned_routes(builder.get("virtualNetworkGateways", gateway))


def peers(builder: Builder, bgp: Bgp, gateway: str) -> list[dict[str, Any]]:
    return bgp.list_peers(builder.get("virtualNetworkGateways", gateway))


def heard(builder: Builder, bgp: Bgp, gateway: str) -> dict[str, str]:
    return {
        row["network"]: row["asPath"]
        for row in routes(builder, bgp, gateway)
        if row["origin"] == "EBgp"
    }


def read_originated_networks(builder: Builder, bgp: Bgp, gateway: str) -> set[str]:
    return {row["network"] for row in routes(builder, bgp, gateway) if row["origin"] == "Network"}


@pytest.mark.parametrize("name", sorted(OBSERVED))
def test_an_observed_table_comes_out_exactly(name: str) -> None:
    observation = OBSERVED[name]
    builder, bgp = reach_state(name)
    rows = routes(builder, bgp, observation["gateway"])
    assert len(rows) == len(observation["routes"])
    assert to_observed_rows(rows, ROUTE_FIELDS) == {
        tuple(row[field] for field in ROUTE_FIELDS) for row in observation["routes"]
    }


@pytest.mark.parametrize("name", sorted(OBSERVED))
def test_the_observed_peers_come_out_exactly(name: str) -> None:
    observation = OBSERVED[name]
    builder, bgp = reach_state(name)
    rows = peers(builder, bgp, observation["gateway"])
    assert to_observed_rows(rows, PEER_FIELDS) == {
        tuple(row[field] for field in PEER_FIELDS) for row in observation["peers"]
    }
    for row, observed_row in zip(rows, observation["peers"], strict=True):
        assert ("connectedDuration" in row) == (observed_row["connected_duration"] is not None)
        assert (row["messagesSent"] > 0) == (observed_row["messages_sent"] > 0)


def test_the_healthy_backup_learns_the_spoke_from_the_far_end() -> None:
    builder, bgp = start_proof_of_concept()
    assert heard(builder, bgp, "vng2") == {
        "10.1.0.0/16": "65020-65000",
        "10.2.0.0/16": "65020",
        "10.4.0.0/16": "65020",
        "10.5.0.0/16": "65020",
    }
    assert peers(builder, bgp, "vng2")[0]["routesReceived"] == 4


def test_a_session_is_connecting_until_the_connect_time_has_passed() -> None:
    builder = worlds.proof_of_concept()
    bgp = worlds.routing(builder)
    builder.wait(TIMING.connect_s - 0.1)
    assert {row["state"] for row in peers(builder, bgp, "vng3")} == {"Connecting"}
    assert heard(builder, bgp, "vng3") == {}
    builder.wait(0.1)
    assert {row["state"] for row in peers(builder, bgp, "vng3")} == {"Connected"}


def test_a_changed_end_notices_at_once_and_its_far_end_after_the_hold_time() -> None:
    builder, bgp = start_proof_of_concept()
    builder.wait(100)
    worlds.expressroute_fails(builder)
    assert [(row["neighbor"], row["state"]) for row in peers(builder, bgp, "vng1")] == [
        ("10.4.0.253", "Connecting")
    ]
    builder.wait(TIMING.hold_s - 0.1)
    far = {row["neighbor"]: row for row in peers(builder, bgp, "vng3")}
    assert far["10.2.0.254"]["state"] == "Connected"
    assert heard(builder, bgp, "vng3")["10.1.0.0/16"] == "65000"
    assert "10.1.0.0/16" in heard(builder, bgp, "vng2")
    builder.wait(0.1)
    far = {row["neighbor"]: row for row in peers(builder, bgp, "vng3")}
    assert far["10.2.0.254"]["state"] == "Connecting"
    assert "connectedDuration" not in far["10.2.0.254"]
    assert "10.1.0.0/16" not in heard(builder, bgp, "vng3")
    assert "10.1.0.0/16" not in heard(builder, bgp, "vng2")


def test_a_silent_session_keeps_the_routes_it_heard_last() -> None:
    builder, bgp = start_proof_of_concept()
    worlds.expressroute_fails(builder)
    builder.vnet("vnet2", "10.2.0.0/16", "10.22.0.0/16")
    assert "10.22.0.0/16" in read_originated_networks(builder, bgp, "vng1")
    assert "10.22.0.0/16" not in heard(builder, bgp, "vng3")


def test_a_repaired_session_starts_anew_and_forgets_the_silence() -> None:
    builder, bgp = start_proof_of_concept()
    worlds.expressroute_fails(builder)
    builder.wait(60)
    worlds.expressroute_is_repaired(builder)
    builder.wait(TIMING.connect_s)
    builder.wait(TIMING.hold_s)
    assert peers(builder, bgp, "vng1")[0]["connectedDuration"] == "00:03:00"
    far = {row["neighbor"]: row for row in peers(builder, bgp, "vng3")}
    assert far["10.2.0.254"]["connectedDuration"] == "00:03:00"


def test_a_short_break_of_the_tunnel_leaves_the_session_as_it_was() -> None:
    builder, bgp = start_proof_of_concept()
    builder.connection("vng1-to-vng3", "vng1", "lng1", "wrong")
    builder.wait(TIMING.hold_s - 1)
    builder.connection("vng1-to-vng3", "vng1", "lng1", "one")
    builder.wait(1)
    assert peers(builder, bgp, "vng1")[0]["connectedDuration"] == "00:03:00"
    builder.wait(TIMING.hold_s)
    assert peers(builder, bgp, "vng1")[0]["state"] == "Connected"


def test_both_ends_lose_a_session_whose_shared_keys_differ() -> None:
    builder, bgp = start_proof_of_concept()
    builder.connection("vng1-to-vng3", "vng1", "lng1", "wrong")
    connection = builder.get("connections", "vng1-to-vng3")
    assert bgp.get_connection_status(connection) == "NotConnected"
    assert peers(builder, bgp, "vng1")[0]["state"] == "Connected"
    builder.wait(TIMING.hold_s)
    assert peers(builder, bgp, "vng1")[0]["state"] == "Connecting"
    assert heard(builder, bgp, "vng1") == {}


@pytest.mark.parametrize(
    "break_it",
    [
        pytest.param({"bgpSettings": {"asn": 65021, "bgpPeeringAddress": "10.4.0.254"}}, id="asn"),
        pytest.param({"gatewayIpAddress": "20.1.1.1"}, id="public address"),
    ],
)
def test_a_session_needs_both_ends_to_agree(break_it: dict[str, Any]) -> None:
    builder = worlds.proof_of_concept()
    builder.patch("localNetworkGateways", "lng1", **break_it)
    bgp = worlds.routing(builder)
    builder.wait(3600)
    assert [row["state"] for row in peers(builder, bgp, "vng1")] == ["Connecting"]
    states = {row["neighbor"]: row["state"] for row in peers(builder, bgp, "vng3")}
    assert states == {"10.2.0.254": "Connecting", "10.3.0.254": "Connected"}


def test_a_deleted_connection_leaves_its_own_list_at_once_and_the_far_one_later() -> None:
    builder, bgp = start_proof_of_concept()
    builder.delete("connections", "vng1-to-vng3")
    assert peers(builder, bgp, "vng1") == []
    assert read_originated_networks(builder, bgp, "vng1") == {"10.1.0.0/16", "10.2.0.0/16"}
    builder.wait(TIMING.hold_s - 1)
    assert "10.1.0.0/16" in heard(builder, bgp, "vng3")
    builder.wait(1)
    assert "10.1.0.0/16" not in heard(builder, bgp, "vng3")


def test_a_change_of_peerings_shows_after_the_learn_time() -> None:
    builder, bgp = start_proof_of_concept()
    worlds.leave_primary(builder)
    worlds.join_backup(builder)
    builder.wait(TIMING.learn_s - 0.1)
    assert "10.1.0.0/16" in read_originated_networks(builder, bgp, "vng1")
    assert "10.1.0.0/16" not in read_originated_networks(builder, bgp, "vng2")
    builder.wait(0.1)
    assert "10.1.0.0/16" not in read_originated_networks(builder, bgp, "vng1")
    assert "10.1.0.0/16" in read_originated_networks(builder, bgp, "vng2")
    assert heard(builder, bgp, "vng1")["10.1.0.0/16"] == "65020-65010"


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b.peer("vnet1", "vnet2"),
        lambda b: b.peer("vnet2", "vnet1"),
        lambda b: b.peer("vnet2", "vnet1", access=False, transit=True),
        lambda b: b.delete(worlds.PEERINGS, "vnet1", "vnet1-to-vnet2"),
        lambda b: b.delete("virtualNetworks", "vnet1"),
    ],
)
def test_a_gateway_originates_a_spoke_only_while_both_sides_let_it(change: Any) -> None:
    builder, bgp = start_proof_of_concept()
    change(builder)
    builder.wait(TIMING.learn_s)
    assert "10.1.0.0/16" not in read_originated_networks(builder, bgp, "vng1")


def test_advertised_routes_are_what_the_peer_hears() -> None:
    builder, bgp = start_proof_of_concept()
    rows = bgp.list_advertised_routes(builder.get("virtualNetworkGateways", "vng3"), "10.2.0.254")
    assert {row["network"] for row in rows} == set(heard(builder, bgp, "vng1"))
    assert {(row["origin"], row["weight"]) for row in rows} == {("Igp", 0)}
    assert not any(row["network"].endswith("/32") for row in rows)


def test_a_gateway_without_bgp_has_no_peers_and_static_routes_without_a_local_address() -> None:
    builder = worlds.proof_of_concept()
    builder.patch("virtualNetworkGateways", "vng1", enableBgp=False)
    bgp = worlds.routing(builder)
    builder.wait(60)
    assert peers(builder, bgp, "vng1") == []
    far = builder.public_address("vng3")
    assert routes(builder, bgp, "vng1") == [
        {
            "localAddress": "",
            "network": "10.4.0.0/16",
            "nextHop": far,
            "sourcePeer": far,
            "origin": "Network",
            "asPath": "",
            "weight": 0,
        }
    ]
    assert bgp.get_connection_status(builder.get("connections", "vng1-to-vng3")) == "Connected"


def test_the_twin_of_an_active_active_gateway_hears_by_ibgp() -> None:
    builder = Builder()
    for number in (1, 2):
        builder.vnet(f"vnet{number}", f"10.{number}.0.0/16")
        builder.subnet(f"vnet{number}", "GatewaySubnet", f"10.{number}.0.0/24")
    builder.gateway("twins", "vnet1", 65001, "10.1.0.4", "10.1.0.5")
    builder.gateway("single", "vnet2", 65002, "10.2.0.254")
    builder.local_gateway("far", builder.public_address("single"), 65002, "10.2.0.254")
    builder.connection("there", "twins", "far")
    builder.local_gateway("near", builder.public_address("twins"), 65001, "10.1.0.4")
    builder.connection("back", "single", "near")
    bgp = worlds.routing(builder)
    builder.wait(60)
    rows = {
        (row["localAddress"], row["network"], row["sourcePeer"], row["origin"], row["asPath"])
        for row in routes(builder, bgp, "twins")
        if row["origin"] != "Network"
    }
    assert rows == {
        ("10.1.0.4", "10.2.0.0/16", "10.2.0.254", "EBgp", "65002"),
        ("10.1.0.5", "10.2.0.0/16", "10.1.0.4", "IBgp", "65002"),
    }
    assert [
        (row["localAddress"], row["neighbor"], row["state"], row["routesReceived"])
        for row in peers(builder, bgp, "twins")
    ] == [
        ("10.1.0.4", "10.2.0.254", "Connected", 1),
        ("10.1.0.5", "10.2.0.254", "Connecting", 0),
        ("10.1.0.4", "10.1.0.4", "Unknown", 0),
        ("10.1.0.4", "10.1.0.5", "Connected", 0),
        ("10.1.0.5", "10.1.0.5", "Unknown", 0),
        ("10.1.0.5", "10.1.0.4", "Connected", 1),
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (74.8269278, "00:01:14.8269278"),
        (60, "00:01:00"),
        (3 * 86400 + 3 * 3600 + 14 * 60 + 13.1796961, "3.03:14:13.1796961"),
        (1.3437502, "00:00:01.3437502"),
    ],
)
def test_a_connected_duration_reads_as_recorded(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_of_two_connections_to_one_far_connection_only_one_has_a_session() -> None:
    builder, bgp = start_proof_of_concept()
    far = builder.public_address("vng3")
    builder.local_gateway("again", far, 65020, "10.4.0.254", "10.4.0.0/16")
    builder.connection("vng1-to-vng3-again", "vng1", "again", "one")
    builder.wait(TIMING.hold_s + TIMING.connect_s)
    states = [row["state"] for row in peers(builder, bgp, "vng1")]
    assert states == ["Connected", "Connecting"]
    assert {row["state"] for row in peers(builder, bgp, "vng3")} == {"Connected"}


def test_counters_grow_with_keepalives() -> None:
    builder, bgp = start_proof_of_concept()
    before = peers(builder, bgp, "vng1")[0]
    builder.wait(TIMING.keepalive_s * 10)
    after = peers(builder, bgp, "vng1")[0]
    assert after["messagesSent"] == before["messagesSent"] + 10
    assert after["messagesReceived"] == before["messagesReceived"] + 10


def test_reading_changes_nothing() -> None:
    builder, bgp = start_proof_of_concept()
    once = routes(builder, bgp, "vng3"), peers(builder, bgp, "vng3")
    assert (routes(builder, bgp, "vng3"), peers(builder, bgp, "vng3")) == once


def test_a_large_world_stays_cheap() -> None:
    builder = Builder()
    for n in range(2000):
        builder.vnet(f"spoke{n}", f"{20 + n // 250}.{n % 250}.0.0/16")
    for n in range(2):
        builder.vnet(f"hub{n}", f"10.{n}.0.0/16")
        builder.subnet(f"hub{n}", "GatewaySubnet", f"10.{n}.0.0/24")
        builder.gateway(f"g{n}", f"hub{n}", 65000 + n, f"10.{n}.0.254")
    worlds.link(builder, 1, "g0", "g1")
    worlds.link(builder, 2, "g1", "g0")
    for n in range(500):
        builder.peer("hub0", f"spoke{n}", transit=True)
        builder.peer(f"spoke{n}", "hub0", remote_gateways=True)
    bgp = worlds.routing(builder)
    builder.wait(TIMING.connect_s)
    began = time.perf_counter()
    rows = routes(builder, bgp, "g1")
    assert time.perf_counter() - began < 0.5
    assert len(rows) == 3 + 500 + 1
    began = time.perf_counter()
    builder.vnet("another", "30.0.0.0/16")
    assert time.perf_counter() - began < 0.5
