"""Azure Firewalls in a virtual network: a private address, and their references.

Recorded (Azure/azure-cli-extensions, ``test_azure_firewall_ip_config.yaml`` of 2022 and
``test_azure_firewall_management_ip_config.yaml`` of 2020): the form of the body, that only the
first IP configuration names a subnet, that the private address is the first free one and is shown
when the operation has succeeded, and how long the first IP configuration takes. Documented (Azure
Firewall FAQ): the subnet's name and size, and that the firewall, its VNet and its public addresses
are in one resource group. Codes of refusals are Azure's if a docstring states it.

A firewall of the lab filters nothing: it forwards what reaches its private address, as a stateful
appliance without rules (``lab.machines.appliances``).
"""

from __future__ import annotations

from erfailover.lab.core import addresses, errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import ValueGenerator
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft, build_ip_configuration
from erfailover.lab.providers.network.nic import list_taken_addresses
from erfailover.lab.providers.network.public_ip import validate_unused
from erfailover.lab.providers.provider import Cloud, Coverage, Provider
from erfailover.lab.providers.shapes import IP_CONFIGURATION, REFERENCE

SUBNET_NAME = "AzureFirewallSubnet"
SMALLEST_SUBNET = 26
"""Prefix length."""

RULE_COLLECTIONS = ("networkRuleCollections", "applicationRuleCollections", "natRuleCollections")
NOT_MODELLED = (
    *RULE_COLLECTIONS,
    "firewallPolicy",
    "virtualHub",
    "managementIpConfiguration",
    "autoscaleConfiguration",
)


def _complete(draft: Draft, existing: Resource | None, generator: ValueGenerator) -> None:
    properties: Body = draft.body["properties"]
    properties["sku"] = {"name": "AZFW_VNet", "tier": "Standard", **properties["sku"]}
    before = existing.properties["ipConfigurations"] if existing is not None else ()
    stored = {configuration["name"]: configuration["properties"] for configuration in before}
    configurations = properties["ipConfigurations"]
    for number, sent in enumerate(configurations):
        sent.setdefault("name", f"azureFirewallIpConfiguration{number}")
        configuration = build_ip_configuration(draft.id, sent, draft.body["etag"])
        configuration["id"] = f"{draft.id}/azureFirewallIpConfigurations/{sent['name']}"
        configuration["type"] = f"{draft.id.type}/azureFirewallIpConfigurations"
        inner = configuration["properties"]
        inner["provisioningState"] = "Succeeded"  # recorded, in the answer to the PUT as well
        inner["privateIPAllocationMethod"] = "Dynamic"
        inner.pop("privateIPAddress", None)
        same = stored.get(configuration["name"], {})
        if "privateIPAddress" in same and _read_subnet_id(same) == _read_subnet_id(inner):
            inner["privateIPAddress"] = same["privateIPAddress"]
        configurations[number] = configuration


def _read_subnet_id(inner: Body) -> str:
    return ids.to_key((inner.get("subnet") or {}).get("id", ""))


def _validate(context: RuleContext, draft: Draft, existing: Resource | None) -> Refusal | None:
    properties = draft.body["properties"]
    for name in NOT_MODELLED:
        if properties.get(name):
            return errors.not_modelled(f"{name} of Azure firewalls")
    sku, mode = properties["sku"], properties["threatIntelMode"]
    if sku["name"] != "AZFW_VNet" or sku["tier"] not in {"Standard", "Premium"}:
        return errors.not_modelled(f"Azure firewalls of SKU {sku['name']} {sku['tier']}")
    if mode not in {"Alert", "Deny", "Off"}:
        return errors.property_invalid("threatIntelMode", mode, "Alert, Deny or Off")
    for number, configuration in enumerate(properties["ipConfigurations"]):
        refusal = _validate_subnet(context, draft.id, configuration, first=number == 0)
        refusal = refusal or _validate_public_ip(context, draft.id, configuration)
        if refusal is not None:
            return refusal
    return None


def _validate_subnet(
    context: RuleContext, firewall_id: ids.ResourceId, configuration: Body, *, first: bool
) -> Refusal | None:
    """Return the refusal if a firewall may not be in a subnet.

    Observed (MicrosoftDocs/azure-docs, issue 13491): the code for another resource group.
    """
    subnet_id = (configuration["properties"].get("subnet") or {}).get("id", "")
    if not subnet_id:
        return errors.property_missing("subnet", configuration["id"]) if first else None
    subnet = context.world.get(subnet_id)
    if subnet is None or subnet.id.type != rt.SUBNET:
        return errors.reference_missing(subnet_id, str(firewall_id))
    if not first:
        return context.unknown.refuse(
            "second subnet of a firewall",
            f"AzureFirewall {firewall_id} references more than one subnet.",
        )
    if ids.to_key(subnet.id.group) != ids.to_key(firewall_id.group):
        return Refusal(
            400,
            "SecureGatewayReferencesSubnetInDifferentResourceGroup",
            f"AzureFirewall {firewall_id} references subnet ({subnet.id}) in a different "
            "resource group.",
            details=(),
        )
    if subnet.id.name.lower() != SUBNET_NAME.lower():
        return context.unknown.refuse(
            "firewall outside AzureFirewallSubnet",
            f"Subnet {subnet.id} of AzureFirewall {firewall_id} must be named {SUBNET_NAME}.",
        )
    prefix = addresses.parse_network(subnet.properties.get("addressPrefix"))
    if prefix is None or prefix.prefixlen > SMALLEST_SUBNET:
        return context.unknown.refuse(
            "AzureFirewallSubnet too small",
            f"Subnet {subnet.id} is too small for a firewall; /{SMALLEST_SUBNET} is needed.",
        )
    users = context.references.find_users(subnet.id, "ipConfigurations.subnet")
    if any(ids.to_key(reference.source) != ids.to_key(firewall_id) for reference in users):
        return context.unknown.refuse(
            "AzureFirewallSubnet in use",
            f"Subnet {subnet.id} of AzureFirewall {firewall_id} is used by {users[0].source}.",
        )
    return None


def _validate_public_ip(
    context: RuleContext, firewall_id: ids.ResourceId, configuration: Body
) -> Refusal | None:
    public_id = (configuration["properties"].get("publicIPAddress") or {}).get("id", "")
    if not public_id:
        return errors.property_missing("publicIPAddress", configuration["id"])
    public_ip = context.world.get(public_id)
    if public_ip is None or public_ip.id.type != rt.PUBLIC_IP:
        return errors.reference_missing(public_id, str(firewall_id))
    if public_ip.body["sku"]["name"] != "Standard":
        return context.unknown.refuse(
            "firewall address not Standard",
            f"AzureFirewall {firewall_id} needs a Standard public IP address; {public_ip.id} is "
            "none.",
        )
    return validate_unused(context, public_ip, configuration["id"])


def _assign_address(cloud: Cloud, firewall: Resource) -> None:
    for configuration in firewall.properties["ipConfigurations"]:
        inner = configuration["properties"]
        subnet = cloud.context.world.get(_read_subnet_id(inner))
        if subnet is not None and "privateIPAddress" not in inner:
            taken_addresses = list_taken_addresses(cloud.context, subnet, configuration["id"])
            prefix = str(subnet.properties.get("addressPrefix"))
            inner["privateIPAddress"] = addresses.find_first_free(prefix, taken_addresses)


AZURE_FIREWALL = Provider(
    type=f"{rt.NETWORK}/azureFirewalls",
    noun="AzureFirewall",
    references=("ipConfigurations.subnet", "ipConfigurations.publicIPAddress"),
    coverage=(
        Coverage(
            names="`Microsoft.Network/azureFirewalls`",
            modelled="AZFW_VNet, Standard and Premium: a private address from "
            "AzureFirewallSubnet, public addresses, and their references; forwards the packets of "
            "flows that it sees whole, and translates what leaves for the Internet",
            not_modelled="filtering of packets; rules, policies, Basic, secured virtual hubs, "
            "forced tunnelling (501)",
            rests_on="recording and document; deletion's duration: assumed",
        ),
    ),
    shape={
        "sku": {"name": str, "tier": str},
        "threatIntelMode": str,
        "ipConfigurations": [IP_CONFIGURATION],
        "firewallPolicy": REFERENCE,
        "virtualHub": REFERENCE,
        **{name: [dict] for name in RULE_COLLECTIONS},
    },
    defaults={
        "sku": {},
        "threatIntelMode": "Alert",
        "additionalProperties": {},
        "ipConfigurations": [],
        **{name: [] for name in RULE_COLLECTIONS},
    },
    read_only=frozenset({"hubIPAddresses", "ipGroups"}),
    complete=_complete,
    validate=_validate,
    finish_write=_assign_address,
)
