"""What ARM refuses about gateways, addresses, and resources in use."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server.server import LabServer
from tests.support.arm_client import Arm


@pytest.fixture
def hub(arm: Arm) -> Arm:
    arm.vnet("hub", "10.2.0.0/16", GatewaySubnet="10.2.0.0/24", other="10.2.1.0/24")
    arm.public_ip("g-ip")
    return arm


def gateway_refused(arm: Arm, **more: Any) -> tuple[int, str]:
    reply = arm.expect_refusal(
        "virtualNetworkGateways/g", arm.gateway_properties("g", "hub", **more)
    )
    return reply.status, reply.code


def unknown(arm: Arm, name: str) -> tuple[int, str]:
    return 400, arm.lab.context.unknown.get_code(name)


def test_a_vpn_gateway_without_zones_is_no_longer_made(hub: Arm) -> None:
    sku = {"name": "VpnGw1", "tier": "VpnGw1"}
    assert gateway_refused(hub, sku=sku) == (400, "NonAzSkusNotAllowedForVPNGateway")


def test_before_the_rule_came_into_force_it_was_made(clock: SteppedClock) -> None:
    lab = Lab(clock, today=dt.date(2024, 1, 1))
    with LabServer(lab) as server:
        arm = Arm(lab, clock, server.endpoint, str(server.ca_file))
        arm.make_group()
        arm.vnet("hub", "10.2.0.0/16", GatewaySubnet="10.2.0.0/24")
        arm.put("publicIPAddresses/g-ip", {"publicIPAllocationMethod": "Dynamic"})
        sku = {"name": "VpnGw1", "tier": "VpnGw1"}
        gateway = arm.put("virtualNetworkGateways/g", arm.gateway_properties("g", "hub", sku=sku))
        assert gateway["properties"]["provisioningState"] == "Succeeded"
        arm.pool.clear()


def test_a_gateway_stands_in_gatewaysubnet_only(hub: Arm) -> None:
    properties = hub.gateway_properties("g", "hub")
    inner = properties["ipConfigurations"][0]["properties"]
    inner["subnet"]["id"] = hub.id("virtualNetworks/hub/subnets/other")
    reply = hub.expect_refusal("virtualNetworkGateways/g", properties)
    assert (reply.status, reply.code) == unknown(hub, "gateway outside GatewaySubnet")


def test_a_gateways_address_has_zones(hub: Arm) -> None:
    hub.put(
        "publicIPAddresses/h-ip", {"publicIPAllocationMethod": "Static"}, sku={"name": "Standard"}
    )
    reply = hub.expect_refusal("virtualNetworkGateways/h", hub.gateway_properties("h", "hub"))
    assert reply.code == "VmssVpnGatewayPublicIpsMustHaveZonesConfigured"


def test_a_vnet_has_one_vpn_gateway(hub: Arm) -> None:
    hub.gateway("g", "hub")
    hub.public_ip("h-ip")
    reply = hub.expect_refusal("virtualNetworkGateways/h", hub.gateway_properties("h", "hub"))
    assert (reply.status, reply.code) == unknown(hub, "second gateway of a type")


def test_a_vnet_that_uses_remote_gateways_gets_none_of_its_own(hub: Arm) -> None:
    hub.gateway("g", "hub")
    hub.vnet("spoke", "10.1.0.0/16", GatewaySubnet="10.1.0.0/24")
    hub.peering("hub", "spoke", transit=True)
    hub.peering("spoke", "hub", remote=True)
    hub.public_ip("h-ip")
    reply = hub.expect_refusal("virtualNetworkGateways/h", hub.gateway_properties("h", "spoke"))
    assert (reply.status, reply.code) == unknown(hub, "gateway beside remote gateways")


def test_a_gateway_under_write_takes_no_second_write(hub: Arm) -> None:
    body = {"location": "westeurope", "properties": hub.gateway_properties("g", "hub")}
    assert hub.call("PUT", "virtualNetworkGateways/g", body).status == 201
    assert gateway_refused(hub) == (429, "RetryableError")


def test_a_basic_address_is_refused(arm: Arm) -> None:
    properties = {"publicIPAllocationMethod": "Static"}
    reply = arm.expect_refusal("publicIPAddresses/p", properties, sku={"name": "Basic"})
    assert (reply.status, reply.code) == unknown(arm, "Basic address retired")


def test_a_standard_address_is_static(arm: Arm) -> None:
    properties = {"publicIPAllocationMethod": "Dynamic"}
    reply = arm.expect_refusal("publicIPAddresses/p", properties, sku={"name": "Standard"})
    assert (reply.status, reply.code) == unknown(arm, "Standard address not static")


def test_an_active_active_gateway_has_two_bgp_addresses(hub: Arm) -> None:
    hub.public_ip("g-ip2")
    properties = hub.gateway_properties("g", "hub", activeActive=True)
    (first,) = properties["ipConfigurations"]
    second: Any = {"name": "second", "properties": dict(first["properties"])}
    second["properties"]["publicIPAddress"] = {"id": hub.id("publicIPAddresses/g-ip2")}
    properties["ipConfigurations"].append(second)
    settings = hub.put("virtualNetworkGateways/g", properties)["properties"]["bgpSettings"]
    assert settings["bgpPeeringAddress"] == "10.2.0.4,10.2.0.5"


def connect(arm: Arm) -> None:
    arm.gateway("g", "hub")
    arm.put(
        "localNetworkGateways/l",
        {
            "gatewayIpAddress": "20.1.1.1",
            "localNetworkAddressSpace": {"addressPrefixes": ["10.9.0.0/16"]},
        },
    )
    arm.put("connections/c", connection(arm))


def connection(arm: Arm, **more: Any) -> dict[str, Any]:
    return {
        "connectionType": "IPsec",
        "virtualNetworkGateway1": {"id": arm.id("virtualNetworkGateways/g")},
        "localNetworkGateway2": {"id": arm.id("localNetworkGateways/l")},
        **more,
    }


def test_what_a_connection_uses_is_not_deleted(hub: Arm) -> None:
    connect(hub)
    reply = hub.call("DELETE", "virtualNetworkGateways/g")
    assert (reply.status, reply.code) == (400, "VirtualNetworkGatewayCannotBeDeleted")
    reply = hub.call("DELETE", "localNetworkGateways/l")
    assert (reply.status, reply.code) == unknown(hub, "local network gateway in use")
    hub.delete("connections/c")
    hub.delete("localNetworkGateways/l")
    hub.delete("virtualNetworkGateways/g")
    assert hub.get("virtualNetworkGateways")["value"] == []


def test_a_connection_with_bgp_needs_it_at_both_ends(hub: Arm) -> None:
    connect(hub)
    reply = hub.expect_refusal("connections/d", connection(hub, enableBgp=True))
    assert (reply.status, reply.code) == unknown(hub, "BGP on one side only")


def test_a_connection_to_a_gateway_in_the_making_is_refused(hub: Arm) -> None:
    body = {"location": "westeurope", "properties": hub.gateway_properties("g", "hub")}
    hub.call("PUT", "virtualNetworkGateways/g", body)
    hub.put(
        "localNetworkGateways/l",
        {
            "gatewayIpAddress": "20.1.1.1",
            "localNetworkAddressSpace": {"addressPrefixes": ["10.9.0.0/16"]},
        },
    )
    reply = hub.expect_refusal("connections/c", connection(hub))
    assert (reply.status, reply.code) == (400, "ReferencedResourceNotProvisioned")


@pytest.mark.parametrize("path", ["virtualNetworks/hub", "virtualNetworks/hub/subnets/other"])
def test_a_subnet_in_use_is_not_deleted(hub: Arm, path: str) -> None:
    inner = {"subnet": {"id": hub.id("virtualNetworks/hub/subnets/other")}}
    hub.put("networkInterfaces/n", {"ipConfigurations": [{"name": "x", "properties": inner}]})
    reply = hub.call("DELETE", path)
    assert (reply.status, reply.code) == (400, "InUseSubnetCannotBeDeleted")
    used_by = hub.id("networkInterfaces/n") + "/ipConfigurations/x"
    assert reply.message.startswith(
        f"Subnet other is in use by {used_by} and cannot be deleted. In order to delete the subnet"
    )


def test_an_address_in_use_is_neither_deleted_nor_given_twice(hub: Arm) -> None:
    hub.gateway("g", "hub")
    reply = hub.call("DELETE", "publicIPAddresses/g-ip")
    assert (reply.status, reply.code) == (400, "PublicIPAddressCannotBeDeleted")
    inner = {
        "subnet": {"id": hub.id("virtualNetworks/hub/subnets/other")},
        "publicIPAddress": {"id": hub.id("publicIPAddresses/g-ip")},
    }
    reply = hub.expect_refusal(
        "networkInterfaces/n", {"ipConfigurations": [{"name": "x", "properties": inner}]}
    )
    assert (reply.status, reply.code) == (400, "PublicIPAddressInUse")


def test_a_table_in_use_is_not_deleted(hub: Arm) -> None:
    hub.put("routeTables/t", {})
    hub.put("networkSecurityGroups/s", {})
    uses = {
        "routeTable": {"id": hub.id("routeTables/t")},
        "networkSecurityGroup": {"id": hub.id("networkSecurityGroups/s")},
    }
    hub.put("virtualNetworks/hub/subnets/other", {"addressPrefix": "10.2.1.0/24", **uses})
    assert hub.call("DELETE", "routeTables/t").code == "InUseRouteTableCannotBeDeleted"
    code = hub.call("DELETE", "networkSecurityGroups/s").code
    assert code == "InUseNetworkSecurityGroupCannotBeDeleted"
    value = hub.get("routeTables/t")["properties"]["subnets"]
    assert value == [{"id": hub.id("virtualNetworks/hub/subnets/other")}]


def test_a_reference_to_nothing_is_refused(hub: Arm) -> None:
    inner = {"subnet": {"id": hub.id("virtualNetworks/hub/subnets/none")}}
    properties = {"ipConfigurations": [{"name": "x", "properties": inner}]}
    reply = hub.expect_refusal("networkInterfaces/n", properties)
    assert (reply.status, reply.code) == (400, "InvalidResourceReference")
    assert reply.message.startswith(f"Resource {inner['subnet']['id']} referenced by resource ")


def test_an_interface_in_a_subnet_under_write_is_retryable(hub: Arm) -> None:
    subnet = {"properties": {"addressPrefix": "10.2.9.0/24"}}
    hub.call("PUT", "virtualNetworks/hub/subnets/new", subnet)
    inner = {"subnet": {"id": hub.id("virtualNetworks/hub/subnets/new")}}
    properties = {"ipConfigurations": [{"name": "x", "properties": inner}]}
    reply = hub.expect_refusal("networkInterfaces/n", properties)
    assert (reply.status, reply.code) == (429, "RetryableError")
    (detail,) = reply.body["error"]["details"]
    assert detail["code"] == "ReferencedResourceNotProvisioned"
    assert detail["message"].endswith("is PutSubnetOperation.")


@pytest.mark.parametrize(
    ("prefix", "code"),
    [
        ("10.3.0.0/24", "NetcfgSubnetRangeOutsideVnet"),
        ("10.2.1.128/25", "NetcfgSubnetRangesOverlap"),
        ("10.2.5.1/24", "InvalidAddressPrefixFormat"),
    ],
)
def test_subnets_lie_apart_within_their_vnet(hub: Arm, prefix: str, code: str) -> None:
    reply = hub.expect_refusal("virtualNetworks/hub/subnets/new", {"addressPrefix": prefix})
    assert (reply.status, reply.code) == (400, code)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("10.2.1.3", "PrivateIPAddressNotInSubnet"),
        ("10.2.2.7", "PrivateIPAddressNotInSubnet"),
        ("10.2.1.7", "PrivateIPAddressInUse"),
    ],
)
def test_a_static_address_is_free_and_of_its_subnet(hub: Arm, address: str, code: str) -> None:
    def interface(desired: str) -> dict[str, Any]:
        inner = {
            "subnet": {"id": hub.id("virtualNetworks/hub/subnets/other")},
            "privateIPAllocationMethod": "Static",
            "privateIPAddress": desired,
        }
        return {"ipConfigurations": [{"name": "x", "properties": inner}]}

    hub.put("networkInterfaces/first", interface("10.2.1.7"))
    reply = hub.expect_refusal("networkInterfaces/second", interface(address))
    assert (reply.status, reply.code) == (400, code)
