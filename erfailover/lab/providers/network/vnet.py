"""What ARM refuses about VNets, subnets, network interfaces, routes, rules and machines.

Pure. Documented codes, unless a docstring says recorded.
"""

from __future__ import annotations

import re

from erfailover.lab import addresses, errors, ids, machine_access
from erfailover.lab import resource_types as rt
from erfailover.lab.errors import Refusal
from erfailover.lab.gateway_rules import address_taken
from erfailover.lab.peering_rules import overlaps_peered
from erfailover.lab.scene import Scene, address_prefixes, remote_of
from erfailover.lab.world import Body, Resource

SERVICE_TAG = re.compile(r"[A-Z][A-Za-z0-9]+(\.[A-Za-z0-9]+)?")
"""A service tag in the place of a prefix is accepted (recorded); the lab routes none of them."""
NEXT_HOPS = frozenset(
    {"VirtualNetworkGateway", "VnetLocal", "Internet", "VirtualAppliance", "None"}
)


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


def nic_refused(scene: Scene, nic_id: ids.ResourceId, body: Body) -> Refusal | None:
    """Why a network interface may not be written so; gives it its addresses otherwise.

    Recorded: exactly one IP configuration is the primary one.
    """
    configurations = body["properties"]["ipConfigurations"]
    if not configurations:
        return errors.property_missing("ipConfigurations", str(nic_id))
    if sum(bool(each["properties"].get("primary")) for each in configurations) != 1:
        return Refusal(
            400,
            "NetworkInterfaceMustHaveOneOneIPConfigAsPrimary",
            f"Network Interface {nic_id.name} specifies multiple IPConfigurations but none of "
            "the IPConfigurations is specified as Primary.",
            details=(),
        )
    for each in configurations:
        refusal = _configuration_refused(scene, nic_id, each)
        if refusal is not None:
            return refusal
    return None


def _configuration_refused(
    scene: Scene, nic_id: ids.ResourceId, configuration: Body
) -> Refusal | None:
    inner = configuration["properties"]
    if inner.get("privateIPAddressVersion", "IPv4") != "IPv4":
        return errors.not_modelled("IP configurations of version IPv6")
    subnet = scene.world.get((inner.get("subnet") or {}).get("id", ""))
    if subnet is None or subnet.id.type != rt.SUBNET:
        return errors.property_missing("subnet", configuration["id"])
    if subnet.id.name.lower() == "gatewaysubnet":
        return scene.unknown.refuse(
            "interface in GatewaySubnet",
            f"Network interface {nic_id} cannot be put into GatewaySubnet {subnet.id}.",
        )
    public_ip = scene.world.get((inner.get("publicIPAddress") or {}).get("id", ""))
    if public_ip is not None:
        taken = address_taken(scene, public_ip, configuration["id"])
        if taken is not None:
            return taken
    return address_refused(scene, configuration, subnet)


def taken_addresses(scene: Scene, subnet: Resource, but: str) -> set[str]:
    """The private addresses in a subnet, those of one IP configuration left out."""
    taken = set()
    for each in scene.references.users(subnet.id, "ipConfigurations.subnet"):
        owner = scene.world.get(each.source)
        if owner is None or ids.key(each.via) == ids.key(but):
            continue
        for other in owner.properties.get("ipConfigurations", ()):
            if ids.key(other["id"]) == ids.key(each.via):
                taken.add(str(other["properties"].get("privateIPAddress", "")))
    return taken


def address_refused(scene: Scene, configuration: Body, subnet: Resource) -> Refusal | None:
    """A static address outside its subnet or taken already."""
    inner = configuration["properties"]
    wanted = inner.get("privateIPAddress")
    method = inner["privateIPAllocationMethod"]
    if method not in {"Static", "Dynamic"}:
        return errors.property_invalid("privateIPAllocationMethod", method, "Static or Dynamic")
    if method == "Dynamic":
        return None
    if not wanted:
        return errors.property_missing("privateIPAddress", configuration["id"])
    if not addresses.usable(str(subnet.properties.get("addressPrefix")), wanted):
        return Refusal(
            400,
            "PrivateIPAddressNotInSubnet",
            f"Private static IP address {wanted} does not belong to the range of subnet prefix "
            f"{subnet.properties.get('addressPrefix')}.",
            details=(),
        )
    if wanted in taken_addresses(scene, subnet, configuration["id"]):
        return Refusal(
            400,
            "PrivateIPAddressInUse",
            f"IP configuration {configuration['id']} is using the private IP address {wanted} "
            "which is already allocated to another resource.",
            details=(),
        )
    return None


def route_refused(route_id: ids.ResourceId, body: Body) -> Refusal | None:
    """Why a user-defined route may not be written so."""
    properties = body["properties"]
    prefix = str(properties.get("addressPrefix"))
    if addresses.network(prefix) is None and not SERVICE_TAG.fullmatch(prefix):
        return errors.prefix_invalid(str(properties.get("addressPrefix")), str(route_id))
    hop = properties.get("nextHopType")
    if hop not in NEXT_HOPS:
        return errors.property_invalid("nextHopType", hop, ", ".join(sorted(NEXT_HOPS)))
    is_address = addresses.address(properties.get("nextHopIpAddress")) is not None
    if (hop == "VirtualAppliance") != is_address:
        return errors.property_invalid(
            "nextHopIpAddress",
            properties.get("nextHopIpAddress"),
            "an address is needed for VirtualAppliance, and for no other next hop type",
        )
    return None


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


def machine_refused(
    scene: Scene, vm_id: ids.ResourceId, body: Body, secrets: dict[str, str]
) -> Refusal | None:
    """Why a virtual machine may not be written so."""
    properties = body["properties"]
    if not properties["hardwareProfile"].get("vmSize"):
        return errors.property_missing("hardwareProfile.vmSize", str(vm_id))
    interfaces = properties["networkProfile"]["networkInterfaces"]
    if not interfaces:
        return errors.property_missing("networkProfile.networkInterfaces", str(vm_id))
    if (
        len(interfaces) > 1
        and sum(bool((each.get("properties") or {}).get("primary")) for each in interfaces) != 1
    ):
        return Refusal(
            400,
            "VirtualMachineMustHaveOneNetworkInterfaceAsPrimary",
            f"Virtual machine {vm_id.name} must have one network interface set as the primary.",
        )
    for each in interfaces:
        if not each.get("id"):
            return errors.property_missing("networkInterfaces.id", str(vm_id))
        users = scene.references.users(each.get("id", ""), "networkProfile.networkInterfaces")
        if any(ids.key(user.source) != ids.key(vm_id) for user in users):
            return Refusal(
                400,
                "NicInUse",
                f"Network Interface {each.get('id')} is used by existing VM {users[0].source}.",
                details=(),
            )
    return machine_access.refused(vm_id, properties, scene.world.get(vm_id), secrets)
