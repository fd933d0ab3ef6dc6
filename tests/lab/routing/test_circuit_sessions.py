"""A circuit's edge routers: their sessions with the customer edge, apart from the gateway's."""

from __future__ import annotations

from typing import Any

import pytest

from erfailover.lab.engine import customer_edges
from erfailover.lab.engine.customer_edges import SessionLoss
from erfailover.lab.routing.circuit_sessions import format_up_down
from tests.support.arm_client import Arm
from tests.support.lab_express import (
    circuit,
    connection,
    gateway,
    heard,
    hub_on_a_circuit,
    peers,
    private_peering,
    read_learned_routes,
)

PEERING = "expressRouteCircuits/c1/peerings/AzurePrivatePeering"


@pytest.fixture
def hub(arm: Arm) -> Arm:
    return hub_on_a_circuit(arm)


def summary(arm: Arm, path: str) -> list[tuple[Any, ...]]:
    reply = arm.wait(arm.call("POST", f"{PEERING}/routeTablesSummary/{path}"))
    assert reply.status == 200, reply
    names = ("neighbor", "v", "as", "upDown", "statePfxRcd")
    assert all(set(row) == set(names) for row in reply.body["value"])
    return [tuple(row[name] for name in names) for row in reply.body["value"]]


def customer(arm: Arm, path: str) -> tuple[Any, ...]:
    (row_of_customer,) = [row for row in summary(arm, path) if row[2] == 65020]
    return row_of_customer[0], *row_of_customer[3:]


def lose(arm: Arm, *paths: str, **more: Any) -> None:
    arm.lab.catch_up()
    customer_edges.lose_sessions(
        arm.lab, customer_edges.find_circuit(arm.lab, "C1"), SessionLoss(paths, **more)
    )


def test_both_edge_routers_list_the_customer_edge_and_both_instances_of_the_gateway(
    hub: Arm,
) -> None:
    rows = summary(hub, "primary")
    assert [(row[0], row[1], row[2], row[4]) for row in rows] == [
        ("10.2.0.12", 4, 65515, "2"),
        ("10.2.0.13", 4, 65515, "2"),
        ("192.168.1.1", 4, 65020, "2"),
    ]
    assert customer(hub, "secondary")[0] == "192.168.2.1"


def test_an_action_that_azure_has_and_the_lab_has_not_is_a_501(hub: Arm) -> None:
    assert hub.call("POST", f"{PEERING}/arpTables/primary").status == 501
    assert hub.call("POST", f"{PEERING}/routeTablesSummary/tertiary").status == 501


def test_a_lost_customer_edge_takes_the_routes_and_leaves_the_gateways_sessions(hub: Arm) -> None:
    before = peers(hub)
    lose(hub, "primary", "secondary")
    hub.clock.sleep(60)
    assert {row for row in read_learned_routes(hub) if row[3] == "EBgp"} == set()
    assert [row[:3] for row in peers(hub)] == [row[:3] for row in before]
    assert [row[3] for row in peers(hub)] == [0, 0]
    assert customer(hub, "primary")[2] == "Idle"
    assert customer(hub, "primary")[1].startswith("00:01:")
    assert hub.get("connections/to-c1")["properties"]["connectionStatus"] == "Connected"

    lose(hub)
    hub.clock.sleep(30)
    assert {row for row in read_learned_routes(hub) if row[3] == "EBgp"} == heard(
        "10.4.0.0/16", "10.5.0.0/16"
    )
    assert customer(hub, "primary")[2] == "2"
    gateway = next(row for row in summary(hub, "primary") if row[0] == "10.2.0.12")
    assert customer(hub, "primary")[1] < "00:02:00" < gateway[3]


def test_one_edge_router_without_the_customer_edge_leaves_the_routes_of_the_other(hub: Arm) -> None:
    lose(hub, "primary")
    hub.clock.sleep(60)
    assert {row for row in read_learned_routes(hub) if row[3] == "EBgp"} == heard(
        "10.4.0.0/16", "10.5.0.0/16", edges=("10.2.0.5",)
    )
    assert [row[2:] for row in peers(hub)] == [("Connected", 0), ("Connected", 2)]
    assert (customer(hub, "primary")[2], customer(hub, "secondary")[2]) == ("Idle", "2")


def test_a_circuit_flaps_as_often_as_it_is_told_to(hub: Arm) -> None:
    lose(hub, "primary", "secondary", seconds=30, every=60, times=3)
    states = []
    for _ in range(8):
        hub.clock.sleep(15)
        hub.lab.catch_up()
        (circuit,) = hub.lab.plane.network.circuits.all.values()
        states.append(circuit.customer_up[0])
        hub.clock.sleep(15)
    assert states == [False, True, False, True, False, True, True, True]


def test_what_is_asked_for_later_ends_what_was_asked_for_before(hub: Arm) -> None:
    lose(hub, "primary", "secondary", seconds=30, every=60, times=0)
    lose(hub)
    hub.clock.sleep(300)
    assert customer(hub, "primary")[2] == "2"
    assert customer(hub, "primary")[1] >= "00:05:00"


@pytest.mark.parametrize(
    "wrong", [{"paths": ("left",)}, {"seconds": -1.0}, {"times": 2}, {"times": 0, "seconds": 30.0}]
)
def test_a_loss_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"paths must be|0 or more|below every"):
        SessionLoss(**wrong)


def test_a_disabled_private_peering_ends_both_sessions(hub: Arm) -> None:
    private_peering(hub, "c1", "Disabled")
    hub.clock.sleep(60)
    assert customer(hub, "primary")[2] == customer(hub, "secondary")[2] == "Idle"


def test_a_session_that_never_came_up_says_never(hub: Arm) -> None:
    circuit(hub, "c2", "Dublin")
    private_peering(hub, "c2", "Disabled")
    hub.delete("expressRouteCircuits/c2/peerings/AzurePrivatePeering")
    private_peering(hub, "c2", "Disabled")
    path = "expressRouteCircuits/c2/peerings/AzurePrivatePeering/routeTablesSummary/primary"
    (row,) = hub.wait(hub.call("POST", path)).body["value"]
    assert (row["statePfxRcd"], row["as"]) == ("Idle", 65020)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (25 * 60 + 24, "00:25:24"),
        (86399, "23:59:59"),
        (26 * 3600, "1d02h"),
        (25 * 86400, "3w4d"),
        (60 * 86400, "8w4d"),
        ((365 + 161) * 86400, "1y23w"),
    ],
)
def test_durations_are_written_as_routers_print_them(seconds: float, text: str) -> None:
    assert format_up_down(seconds) == text


def test_a_vpn_gateway_lists_the_routes_of_the_expressroute_gateway_beside_it(hub: Arm) -> None:
    hub.gateway("g", "hub", bgpSettings={"asn": 65010})
    hub.clock.sleep(60)
    rows = hub.wait(hub.call("POST", "virtualNetworkGateways/g/getLearnedRoutes")).body["value"]
    routes = [row for row in rows if row["network"] == "10.5.0.0/16"]
    assert [(row["nextHop"], row["asPath"], row["weight"]) for row in routes] == [
        ("10.2.0.5", "12076-65020", 32769),
        ("10.2.0.5", "12076-65020", 32769),
    ]
    rows = hub.wait(hub.call("POST", "virtualNetworkGateways/g/getBgpPeerStatus")).body["value"]
    assert [(row["neighbor"], row["asn"], row["state"]) for row in rows] == [
        ("10.2.0.4", 12076, "Connected"),
        ("10.2.0.5", 12076, "Connected"),
    ]
    lose(hub, "primary", "secondary")
    hub.clock.sleep(60)
    rows = hub.wait(hub.call("POST", "virtualNetworkGateways/g/getLearnedRoutes")).body["value"]
    assert [row for row in rows if row["network"] == "10.5.0.0/16"] == []


def test_an_active_active_gateway_beside_an_expressroute_gateway_has_addresses_of_its_own(
    hub: Arm,
) -> None:
    properties = hub.gateway_properties("g", "hub", activeActive=True)
    for name in ("g-ip", "g-ip2"):
        hub.public_ip(name)
    (one,) = properties["ipConfigurations"]
    inner = {**one["properties"], "publicIPAddress": {"id": hub.id("publicIPAddresses/g-ip2")}}
    properties["ipConfigurations"].append({"name": "second", "properties": inner})
    body = hub.put("virtualNetworkGateways/g", properties)
    assert body["properties"]["bgpSettings"]["bgpPeeringAddress"] == "10.2.0.14,10.2.0.15"
    assert [row[0] for row in peers(hub)] == ["10.2.0.4", "10.2.0.5"]


def test_an_expressroute_gateway_made_after_an_active_active_one_keeps_off_its_addresses(
    arm: Arm,
) -> None:
    arm.vnet("hub", "10.2.0.0/16", GatewaySubnet="10.2.0.0/27")
    properties = arm.gateway_properties("g", "hub", activeActive=True)
    for name in ("g-ip", "g-ip2"):
        arm.public_ip(name)
    (one,) = properties["ipConfigurations"]
    inner = {**one["properties"], "publicIPAddress": {"id": arm.id("publicIPAddresses/g-ip2")}}
    properties["ipConfigurations"].append({"name": "second", "properties": inner})
    body = arm.put("virtualNetworkGateways/g", properties)
    assert body["properties"]["bgpSettings"]["bgpPeeringAddress"] == "10.2.0.4,10.2.0.5"
    circuit(arm, "c1", "Amsterdam", "10.5.0.0/16")
    gateway(arm)
    arm.put("connections/to-c1", connection(arm, "c1"))
    arm.clock.sleep(60)
    assert [row[0] for row in peers(arm)] == ["10.2.0.6", "10.2.0.7"]
