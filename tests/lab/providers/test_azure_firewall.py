"""Azure Firewalls: their addresses, what they hold, what is refused, over HTTPS."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.arm_client import Arm

FIREWALL = "azureFirewalls/fw"
SUBNET = "virtualNetworks/hub/subnets/AzureFirewallSubnet"


@pytest.fixture
def hub(arm: Arm) -> Arm:
    """A hub with room for a firewall, and two public addresses."""
    arm.vnet("hub", "10.2.0.0/16", AzureFirewallSubnet="10.2.9.0/26", apps="10.2.1.0/24")
    arm.public_ip("one")
    arm.public_ip("two")
    return arm


def configuration(arm: Arm, name: str = "one", subnet: str = SUBNET) -> Any:
    properties: dict[str, Any] = {"publicIPAddress": {"id": arm.id(f"publicIPAddresses/{name}")}}
    if subnet:
        properties["subnet"] = {"id": arm.id(subnet)}
    return {"name": name, "properties": properties}


def create(arm: Arm, **properties: Any) -> Any:
    return arm.put(FIREWALL, {"ipConfigurations": [configuration(arm)], **properties})


def test_a_firewall_gets_the_first_free_address_of_its_subnet_when_it_is_provisioned(
    hub: Arm,
) -> None:
    before = hub.clock.now()
    body = {"location": "westeurope", "properties": {"ipConfigurations": [configuration(hub)]}}
    reply = hub.call("PUT", FIREWALL, body)
    assert reply.status == 201
    assert reply.body["properties"]["provisioningState"] == "Updating"
    (part,) = reply.body["properties"]["ipConfigurations"]
    assert "privateIPAddress" not in part["properties"]
    hub.wait(reply)
    assert hub.clock.now() - before >= 299
    firewall = hub.get(FIREWALL)
    part_id = f"{hub.id(FIREWALL)}/azureFirewallIpConfigurations/one"
    assert firewall == {
        "name": "fw",
        "id": hub.id(FIREWALL),
        "etag": firewall["etag"],
        "type": "Microsoft.Network/azureFirewalls",
        "location": "westeurope",
        "properties": {
            "provisioningState": "Succeeded",
            "sku": {"name": "AZFW_VNet", "tier": "Standard"},
            "threatIntelMode": "Alert",
            "additionalProperties": {},
            "ipConfigurations": [
                {
                    "name": "one",
                    "id": part_id,
                    "etag": firewall["etag"],
                    "type": "Microsoft.Network/azureFirewalls/azureFirewallIpConfigurations",
                    "properties": {
                        "provisioningState": "Succeeded",
                        "privateIPAddress": "10.2.9.4",
                        "privateIPAllocationMethod": "Dynamic",
                        "publicIPAddress": {"id": hub.id("publicIPAddresses/one")},
                        "subnet": {"id": hub.id(SUBNET)},
                    },
                }
            ],
            "networkRuleCollections": [],
            "applicationRuleCollections": [],
            "natRuleCollections": [],
        },
    }
    assert hub.get(SUBNET)["properties"]["ipConfigurations"] == [{"id": part_id}]
    value = hub.get("publicIPAddresses/one")["properties"]["ipConfiguration"]
    assert value == {"id": part_id}


def test_firewalls_are_listed_in_their_group_and_in_the_subscription(hub: Arm) -> None:
    firewall = create(hub)
    subscription = f"/subscriptions/{hub.lab.identity.subscription}"
    assert hub.get("azureFirewalls")["value"] == [firewall]
    everywhere = f"{subscription}/providers/Microsoft.Network/azureFirewalls"
    assert hub.get(everywhere)["value"] == [firewall]


def test_an_update_keeps_the_address(hub: Arm) -> None:
    create(hub)
    second = configuration(hub, "two", subnet="")
    parts = [configuration(hub), second]
    firewall = hub.put(
        FIREWALL, {"ipConfigurations": parts, "threatIntelMode": "Deny"}, tags={"a": "b"}
    )
    assert firewall["tags"] == {"a": "b"}
    assert firewall["properties"]["threatIntelMode"] == "Deny"
    one, two = (
        ip_configuration["properties"]
        for ip_configuration in firewall["properties"]["ipConfigurations"]
    )
    assert one["privateIPAddress"] == "10.2.9.4"
    assert "privateIPAddress" not in two
    assert two["publicIPAddress"] == {"id": hub.id("publicIPAddresses/two")}


def test_what_a_firewall_uses_stays_until_it_is_deleted(hub: Arm) -> None:
    create(hub)
    refused = {path: hub.call("DELETE", path) for path in (SUBNET, "publicIPAddresses/one")}
    assert refused[SUBNET].code == "InUseSubnetCannotBeDeleted"
    assert refused["publicIPAddresses/one"].code == "PublicIPAddressCannotBeDeleted"
    hub.delete(FIREWALL)
    assert hub.call("GET", FIREWALL).code == "ResourceNotFound"
    hub.delete(SUBNET)
    hub.delete("publicIPAddresses/one")


def test_a_groups_deletion_takes_its_firewall_along(hub: Arm) -> None:
    create(hub)
    hub.wait(hub.call("DELETE", hub.root))
    assert not hub.lab.world.resources


@pytest.mark.parametrize("subnet", ["virtualNetworks/hub/subnets/apps", ""])
def test_a_firewall_needs_its_own_subnet(hub: Arm, subnet: str) -> None:
    parts = [configuration(hub, subnet=subnet)]
    assert hub.expect_refusal(FIREWALL, {"ipConfigurations": parts}).status == 400


def test_a_subnet_smaller_than_26_is_refused(arm: Arm) -> None:
    arm.vnet("hub", "10.2.0.0/16", AzureFirewallSubnet="10.2.9.0/27")
    arm.public_ip("one")
    reply = arm.expect_refusal(FIREWALL, {"ipConfigurations": [configuration(arm)]})
    assert reply.status == 400
    assert "/26 is needed" in reply.message


def test_a_public_address_that_is_in_use_is_refused(hub: Arm) -> None:
    part = configuration(hub, subnet="virtualNetworks/hub/subnets/apps")
    hub.put("networkInterfaces/nic", {"ipConfigurations": [part]})
    reply = hub.expect_refusal(FIREWALL, {"ipConfigurations": [configuration(hub)]})
    assert (reply.status, reply.code) == (400, "PublicIPAddressInUse")


def test_a_second_firewall_in_a_vnet_is_refused(hub: Arm) -> None:
    create(hub)
    reply = hub.expect_refusal(
        "azureFirewalls/other", {"ipConfigurations": [configuration(hub, "two")]}
    )
    assert reply.status == 400
    assert hub.id(FIREWALL) in reply.message


def test_a_subnet_of_another_group_is_refused(hub: Arm) -> None:
    parts = [configuration(hub)]
    hub.group = "other"
    hub.make_group()
    reply = hub.expect_refusal(FIREWALL, {"ipConfigurations": parts})
    assert reply.code == "SecureGatewayReferencesSubnetInDifferentResourceGroup"


@pytest.mark.parametrize(
    "properties",
    [
        {"sku": {"name": "AZFW_Hub", "tier": "Standard"}},
        {"sku": {"name": "AZFW_VNet", "tier": "Basic"}},
        {"firewallPolicy": {"id": "/subscriptions/s/p"}},
        {"networkRuleCollections": [{"name": "all"}]},
        {"managementIpConfiguration": {"name": "m"}},
    ],
)
def test_what_is_not_modelled_says_so(hub: Arm, properties: Any) -> None:
    reply = hub.expect_refusal(FIREWALL, properties)
    assert (reply.status, reply.code) == (501, "NotModelledByLab")
