"""The six default rules of every network security group (documented)."""

from __future__ import annotations

import re

from erfailover.lab.core import errors, ids
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.scene import Scene
from erfailover.lab.core.world import Body, Resource

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

SERVICE_TAG = re.compile(r"[A-Z][A-Za-z0-9]+(\.[A-Za-z0-9]+)?")
"""A service tag in the place of a prefix is accepted (recorded); the lab routes none of them."""


def default_rules(group: Resource) -> list[Body]:
    """The default rules of a security group, as a GET of it shows them."""
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


def rule_refused(scene: Scene, rule_id: ids.ResourceId, body: Body) -> Refusal | None:
    """Why a security rule may not be written so."""
    properties = body["properties"]
    for name, allowed in (
        ("direction", {"inbound", "outbound"}),
        ("access", {"allow", "deny"}),
        ("protocol", {"*", "tcp", "udp", "icmp", "esp", "ah"}),
    ):
        if str(properties.get(name, "")).lower() not in allowed:
            return errors.property_invalid(name, properties.get(name), "/".join(sorted(allowed)))
    priority = properties.get("priority")
    if not isinstance(priority, int) or not 100 <= priority <= 4096:
        return errors.property_invalid("priority", priority, "100 to 4096")
    if rule_id.parent is None:
        return None
    for other in scene.world.children(rule_id.parent, "securityRules"):
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
