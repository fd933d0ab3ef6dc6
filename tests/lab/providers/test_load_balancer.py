"""Load balancers before appliances: their addresses, pools, refusals, over HTTPS."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.arm_client import Arm

LB = "loadBalancers/lb"
STANDARD = {"name": "Standard"}


@pytest.fixture
def hub(arm: Arm) -> Arm:
    arm.vnet("hub", "10.2.0.0/16", nva="10.2.1.0/24")
    return arm


def properties(arm: Arm, **rule: Any) -> Any:
    front_end = {"subnet": {"id": arm.id("virtualNetworks/hub/subnets/nva")}}
    inner = {
        "frontendIPConfiguration": {"id": arm.id(f"{LB}/frontendIPConfigurations/front")},
        "backendAddressPool": {"id": arm.id(f"{LB}/backendAddressPools/nvas")},
        "protocol": "All",
        "frontendPort": 0,
        "backendPort": 0,
        **rule,
    }
    return {
        "frontendIPConfigurations": [{"name": "front", "properties": front_end}],
        "backendAddressPools": [{"name": "nvas"}],
        "loadBalancingRules": [{"name": "all", "properties": inner}],
    }


def join(arm: Arm, name: str, pool: str = "nvas") -> Any:
    inner = {
        "subnet": {"id": arm.id("virtualNetworks/hub/subnets/nva")},
        "loadBalancerBackendAddressPools": [{"id": arm.id(f"{LB}/backendAddressPools/{pool}")}],
    }
    configuration = {"name": "ipconfig1", "properties": inner}
    return {"enableIPForwarding": True, "ipConfigurations": [configuration]}


def test_a_front_end_has_an_address_that_no_interface_gets(hub: Arm) -> None:
    body = hub.put(LB, properties(hub), sku=STANDARD)
    assert body["properties"]["provisioningState"] == "Succeeded"
    (front,) = body["properties"]["frontendIPConfigurations"]
    assert front["id"] == hub.id(f"{LB}/frontendIPConfigurations/front")
    assert front["properties"]["privateIPAddress"] == "10.2.1.4"
    nic = hub.put("networkInterfaces/one", join(hub, "one"))
    (configuration,) = nic["properties"]["ipConfigurations"]
    assert configuration["properties"]["privateIPAddress"] == "10.2.1.5"


def test_a_pool_shows_its_members_and_a_load_balancer_with_members_is_not_deleted(
    hub: Arm,
) -> None:
    hub.put(LB, properties(hub), sku=STANDARD)
    nic = hub.put("networkInterfaces/one", join(hub, "one"))
    (pool,) = hub.get(LB)["properties"]["backendAddressPools"]
    member = nic["properties"]["ipConfigurations"][0]["id"]
    assert pool["properties"]["backendIPConfigurations"] == [{"id": member}]
    assert hub.call("DELETE", LB).code == "NotModelledByLab"
    hub.delete("networkInterfaces/one")
    hub.delete(LB)
    assert hub.call("GET", LB).status == 404


def test_a_pool_that_no_load_balancer_has_is_refused(hub: Arm) -> None:
    hub.put(LB, properties(hub), sku=STANDARD)
    refusal = hub.expect_refusal("networkInterfaces/one", join(hub, "one", "others"))
    assert refusal.code == "InvalidResourceReference"


@pytest.mark.parametrize(
    ("sku", "rule", "code"),
    [
        ({"name": "Basic"}, {}, "NotModelledByLab"),
        (STANDARD, {"protocol": "Tcp", "frontendPort": 80}, "NotModelledByLab"),
        (STANDARD, {"frontendPort": 80}, "InvalidParameter"),
        (STANDARD, {"backendAddressPool": {"id": "/nowhere"}}, "InvalidResourceReference"),
    ],
)
def test_what_is_not_modelled_or_wrong_is_refused(hub: Arm, sku: Any, rule: Any, code: str) -> None:
    assert hub.expect_refusal(LB, properties(hub, **rule), sku=sku).code == code


def test_a_public_front_end_is_not_modelled(hub: Arm) -> None:
    hub.public_ip("pip")
    body = properties(hub)
    body["frontendIPConfigurations"][0]["properties"] = {
        "publicIPAddress": {"id": hub.id("publicIPAddresses/pip")}
    }
    assert hub.expect_refusal(LB, body, sku=STANDARD).code == "NotModelledByLab"
