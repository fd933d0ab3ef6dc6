"""An active-active gateway over HTTPS: two instances, two public addresses, IBgp between them."""

from __future__ import annotations

from typing import Any

import pytest

from erfailover.lab.engine.faults import Fault, FaultKind
from tests.support.arm_client import Arm
from tests.support.lab_gateways import connect


@pytest.fixture
def twins(arm: Arm) -> Arm:
    """``twins`` in the hub with two instances, ``single`` beyond, a tunnel to each instance."""
    arm.vnet("hub", "10.2.0.0/16", GatewaySubnet="10.2.0.0/24")
    arm.vnet("far", "10.4.0.0/16", GatewaySubnet="10.4.0.0/24")
    arm.public_ip("twins-ip2")
    properties = arm.gateway_properties("twins", "hub", activeActive=True)
    (first,) = properties["ipConfigurations"]
    second: Any = {"name": "second", "properties": dict(first["properties"])}
    second["properties"]["publicIPAddress"] = {"id": arm.id("publicIPAddresses/twins-ip2")}
    arm.gateway("twins", "hub", **{**properties, "ipConfigurations": [first, second]})
    arm.gateway("single", "far", bgpSettings={"asn": 65020})
    connect(arm, "there", "twins", "single-ip", ("10.9.0.0/16", 65020, "10.4.0.254"))
    connect(arm, "back1", "single", "twins-ip", ("10.2.0.0/16", 65010, "10.2.0.4"))
    connect(arm, "back2", "single", "twins-ip2", ("10.2.0.0/16", 65010, "10.2.0.5"))
    arm.clock.sleep(300)
    return arm


def act(arm: Arm, action: str) -> list[dict[str, Any]]:
    reply = arm.wait(arm.call("POST", f"virtualNetworkGateways/{action}"))
    rows: list[dict[str, Any]] = reply.body["value"]
    return rows


def peers(arm: Arm, gateway: str) -> list[tuple[Any, ...]]:
    rows = act(arm, f"{gateway}/getBgpPeerStatus")
    return [(row["localAddress"], row["neighbor"], row["state"]) for row in rows]


def heard(arm: Arm, gateway: str) -> set[tuple[Any, ...]]:
    rows = act(arm, f"{gateway}/getLearnedRoutes")
    names = ("localAddress", "network", "sourcePeer", "origin")
    return {tuple(row[name] for name in names) for row in rows if row["origin"] != "Network"}


def test_both_instances_have_a_session_and_know_each_other(twins: Arm) -> None:
    assert peers(twins, "twins") == [
        ("10.2.0.4", "10.4.0.254", "Connected"),
        ("10.2.0.5", "10.4.0.254", "Connected"),
        ("10.2.0.4", "10.2.0.4", "Unknown"),
        ("10.2.0.4", "10.2.0.5", "Connected"),
        ("10.2.0.5", "10.2.0.5", "Unknown"),
        ("10.2.0.5", "10.2.0.4", "Connected"),
    ]
    assert peers(twins, "single") == [
        ("10.4.0.254", "10.2.0.4", "Connected"),
        ("10.4.0.254", "10.2.0.5", "Connected"),
    ]


def test_an_instance_without_its_tunnel_hears_from_its_twin(twins: Arm) -> None:
    first = {
        ("10.2.0.4", "10.4.0.0/16", "10.4.0.254", "EBgp"),
        ("10.2.0.5", "10.4.0.0/16", "10.2.0.4", "IBgp"),
    }
    second = {
        ("10.2.0.5", "10.4.0.0/16", "10.4.0.254", "EBgp"),
        ("10.2.0.4", "10.4.0.0/16", "10.2.0.5", "IBgp"),
    }
    assert heard(twins, "twins") == first | second
    twins.delete("connections/back2")
    twins.clock.sleep(300)
    assert peers(twins, "twins")[:2] == [
        ("10.2.0.4", "10.4.0.254", "Connected"),
        ("10.2.0.5", "10.4.0.254", "Connecting"),
    ]
    assert heard(twins, "twins") == first


def test_a_read_may_lack_one_instance(twins: Arm) -> None:
    path = "virtualNetworkGateways/twins/get*"
    twins.lab.add_faults(Fault(FaultKind.INSTANCE_MISSING, "POST", path))
    assert {row[0] for row in peers(twins, "twins")} == {"10.2.0.4"}
    assert {row[0] for row in peers(twins, "twins")} == {"10.2.0.4", "10.2.0.5"}


def test_active_active_needs_two_addresses(arm: Arm) -> None:
    arm.vnet("hub", "10.2.0.0/16", GatewaySubnet="10.2.0.0/24")
    arm.public_ip("g-ip")
    properties = arm.gateway_properties("g", "hub", activeActive=True)
    assert (
        "two IP configurations"
        in arm.expect_refusal("virtualNetworkGateways/g", properties).message
    )
