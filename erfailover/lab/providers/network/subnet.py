"""Subnets: their defaults, where they may lie in their VNet, what keeps one.

Codes of refusals are documented, unless a docstring says recorded.
"""

from __future__ import annotations

from collections.abc import Iterable

from erfailover.lab.core import addresses, errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import Fresh
from erfailover.lab.core.scene import Scene
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft, list_users, reduce_reference
from erfailover.lab.providers.provider import Coverage, Plan, Provider, View
from erfailover.lab.providers.shapes import REFERENCE


def _validate(scene: Scene, draft: Draft, existing: Resource | None) -> Refusal | None:
    """A subnet whose prefix changes under the addresses in it (assumed message)."""
    if existing is None or not scene.references.users(existing.id):
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


def _complete(draft: Draft, existing: Resource | None, fresh: Fresh) -> None:
    properties = draft.body["properties"]
    for each in properties.get("serviceEndpoints") or ():
        each.setdefault("locations", ["*"])
        each["provisioningState"] = "Succeeded"
    for each in properties["delegations"]:
        each["id"] = f"{draft.id}/delegations/{each.get('name', '')}"
        each["etag"] = draft.body["etag"]
        each["type"] = f"{rt.SUBNET}/delegations"
        inner = each.setdefault("properties", {})
        inner.setdefault("actions", [])
        inner["provisioningState"] = "Succeeded"
    prefixes = properties.get("addressPrefixes")
    if isinstance(prefixes, list) and prefixes:
        properties["addressPrefix"] = prefixes[0]
    for name in ("networkSecurityGroup", "routeTable", "natGateway"):
        reduce_reference(properties, name)


def validate_delete(scene: Scene, subnet: Resource) -> Refusal | None:
    """Return why a subnet that something is in may not be deleted (recorded)."""
    users = scene.references.users(subnet.id)
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
        + (more if scene.today >= errors.WHAT_TO_DO_SINCE else ""),
        details=(),
    )


def _validate_plan(scene: Scene, plan: Plan) -> Refusal | None:
    """The subnet beside the others of its VNet, and within that one's address space."""
    vnet_id = plan.draft.id.parent
    vnet = scene.world.get(vnet_id) if vnet_id is not None else None
    if vnet_id is None or vnet is None:
        return None
    return validate_ranges(scene, vnet_id, vnet.body, [plan.draft])


def validate_ranges(
    scene: Scene,
    vnet_id: ids.ResourceId,
    vnet: Body,
    written: list[Draft],
    dropped: Iterable[Resource] = (),
) -> Refusal | None:
    """Return why a VNet may not have the subnets that it will have after a write.

    Each must lie within the address space that ``vnet``, a body, has, and overlap none other.
    """
    present = scene.world.children(vnet_id, "subnets")
    subnets = {ids.key(each.id): (each.id, each.properties) for each in present}
    for each in dropped:
        subnets.pop(ids.key(each.id), None)
    for draft in written:
        if draft.id.type == rt.SUBNET:
            subnets[ids.key(draft.id)] = (draft.id, draft.body["properties"])
    prefixes = ((vnet.get("properties") or {}).get("addressSpace") or {}).get("addressPrefixes", [])
    seen: list[str] = []
    for subnet_id, properties in subnets.values():
        prefix = properties.get("addressPrefix")
        found = addresses.network(prefix)
        if found is None or not isinstance(prefix, str):
            if prefix is None:
                return errors.property_missing("addressPrefix", str(subnet_id))
            return errors.prefix_invalid(str(prefix), str(subnet_id))
        if not addresses.within(found, prefixes):
            return Refusal(
                400,
                "NetcfgSubnetRangeOutsideVnet",
                f"Subnet '{subnet_id.name}' is not valid because its IP address range is outside "
                f"the IP address range of virtual network '{vnet_id.name}'.",
                details=(),
            )
        if addresses.overlap([prefix], seen) is not None:
            return Refusal(
                400,
                "NetcfgSubnetRangesOverlap",
                f"Subnet '{subnet_id.name}' is not valid because its IP address range overlaps "
                f"with that of an existing subnet in virtual network '{vnet_id.name}'.",
                details=(),
            )
        seen.append(prefix)
    return None


def _present(view: View, subnet: Resource) -> Body:
    return list_users(view.scene, subnet, "ipConfigurations", "ipConfigurations.subnet")


SUBNET = Provider(
    type=rt.SUBNET,
    noun="Subnet",
    references=("networkSecurityGroup", "routeTable", "natGateway"),
    coverage=(
        Coverage(
            names="`virtualNetworks/subnets`",
            modelled="prefixes, route table, security group; in use, overlapping or outside the "
            "VNet: refused",
            not_modelled="delegations, service endpoints and NAT gateways have no effect",
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
