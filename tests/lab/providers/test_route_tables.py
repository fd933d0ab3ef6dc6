"""Route tables: routes written one by one and all at once, and what waits for what."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.arm_client import Arm
from tests.support.lab_story import machine

TABLE = "routeTables/t"
SUBNET = "virtualNetworks/spoke/subnets/apps"


@pytest.fixture
def spoke(arm: Arm) -> Arm:
    arm.put(TABLE, {"disableBgpRoutePropagation": True})
    arm.vnet("spoke", "10.1.0.0/16", apps="10.1.0.0/24")
    table = {"id": arm.id(TABLE)}
    arm.put(SUBNET, {"addressPrefix": "10.1.0.0/24", "routeTable": table})
    machine(arm, "vm", ("nic", "spoke/subnets/apps", "10.1.0.4", False))
    return arm


def route(prefix: str, address: str = "10.2.0.4") -> Any:
    return {
        "addressPrefix": prefix,
        "nextHopType": "VirtualAppliance",
        "nextHopIpAddress": address,
    }


def list_user_routes(arm: Arm) -> list[tuple[str, str]]:
    """Prefix and next hop of each user-defined route of the interface."""
    reply = arm.wait(arm.call("POST", "networkInterfaces/nic/effectiveRouteTable"))
    return [
        (row["addressPrefix"][0], row["nextHopIpAddress"][0])
        for row in reply.body["value"]
        if row["source"] == "User" and row["state"] == "Active"
    ]


def test_a_route_is_in_effect_when_its_write_has_ended_and_gone_with_its_deletion(
    spoke: Arm,
) -> None:
    spoke.put(f"{TABLE}/routes/one", route("192.168.0.0/16"))
    assert list_user_routes(spoke) == [("192.168.0.0/16", "10.2.0.4")]
    spoke.put(f"{TABLE}/routes/one", route("192.168.0.0/16", "10.3.0.4"))
    assert list_user_routes(spoke) == [("192.168.0.0/16", "10.3.0.4")]
    spoke.delete(f"{TABLE}/routes/one")
    assert list_user_routes(spoke) == []
    assert spoke.get(TABLE)["properties"]["disableBgpRoutePropagation"] is True


def test_a_put_of_the_table_deletes_the_routes_that_it_does_not_name(spoke: Arm) -> None:
    spoke.put(f"{TABLE}/routes/one", route("192.168.0.0/16"))
    spoke.put(TABLE, {"routes": [{"name": "two", "properties": route("172.16.0.0/12")}]})
    assert list_user_routes(spoke) == [("172.16.0.0/12", "10.2.0.4")]


def test_one_write_of_a_table_at_a_time_and_no_wait_for_those_of_other_tables(spoke: Arm) -> None:
    spoke.put("routeTables/other", {})
    first = spoke.call("PUT", f"{TABLE}/routes/one", {"properties": route("192.168.0.0/16")})
    assert first.status == 201
    assert spoke.get(TABLE)["properties"]["provisioningState"] == "Updating"
    body = {"properties": route("172.16.0.0/12")}
    second = spoke.call("PUT", f"{TABLE}/routes/two", body)
    assert (second.status, second.code) == (429, "RetryableError")
    (detail,) = second.body["error"]["details"]
    assert "PutRouteOperation" in detail["message"]
    assert detail["message"].endswith(f"can be retried in {second.headers['Retry-After']} seconds.")
    assert spoke.call("PUT", "routeTables/other/routes/one", body).status == 201


def test_a_subnet_is_not_written_while_its_table_is_and_a_peering_of_its_vnet_is(
    spoke: Arm,
) -> None:
    spoke.vnet("hub", "10.2.0.0/16")
    assert spoke.call("PUT", f"{TABLE}/routes/one", {"properties": route("0.0.0.0/0")}).status < 300
    table = {"addressPrefix": "10.1.0.0/24", "routeTable": {"id": spoke.id(TABLE)}}
    refusal = spoke.expect_refusal(SUBNET, table)
    assert refusal.code == "ReferencedResourceNotProvisioned"
    peering = spoke.peering_properties("hub")
    path = "virtualNetworks/spoke/virtualNetworkPeerings/spoke-to-hub"
    assert spoke.call("PUT", path, {"properties": peering}).status == 201


def test_a_default_route_takes_the_place_of_the_private_ranges_system_routes(spoke: Arm) -> None:
    spoke.put(f"{TABLE}/routes/all", route("0.0.0.0/0"))
    reply = spoke.wait(spoke.call("POST", "networkInterfaces/nic/effectiveRouteTable"))
    rows = {row["addressPrefix"][0]: row["nextHopType"] for row in reply.body["value"]}
    assert rows == {"10.1.0.0/16": "VnetLocal", "0.0.0.0/0": "VirtualAppliance"}
