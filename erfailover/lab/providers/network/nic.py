"""Network interfaces: their defaults, what a write may not say, what keeps one."""

from __future__ import annotations

from erfailover.lab.core import addresses, errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import Fresh
from erfailover.lab.core.references import Reference
from erfailover.lab.core.scene import Scene
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft, ip_configuration, reduce_reference
from erfailover.lab.providers.network.public_ip import address_taken
from erfailover.lab.providers.provider import Coverage, Provider, View
from erfailover.lab.providers.shapes import IP_CONFIGURATION, REFERENCE


def _complete(draft: Draft, existing: Resource | None, fresh: Fresh) -> None:
    properties = draft.body["properties"]
    etag = draft.body["etag"]
    known: dict[str, Body] = {}
    if existing is not None:
        if "macAddress" in existing.properties:
            properties["macAddress"] = existing.properties["macAddress"]
        known = {each["name"]: each for each in existing.properties.get("ipConfigurations", ())}
    configurations = properties.setdefault("ipConfigurations", [])
    for number, each in enumerate(configurations):
        each.setdefault("name", f"ipconfig{number + 1}")
        configurations[number] = ip_configuration(draft.id, each, etag)
        inner = configurations[number]["properties"]
        method = str(inner.get("privateIPAllocationMethod") or "Dynamic")
        inner["privateIPAllocationMethod"] = method.capitalize()  # recorded: any letter case
        inner.setdefault("privateIPAddressVersion", "IPv4")
        inner.setdefault("primary", len(configurations) == 1)
        _keep_address(inner, known.get(each["name"]))
    dns = properties.setdefault("dnsSettings", {})
    dns.setdefault("dnsServers", [])
    dns["appliedDnsServers"] = list(dns["dnsServers"])
    dns["internalDomainNameSuffix"] = "lab.internal.cloudapp.net"
    reduce_reference(properties, "networkSecurityGroup")


def _keep_address(inner: Body, known: Body | None) -> None:
    if inner["privateIPAllocationMethod"].lower() != "dynamic":
        return
    inner.pop("privateIPAddress", None)
    before = (known or {}).get("properties", {})
    same = ids.key((inner.get("subnet") or {}).get("id", "")) == ids.key(
        (before.get("subnet") or {}).get("id", "")
    )
    if same and "privateIPAddress" in before:
        inner["privateIPAddress"] = before["privateIPAddress"]


def _validate(scene: Scene, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Why a network interface may not be written so.

    Recorded: exactly one IP configuration is the primary one.
    """
    nic_id, configurations = draft.id, draft.body["properties"]["ipConfigurations"]
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


def _validate_delete(scene: Scene, nic: Resource) -> Refusal | None:
    users = scene.references.users(nic.id)
    if not users:
        return None
    return Refusal(
        400,
        "NicInUse",
        f"Network Interface {nic.id} is used by existing VM {users[0].source}.",
        details=(),
    )


def _assign_addresses(scene: Scene, draft: Draft, existing: Resource | None) -> None:
    """Dynamic private addresses are assigned when a write is accepted (recorded)."""
    for each in draft.body["properties"]["ipConfigurations"]:
        inner = each["properties"]
        subnet = scene.world.get((inner.get("subnet") or {}).get("id", ""))
        if inner.get("privateIPAddress") or subnet is None or subnet.id.type != rt.SUBNET:
            continue
        if inner["privateIPAllocationMethod"] == "Dynamic":
            taken = taken_addresses(scene, subnet, each["id"])
            prefix = str(subnet.properties.get("addressPrefix"))
            inner["privateIPAddress"] = addresses.first_free(prefix, taken)


def _machines(scene: Scene, nic_id: ids.ResourceId) -> tuple[Reference, ...]:
    return scene.references.users(nic_id, "networkProfile.networkInterfaces")


def _is_instant(scene: Scene, draft: Draft) -> bool:
    """An interface that no machine has is written at once (recorded)."""
    return not _machines(scene, draft.id)


def _present(view: View, nic: Resource) -> Body:
    users = _machines(view.scene, nic.id)
    return {"virtualMachine": {"id": users[0].source}} if users else {}


NIC = Provider(
    type=rt.NIC,
    noun="NetworkInterface",
    actions=("effectiveroutetable",),
    references=(
        "networkSecurityGroup",
        "ipConfigurations.subnet",
        "ipConfigurations.publicIPAddress",
    ),
    coverage=(
        Coverage(
            names="`Microsoft.Network/networkInterfaces`",
            modelled="addresses static and dynamic, IP forwarding, security group; created "
            "Succeeded at once",
            not_modelled="load balancers, application security groups, IPv6, accelerated "
            "networking",
            rests_on="recording",
        ),
        Coverage(
            names="`networkInterfaces/effectiveRouteTable`",
            modelled="VNet, peering, gateway, user-defined routes with Azure's precedence and its "
            "exception for peering routes",
            not_modelled="service endpoints",
            rests_on="document; invalid rows and a gateway's next hop: inference",
        ),
    ),
    shape={
        "ipConfigurations": [IP_CONFIGURATION],
        "networkSecurityGroup": REFERENCE,
        "enableIPForwarding": bool,
        "dnsSettings": {"dnsServers": [str]},
    },
    defaults={
        "enableAcceleratedNetworking": False,
        "vnetEncryptionSupported": False,
        "enableIPForwarding": False,
        "disableTcpStateTracking": False,
        "hostedWorkloads": [],
        "tapConfigurations": [],
        "nicType": "Standard",
        "allowPort25Out": False,
        "auxiliaryMode": "None",
        "auxiliarySku": "None",
    },
    read_only=frozenset(
        {"virtualMachine", "macAddress", "hostedWorkloads", "primary", "tapConfigurations"}
    ),
    has_guid=True,
    complete=_complete,
    prepare=_assign_addresses,
    validate=_validate,
    validate_delete=_validate_delete,
    is_instant=_is_instant,
    present=_present,
)
