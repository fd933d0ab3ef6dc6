"""Network security groups: rules, default rules, and what prevents a deletion."""

from __future__ import annotations

import re

from erfailover.lab.core import errors
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft, list_users
from erfailover.lab.providers.provider import Coverage, Provider, View
from erfailover.lab.providers.shapes import make_children_shape

_DESCRIPTIONS = {
    "AllowVnetInBound": "Allow inbound traffic from all VMs in VNET",
    "AllowAzureLoadBalancerInBound": "Allow inbound traffic from azure load balancer",
    "DenyAllInBound": "Deny all inbound traffic",
    "AllowVnetOutBound": "Allow outbound traffic from all VMs to all VMs in VNET",
    "AllowInternetOutBound": "Allow outbound traffic from all VMs to Internet",
    "DenyAllOutBound": "Deny all outbound traffic",
}
_RULES = (
    ("AllowVnetInBound", "Inbound", 65000, "VirtualNetwork", "VirtualNetwork", "Allow"),
    ("AllowAzureLoadBalancerInBound", "Inbound", 65001, "AzureLoadBalancer", "*", "Allow"),
    ("DenyAllInBound", "Inbound", 65500, "*", "*", "Deny"),
    ("AllowVnetOutBound", "Outbound", 65000, "VirtualNetwork", "VirtualNetwork", "Allow"),
    ("AllowInternetOutBound", "Outbound", 65001, "*", "Internet", "Allow"),
    ("DenyAllOutBound", "Outbound", 65500, "*", "*", "Deny"),
)

PRIORITIES = range(100, 4097)
"""The priorities of rules (documented)."""
SERVICE_TAG = re.compile(r"[A-Z][A-Za-z0-9]+(\.[A-Za-z0-9]+)?")
"""A service tag in the place of a prefix is accepted (recorded); the lab routes none of them."""


def _build_default_rules(group: Resource) -> list[Body]:
    """Return the six default rules of a security group, as a GET of it shows them (documented)."""
    return [
        {
            "name": name,
            "id": f"{group.body['id']}/defaultSecurityRules/{name}",
            "etag": group.body["etag"],
            "type": "Microsoft.Network/networkSecurityGroups/defaultSecurityRules",
            "properties": {
                "provisioningState": group.state,
                "description": _DESCRIPTIONS[name],
                "protocol": "*",
                "sourcePortRange": "*",
                "destinationPortRange": "*",
                "sourceAddressPrefix": source,
                "destinationAddressPrefix": destination,
                "access": access,
                "priority": priority,
                "direction": direction,
                "sourcePortRanges": [],
                "destinationPortRanges": [],
                "sourceAddressPrefixes": [],
                "destinationAddressPrefixes": [],
            },
        }
        for name, direction, priority, source, destination, access in _RULES
    ]


def _validate_rule(context: RuleContext, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Return the refusal if a security rule may not be written; None if it may."""
    properties, rule_id = draft.body["properties"], draft.id
    for name, allowed in (
        ("direction", {"inbound", "outbound"}),
        ("access", {"allow", "deny"}),
        ("protocol", {"*", "tcp", "udp", "icmp", "esp", "ah"}),
    ):
        if str(properties.get(name, "")).lower() not in allowed:
            return errors.property_invalid(name, properties.get(name), "/".join(sorted(allowed)))
    priority = properties.get("priority")
    if not isinstance(priority, int) or priority not in PRIORITIES:
        return errors.property_invalid("priority", priority, "100 to 4096")
    if rule_id.parent is None:
        return None
    for other in context.world.list_children(rule_id.parent, "securityRules"):
        same = (
            other.properties.get("priority") == priority
            and str(other.properties.get("direction")).lower()
            == str(properties["direction"]).lower()
        )
        if same and other.id.name.lower() != rule_id.name.lower():
            return Refusal(
                400,
                "SecurityRuleConflict",
                f"Security rule {rule_id.name} conflicts with rule {other.id.name}. Rules cannot "
                "have the same Priority and Direction.",
                details=(),
            )
    return None


def _validate_delete(context: RuleContext, group: Resource) -> Refusal | None:
    users = context.references.find_users(group.id)
    if not users:
        return None
    return Refusal(
        400,
        "InUseNetworkSecurityGroupCannotBeDeleted",
        f"Network security group {group.id} is in use and cannot be deleted: it is used by "
        f"{users[0].source}.",
        details=(),
    )


def _present(view: View, group: Resource) -> Body:
    path = "networkSecurityGroup"
    return {
        "defaultSecurityRules": _build_default_rules(group),
        **list_users(view.context, group, "subnets", path, rt.SUBNET),
        **list_users(view.context, group, "networkInterfaces", path, rt.NIC),
    }


_RULE_SHAPE = {
    "protocol": str,
    "access": str,
    "direction": str,
    "priority": int,
    "sourcePortRange": str,
    "destinationPortRange": str,
    "sourceAddressPrefix": str,
    "destinationAddressPrefix": str,
    "sourcePortRanges": [str],
    "destinationPortRanges": [str],
    "sourceAddressPrefixes": [str],
    "destinationAddressPrefixes": [str],
}
SECURITY_GROUP = Provider(
    type=rt.SECURITY_GROUP,
    noun="NetworkSecurityGroup",
    coverage=(
        Coverage(
            names="`Microsoft.Network/networkSecurityGroups`, "
            "`networkSecurityGroups/securityRules`",
            modelled="rules on machines' packets, default rules, the VirtualNetwork tag over "
            "peerings",
            not_modelled="other service tags, application security groups, flow logs",
            rests_on="document",
        ),
    ),
    shape={"securityRules": make_children_shape(_RULE_SHAPE)},
    read_only=frozenset({"securityRules", "defaultSecurityRules", "subnets", "networkInterfaces"}),
    has_guid=True,
    drops_children=True,
    validate_delete=_validate_delete,
    present=_present,
)
SECURITY_RULE = Provider(
    type=rt.SECURITY_RULE,
    noun="SecurityRule",
    shape=_RULE_SHAPE,
    defaults={
        "sourcePortRanges": [],
        "destinationPortRanges": [],
        "sourceAddressPrefixes": [],
        "destinationAddressPrefixes": [],
    },
    validate=_validate_rule,
)
