"""Network interfaces: defaults, rules, and what prevents a deletion."""

from __future__ import annotations

from erfailover.lab.core import addresses, errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import ValueGenerator
from erfailover.lab.core.references import Reference
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft, build_ip_configuration, reduce_reference
from erfailover.lab.providers.network.public_ip import validate_unused
from erfailover.lab.providers.provider import Coverage, Provider, View
from erfailover.lab.providers.shapes import IP_CONFIGURATION, REFERENCE


def _complete(draft: Draft, existing: Resource | None, generator: ValueGenerator) -> None:
    properties = draft.body["properties"]
    etag = draft.body["etag"]
    stored: dict[str, Body] = {}
    if existing is not None:
        if "macAddress" in existing.properties:
            properties["macAddress"] = existing.properties["macAddress"]
        stored = {
            configuration["name"]: configuration
            for configuration in existing.properties.get("ipConfigurations", ())
        }
    configurations = properties.setdefault("ipConfigurations", [])
    for number, configuration in enumerate(configurations):
        configuration.setdefault("name", f"ipconfig{number + 1}")
        configurations[number] = build_ip_configuration(draft.id, configuration, etag)
        inner = configurations[number]["properties"]
        method = str(inner.get("privateIPAllocationMethod") or "Dynamic")
        inner["privateIPAllocationMethod"] = method.capitalize()  # recorded: any letter case
        inner.setdefault("privateIPAddressVersion", "IPv4")
        inner.setdefault("primary", len(configurations) == 1)
        _keep_address(inner, stored.get(configuration["name"]))
    dns = properties.setdefault("dnsSettings", {})
    dns.setdefault("dnsServers", [])
    dns["appliedDnsServers"] = list(dns["dnsServers"])
    dns["internalDomainNameSuffix"] = "lab.internal.cloudapp.net"
    reduce_reference(properties, "networkSecurityGroup")


def _keep_address(inner: Body, stored: Body | None) -> None:
    if inner["privateIPAllocationMethod"].lower() != "dynamic":
        return
    inner.pop("privateIPAddress", None)
    before = (stored or {}).get("properties", {})
    same = ids.to_key((inner.get("subnet") or {}).get("id", "")) == ids.to_key(
        (before.get("subnet") or {}).get("id", "")
    )
    if same and "privateIPAddress" in before:
        inner["privateIPAddress"] = before["privateIPAddress"]


def _validate(context: RuleContext, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Return the refusal if a network interface may not be written; None if it may.

    Recorded: exactly one IP configuration is the primary one.
    """
    nic_id, configurations = draft.id, draft.body["properties"]["ipConfigurations"]
    if not configurations:
        return errors.property_missing("ipConfigurations", str(nic_id))
    if (
        sum(bool(configuration["properties"].get("primary")) for configuration in configurations)
        != 1
    ):
        return Refusal(
            400,
            "NetworkInterfaceMustHaveOneOneIPConfigAsPrimary",
            f"Network Interface {nic_id.name} specifies multiple IPConfigurations but none of "
            "the IPConfigurations is specified as Primary.",
            details=(),
        )
    for configuration in configurations:
        refusal = _validate_configuration(context, nic_id, configuration)
        if refusal is not None:
            return refusal
    return None


def _validate_configuration(
    context: RuleContext, nic_id: ids.ResourceId, configuration: Body
) -> Refusal | None:
    inner = configuration["properties"]
    if inner.get("privateIPAddressVersion", "IPv4") != "IPv4":
        return errors.not_modelled("IP configurations of version IPv6")
    subnet = context.world.get((inner.get("subnet") or {}).get("id", ""))
    if subnet is None or subnet.id.type != rt.SUBNET:
        return errors.property_missing("subnet", configuration["id"])
    if subnet.id.name.lower() == "gatewaysubnet":
        return context.unknown.refuse(
            "interface in GatewaySubnet",
            f"Network interface {nic_id} cannot be put into GatewaySubnet {subnet.id}.",
        )
    public_ip = context.world.get((inner.get("publicIPAddress") or {}).get("id", ""))
    if public_ip is not None:
        refusal = validate_unused(context, public_ip, configuration["id"])
        if refusal is not None:
            return refusal
    for pool in inner.get("loadBalancerBackendAddressPools") or ():
        if not _may_have_pool(context, str(pool.get("id"))):
            return errors.reference_missing(str(pool.get("id")), str(nic_id))
    return validate_address(context, configuration, subnet)


def _may_have_pool(context: RuleContext, pool_id: str) -> bool:
    """Return whether a load balancer may have a pool; one that the lab does not have may.

    Recordings put interfaces into pools of load balancers that the lab does not model (public, or
    of SKU Basic). Such a pool delivers nothing.
    """
    owner = context.world.get(pool_id.rpartition("/backendAddressPools/")[0])
    if owner is None:
        return True
    pools = owner.properties.get("backendAddressPools", ())
    return any(ids.to_key(pool["id"]) == ids.to_key(pool_id) for pool in pools)


def list_taken_addresses(context: RuleContext, subnet: Resource, but: str) -> set[str]:
    """Return the private addresses in a subnet, except those of one IP configuration."""
    names = set()
    for reference in context.references.find_users(subnet.id):
        owner, (kind, _, what) = context.world.get(reference.source), reference.path.partition(".")
        if owner is None or what != "subnet" or ids.to_key(reference.via) == ids.to_key(but):
            continue
        for other in owner.properties.get(kind, ()):
            if ids.to_key(other["id"]) == ids.to_key(reference.via):
                names.add(str(other["properties"].get("privateIPAddress", "")))
    return names


def validate_address(context: RuleContext, configuration: Body, subnet: Resource) -> Refusal | None:
    """Return the refusal of a static address that is outside its subnet or taken."""
    inner = configuration["properties"]
    address = inner.get("privateIPAddress")
    method = inner["privateIPAllocationMethod"]
    if method not in {"Static", "Dynamic"}:
        return errors.property_invalid("privateIPAllocationMethod", method, "Static or Dynamic")
    if method == "Dynamic":
        return None
    if not address:
        return errors.property_missing("privateIPAddress", configuration["id"])
    if not addresses.is_usable(str(subnet.properties.get("addressPrefix")), address):
        return Refusal(
            400,
            "PrivateIPAddressNotInSubnet",
            f"Private static IP address {address} does not belong to the range of subnet prefix "
            f"{subnet.properties.get('addressPrefix')}.",
            details=(),
        )
    if address in list_taken_addresses(context, subnet, configuration["id"]):
        return Refusal(
            400,
            "PrivateIPAddressInUse",
            f"IP configuration {configuration['id']} is using the private IP address {address} "
            "which is already allocated to another resource.",
            details=(),
        )
    return None


def _validate_delete(context: RuleContext, nic: Resource) -> Refusal | None:
    users = context.references.find_users(nic.id)
    if not users:
        return None
    return Refusal(
        400,
        "NicInUse",
        f"Network Interface {nic.id} is used by existing VM {users[0].source}.",
        details=(),
    )


def _assign_addresses(context: RuleContext, draft: Draft, existing: Resource | None) -> None:
    """Assign dynamic private addresses, at the acceptance of a write (recorded)."""
    for configuration in draft.body["properties"]["ipConfigurations"]:
        inner = configuration["properties"]
        subnet = context.world.get((inner.get("subnet") or {}).get("id", ""))
        if inner.get("privateIPAddress") or subnet is None or subnet.id.type != rt.SUBNET:
            continue
        if inner["privateIPAllocationMethod"] == "Dynamic":
            taken_addresses = list_taken_addresses(context, subnet, configuration["id"])
            prefix = str(subnet.properties.get("addressPrefix"))
            inner["privateIPAddress"] = addresses.find_first_free(prefix, taken_addresses)


def _list_machines(context: RuleContext, nic_id: ids.ResourceId) -> tuple[Reference, ...]:
    return context.references.find_users(nic_id, "networkProfile.networkInterfaces")


def _is_instant(context: RuleContext, draft: Draft) -> bool:
    """Return whether a write completes at once: if no machine has the interface (recorded)."""
    return not _list_machines(context, draft.id)


def _present(view: View, nic: Resource) -> Body:
    users = _list_machines(view.context, nic.id)
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
            "with state Succeeded at once; pools of load balancers",
            not_modelled="application security groups, IPv6, accelerated networking",
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
