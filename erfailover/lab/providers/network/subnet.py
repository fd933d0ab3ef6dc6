"""Subnets: defaults, their ranges in the VNet, and what prevents a deletion.

Codes of refusals are documented, unless marked as recorded.
"""

from __future__ import annotations

from collections.abc import Iterable

from erfailover.lab.core import addresses, errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import ValueGenerator
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft, list_users, reduce_reference
from erfailover.lab.providers.provider import Coverage, Plan, Provider, View
from erfailover.lab.providers.shapes import REFERENCE


def _validate(context: RuleContext, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Return the refusal of a prefix that would exclude used addresses (assumed message)."""
    if existing is None or not context.references.find_users(existing.id):
        return None
    old = existing.properties.get("addressPrefix")
    if draft.body["properties"].get("addressPrefix") == old:
        return None
    return Refusal(
        400,
        "InUsePrefixCannotBeDeleted",
        f"IpPrefix {old} on Subnet {existing.id.name} has active allocations and cannot be "
        "deleted.",
        details=(),
    )


def _complete(draft: Draft, existing: Resource | None, generator: ValueGenerator) -> None:
    properties = draft.body["properties"]
    for endpoint in properties.get("serviceEndpoints") or ():
        endpoint.setdefault("locations", ["*"])
        endpoint["provisioningState"] = "Succeeded"
    for delegation in properties["delegations"]:
        delegation["id"] = f"{draft.id}/delegations/{delegation.get('name', '')}"
        delegation["etag"] = draft.body["etag"]
        delegation["type"] = f"{rt.SUBNET}/delegations"
        inner = delegation.setdefault("properties", {})
        inner.setdefault("actions", [])
        inner["provisioningState"] = "Succeeded"
    prefixes = properties.get("addressPrefixes")
    if isinstance(prefixes, list) and prefixes:
        properties["addressPrefix"] = prefixes[0]
    for name in ("networkSecurityGroup", "routeTable", "natGateway"):
        reduce_reference(properties, name)


def validate_delete(context: RuleContext, subnet: Resource) -> Refusal | None:
    """Return the refusal to delete a subnet that is in use (recorded)."""
    users = context.references.find_users(subnet.id)
    if not users:
        return None
    more = (
        " In order to delete the subnet, delete all the resources within the subnet. See "
        "aka.ms/deletesubnet."
    )
    return Refusal(
        400,
        "InUseSubnetCannotBeDeleted",
        f"Subnet {subnet.id.name} is in use by {users[0].via} and cannot be deleted."
        + (more if context.today >= errors.WHAT_TO_DO_SINCE else ""),
        details=(),
    )


def _validate_plan(context: RuleContext, plan: Plan) -> Refusal | None:
    """Return the refusal of a subnet beside the others of its VNet."""
    vnet_id = plan.draft.id.parent
    vnet = context.world.get(vnet_id) if vnet_id is not None else None
    if vnet_id is None or vnet is None:
        return None
    return validate_ranges(context, vnet_id, vnet.body, [plan.draft])


def validate_ranges(
    context: RuleContext,
    vnet_id: ids.ResourceId,
    vnet: Body,
    written: list[Draft],
    dropped: Iterable[Resource] = (),
) -> Refusal | None:
    """Return the refusal of the subnets that a VNet would have after a write.

    Each must lie within the address space that ``vnet``, a body, has, and overlap none other.
    """
    present = context.world.list_children(vnet_id, "subnets")
    subnets = {ids.to_key(child.id): (child.id, child.properties) for child in present}
    for child_id in dropped:
        subnets.pop(ids.to_key(child_id.id), None)
    for draft in written:
        if draft.id.type == rt.SUBNET:
            subnets[ids.to_key(draft.id)] = (draft.id, draft.body["properties"])
    prefixes = ((vnet.get("properties") or {}).get("addressSpace") or {}).get("addressPrefixes", [])
    earlier: list[str] = []
    for subnet_id, properties in subnets.values():
        prefix = properties.get("addressPrefix")
        network = addresses.parse_network(prefix)
        if network is None or not isinstance(prefix, str):
            if prefix is None:
                return errors.property_missing("addressPrefix", str(subnet_id))
            return errors.prefix_invalid(str(prefix), str(subnet_id))
        if not addresses.is_within(network, prefixes):
            return Refusal(
                400,
                "NetcfgSubnetRangeOutsideVnet",
                f"Subnet '{subnet_id.name}' is not valid because its IP address range is outside "
                f"the IP address range of virtual network '{vnet_id.name}'.",
                details=(),
            )
        if addresses.find_overlap([prefix], earlier) is not None:
            return Refusal(
                400,
                "NetcfgSubnetRangesOverlap",
                f"Subnet '{subnet_id.name}' is not valid because its IP address range overlaps "
                f"with that of an existing subnet in virtual network '{vnet_id.name}'.",
                details=(),
            )
        earlier.append(prefix)
    return None


def _present(view: View, subnet: Resource) -> Body:
    return list_users(view.context, subnet, "ipConfigurations", "")


SUBNET = Provider(
    type=rt.SUBNET,
    noun="Subnet",
    references=("networkSecurityGroup", "routeTable", "natGateway"),
    coverage=(
        Coverage(
            names="`virtualNetworks/subnets`",
            modelled="prefixes, route table, security group; refusals for ranges in use, "
            "overlapping or outside the VNet",
            not_modelled="effects of delegations, service endpoints and NAT gateways",
            rests_on="recording",
        ),
    ),
    shape={
        "addressPrefix": str,
        "addressPrefixes": [str],
        "networkSecurityGroup": REFERENCE,
        "routeTable": REFERENCE,
        "natGateway": REFERENCE,
        "delegations": [dict],
        "serviceEndpoints": [dict],
    },
    defaults={
        "delegations": [],
        "privateEndpointNetworkPolicies": "Disabled",
        "privateLinkServiceNetworkPolicies": "Enabled",
    },
    read_only=frozenset(
        {
            "ipConfigurations",
            "ipConfigurationProfiles",
            "privateEndpoints",
            "purpose",
            "resourceNavigationLinks",
            "serviceAssociationLinks",
        }
    ),
    complete=_complete,
    validate=_validate,
    validate_plan=_validate_plan,
    validate_delete=validate_delete,
    present=_present,
)
