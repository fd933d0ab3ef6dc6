"""What ARM refuses about VNets, subnets, network interfaces, routes, rules and machines.

Pure. Documented codes, unless a docstring says recorded.
"""

from __future__ import annotations

from erfailover.lab.core import addresses, errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.scene import Scene, address_prefixes, remote_of
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft, _reduce
from erfailover.lab.providers.network.peering import overlaps_peered


def vnet_refused(
    scene: Scene, vnet_id: ids.ResourceId, body: Body, existing: Resource | None
) -> Refusal | None:
    """Why a VNet may not be written so, its subnets apart."""
    space = body["properties"].get("addressSpace") or {}
    prefixes = space.get("addressPrefixes") or []
    if not prefixes:
        return errors.property_missing("addressSpace", str(vnet_id))
    for number, prefix in enumerate(prefixes):
        if addresses.network(prefix) is None:
            return errors.prefix_invalid(prefix, str(vnet_id))
        if addresses.overlap([prefix], prefixes[:number]) is not None:
            return scene.unknown.refuse(
                "address space overlaps itself",
                f"Address prefixes of virtual network {vnet_id} overlap: {prefix}.",
            )
    summary = body["properties"].get("summarizedGatewayPrefixes") or {}
    summarized: list[str] = summary.get("addressPrefixes") or []
    for number, prefix in enumerate(summarized):
        if addresses.network(prefix) is None:
            return errors.prefix_invalid(prefix, str(vnet_id))
        if addresses.overlap([prefix], summarized[:number]) is not None:
            return scene.unknown.refuse(  # documented; whatever the VNet's own space is
                "summarized prefixes overlap",
                f"Summarized gateway prefixes of virtual network {vnet_id} overlap: {prefix}.",
            )
    if existing is None:
        return None
    return _peers_refused(scene, vnet_id, prefixes, existing)


def _peers_refused(
    scene: Scene, vnet_id: ids.ResourceId, prefixes: list[str], existing: Resource
) -> Refusal | None:
    added = [each for each in prefixes if each not in address_prefixes(existing)]
    for peering in scene.peerings(vnet_id):
        other = scene.world.get(remote_of(peering))
        shared = addresses.overlap(added, address_prefixes(other)) if other else None
        if other is not None and shared is not None:
            return overlaps_peered(vnet_id, existing, other, shared)
    return None


def subnets_refused(
    vnet_id: ids.ResourceId, prefixes: list[str], subnets: list[tuple[ids.ResourceId, Body]]
) -> Refusal | None:
    """Subnets outside their VNet, or overlapping one another."""
    seen: list[str] = []
    for subnet_id, properties in subnets:
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


def subnet_moved(scene: Scene, body: Body, existing: Resource | None) -> Refusal | None:
    """A subnet whose prefix changes under the addresses in it (assumed message)."""
    if existing is None or not scene.references.users(existing.id):
        return None
    old = existing.properties.get("addressPrefix")
    if body["properties"].get("addressPrefix") == old:
        return None
    return Refusal(
        400,
        "InUsePrefixCannotBeDeleted",
        f"IpPrefix {old} on Subnet {existing.id.name} has active allocations and cannot be "
        "deleted.",
        details=(),
    )


def _complete_subnet(draft: Draft) -> None:
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
        _reduce(properties, name)


def _subnet_in_use(scene: Scene, subnet: Resource) -> Refusal | None:
    users = scene.references.users(subnet.id)
    if not users:
        return None
    return errors.subnet_in_use(subnet.id.name, users[0].via, scene.today)
