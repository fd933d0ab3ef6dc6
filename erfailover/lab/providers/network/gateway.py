"""What ARM refuses about gateways, local network gateways, connections and their addresses.

Pure. Rules that came into force on a date carry it and apply from that day on.
"""

from __future__ import annotations

import datetime as dt

from erfailover.lab import addresses, circuits, errors, ids
from erfailover.lab import resource_types as rt
from erfailover.lab.errors import Refusal
from erfailover.lab.prefixes import holds
from erfailover.lab.rules import provisioned
from erfailover.lab.scene import Scene
from erfailover.lab.world import Body, Resource

BASIC_ADDRESSES_RETIRED = dt.date(2025, 9, 30)
"""From this day on no Basic public IP is made (announced by Azure)."""
NON_AZ_SKUS_CLOSED = dt.date(2025, 11, 1)
"""From this day on VPN gateways are made in AZ SKUs only (announced by Azure)."""
SMALLEST_GATEWAY_SUBNET = 29
SMALLEST_EXPRESS_SUBNET = 28
SMALLEST_SHARED_SUBNET = 27
"""Prefix lengths of GatewaySubnet: for a VPN gateway, an ExpressRoute gateway, both."""
CUSTOM_BGP_PREFIXES = ("169.254.21.0/24", "169.254.22.0/24")
"""Where a gateway's custom (APIPA) BGP addresses lie (documented: BGP for VPN Gateway)."""
LARGEST_ASN = 4_294_967_295
RESERVED_ASNS = frozenset({8074, 8075, 12076, 65515, 65517, 65518, 65519, 65520})
"""ASNs that a local network gateway may not have (documented)."""


def gateway_refused(
    scene: Scene, gateway_id: ids.ResourceId, body: Body, existing: Resource | None
) -> Refusal | None:
    """Why a virtual network gateway may not be written so."""
    properties = body["properties"]
    if properties["gatewayType"] not in {"Vpn", "ExpressRoute"}:
        return errors.not_modelled(f"gateways of type {properties['gatewayType']}")
    if properties.get("vpnType") not in {"RouteBased", "PolicyBased"}:
        return errors.property_invalid("vpnType", properties.get("vpnType"), "RouteBased")
    configurations = properties["ipConfigurations"]
    if not configurations:
        return errors.property_missing("ipConfigurations", str(gateway_id))
    if properties.get("activeActive") and len(configurations) < 2:
        return scene.unknown.refuse(
            "active-active with one address",
            f"Active-active gateway {gateway_id} must have two IP configurations.",
        )
    found = _sku_refused(scene, gateway_id, properties, existing)
    for each in configurations:
        found = found or _subnet_refused(scene, gateway_id, properties, each)
        found = found or _public_ip_refused(scene, gateway_id, properties, each)
        if existing is None:
            found = found or _default_route_refused(scene, gateway_id, each)
    settings = properties.get("bgpSettings") or {}
    found = found or _custom_addresses_refused(scene, gateway_id, settings)
    return found or _asn_refused(scene, settings, frozenset())


def _custom_addresses_refused(
    scene: Scene, gateway_id: ids.ResourceId, settings: Body
) -> Refusal | None:
    for row in settings.get("bgpPeeringAddresses") or ():
        for each in row.get("customBgpIpAddresses") or ():
            if not any(holds(prefix, each) for prefix in CUSTOM_BGP_PREFIXES):
                return scene.unknown.refuse(
                    "custom BGP address not APIPA",
                    f"Custom BGP IP address {each} of gateway {gateway_id} must be between "
                    "169.254.21.0 and 169.254.22.255.",
                )
    return None


def _default_route_refused(
    scene: Scene, gateway_id: ids.ResourceId, configuration: Body
) -> Refusal | None:
    """A GatewaySubnet with a user-defined route to 0.0.0.0/0 (documented: creation is blocked).

    Documented as well: with gateway route propagation disabled there, or such a route added
    later, a gateway does not function. In what way is not published, so the lab's goes on.
    """
    subnet = scene.world.get((configuration["properties"].get("subnet") or {}).get("id", ""))
    table = (subnet.properties.get("routeTable") or {}).get("id", "") if subnet else ""
    for route in scene.world.children(table, "routes") if table else ():
        if route.properties.get("addressPrefix") == "0.0.0.0/0":
            return scene.unknown.refuse(
                "default route at a gateway",
                f"Gateway {gateway_id} cannot be created: route {route.id} of its subnet leads "
                "0.0.0.0/0 away.",
            )
    return None


def _sku_refused(
    scene: Scene, gateway_id: ids.ResourceId, properties: Body, existing: Resource | None
) -> Refusal | None:
    sku = str((properties.get("sku") or {}).get("name") or "")
    if not sku:
        return errors.property_missing("sku", str(gateway_id))
    express = sku.lower().startswith("ergw") or sku in {"Standard", "HighPerformance"}
    if properties["gatewayType"] == "ExpressRoute" and not express:
        return scene.unknown.refuse(
            "SKU of another gateway type", f"Sku {sku} is not valid for gateway {gateway_id}."
        )
    vpn = properties["gatewayType"] == "Vpn"
    if vpn and sku.lower().startswith("ergw"):
        return scene.unknown.refuse(
            "SKU of another gateway type", f"Sku {sku} is not valid for gateway {gateway_id}."
        )
    before = str((existing.properties.get("sku") or {}).get("name") or "") if existing else sku
    if vpn and (moved := _sku_moved(gateway_id, before, sku)) is not None:
        return moved
    if (
        vpn
        and existing is None
        and scene.today >= NON_AZ_SKUS_CLOSED
        and not sku.upper().endswith("AZ")
        and sku != "Basic"
    ):
        return Refusal(
            400,
            "NonAzSkusNotAllowedForVPNGateway",
            f"VpnGw1-5 non-AZ SKUs are no longer supported for VPN gateways; gateway "
            f"{gateway_id} asks for {sku}. Only VpnGw1-5AZ SKUs can be created going forward.",
            details=(),
        )
    return None


def _sku_moved(gateway_id: ids.ResourceId, before: str, sku: str) -> Refusal | None:
    """A gateway keeps to its generation of SKUs (both recorded)."""
    if before == "Basic" and sku != "Basic":
        return Refusal(
            400,
            "CustomerGatewayUpgradeFromBasicNotAllowed",
            f"Upgrade from Basic SKU not allowed for Gateway {gateway_id}. Please delete and "
            "recreate if needed.",
            details=(),
        )
    if before.startswith("VpnGw") and not sku.startswith("VpnGw"):
        names = (
            "System.Collections.Generic.List`1[Microsoft.WindowsAzure.Networking.Nrp.Frontend."
            "Contract.Csm.Public.VirtualNetworkGatewaySkuName]"
        )
        return Refusal(
            400,
            "InvalidGatewaySkuSpecifiedForGatewayDeploymentType",
            f"Virtual network gateway Sku specified is not valid for gateway {gateway_id} with "
            f"DeploymentType VMScaleSet. The allowed Skus are {names},{names}.",
            details=(),
        )
    return None


def _subnet_refused(
    scene: Scene, gateway_id: ids.ResourceId, properties: Body, configuration: Body
) -> Refusal | None:
    subnet_id = (configuration["properties"].get("subnet") or {}).get("id", "")
    if not subnet_id:
        return errors.property_missing("subnet", configuration["id"])
    subnet = scene.world.get(subnet_id)
    if subnet is None or subnet.id.parent is None or subnet.id.type != rt.SUBNET:
        return errors.reference_missing(subnet_id, str(gateway_id))
    if subnet.id.name.lower() != "gatewaysubnet":
        return scene.unknown.refuse(
            "gateway outside GatewaySubnet",
            f"Subnet {subnet.id} of gateway {gateway_id} must be named GatewaySubnet.",
        )
    found = addresses.network(subnet.properties.get("addressPrefix"))
    express = properties["gatewayType"] == "ExpressRoute"
    smallest = SMALLEST_EXPRESS_SUBNET if express else SMALLEST_GATEWAY_SUBNET
    if any(ids.key(each.id) != ids.key(gateway_id) for each in scene.gateways(subnet.id.parent)):
        smallest = SMALLEST_SHARED_SUBNET
    if found is None or found.prefixlen > smallest:
        return scene.unknown.refuse(
            "GatewaySubnet too small",
            f"Subnet {subnet.id} is too small for a gateway; /27 or larger is recommended.",
        )
    busy = provisioned(scene, gateway_id, [str(subnet.id.parent)])
    return busy or _vnet_refused(scene, gateway_id, properties, subnet.id.parent)


def _vnet_refused(
    scene: Scene, gateway_id: ids.ResourceId, properties: Body, vnet_id: ids.ResourceId
) -> Refusal | None:
    for other in scene.gateways(vnet_id):
        same_type = other.properties.get("gatewayType") == properties["gatewayType"]
        if ids.key(other.id) != ids.key(gateway_id) and same_type:
            return scene.unknown.refuse(
                "second gateway of a type",
                f"Virtual network {vnet_id} already has gateway {other.id} of type "
                f"{properties['gatewayType']}.",
            )
    for peering in scene.peerings(vnet_id):
        if peering.properties.get("useRemoteGateways"):
            return scene.unknown.refuse(
                "gateway beside remote gateways",
                f"Gateway {gateway_id} cannot be made because peering {peering.id} of virtual "
                "network has UseRemoteGateways flag set to true.",
            )
    return None


def _public_ip_refused(
    scene: Scene, gateway_id: ids.ResourceId, properties: Body, configuration: Body
) -> Refusal | None:
    public_id = (configuration["properties"].get("publicIPAddress") or {}).get("id", "")
    if not public_id:
        if properties["gatewayType"] == "ExpressRoute":
            return None
        return errors.property_missing("publicIPAddress", configuration["id"])
    public_ip = scene.world.get(public_id)
    if public_ip is None or public_ip.id.type != rt.PUBLIC_IP:
        return errors.reference_missing(public_id, str(gateway_id))
    taken = address_taken(scene, public_ip, configuration["id"])
    if taken is not None:
        return taken
    sku = str((properties.get("sku") or {}).get("name") or "").upper()
    if not sku.endswith("AZ"):
        return None
    static = public_ip.properties.get("publicIPAllocationMethod") == "Static"
    if (public_ip.body.get("sku") or {}).get("name") != "Standard" or not static:
        return scene.unknown.refuse(
            "gateway address not Standard and static",
            f"Gateway {gateway_id} needs a Standard, static public IP address; {public_ip.id} "
            "is none.",
        )
    if not public_ip.body.get("zones"):
        return Refusal(
            400,
            "VmssVpnGatewayPublicIpsMustHaveZonesConfigured",
            f"Standard Public IPs associated with VPN gateways with AZ VPN skus must have zones "
            f"configured. Public IP {public_ip.id} of gateway {gateway_id} has none.",
            details=(),
        )
    return None


def address_taken(scene: Scene, public_ip: Resource, via: str) -> Refusal | None:
    """A public IP that another IP configuration has already (documented code)."""
    for each in scene.references.users(public_ip.id):
        if ids.key(each.via) != ids.key(via):
            return Refusal(
                400,
                "PublicIPAddressInUse",
                f"Resource {via} is referencing public IP address {public_ip.id} that is already "
                f"allocated to resource {each.via}.",
                details=(),
            )
    return None


def public_ip_refused(scene: Scene, body: Body, existing: Resource | None) -> Refusal | None:
    """Why a public IP may not be written so."""
    properties = body["properties"]
    sku = str(body["sku"].get("name") or "")
    if sku not in {"Basic", "Standard"}:
        return errors.not_modelled(f"public IP addresses of SKU {sku}")
    if body["sku"].get("tier") == "Global":
        if sku == "Standard":
            return errors.not_modelled("global public IP addresses")
        return Refusal(
            400,
            "GlobalPublicIPAddressNotSupportedForBasicPublicIpAddress",
            "Global publicIP addresses are only supported for standard SKU public IP addresses. "
            f"Public IP address {body['id']} is not standard SKU.",
            details=(),
        )
    if properties["publicIPAllocationMethod"] not in {"Static", "Dynamic"}:
        return errors.property_invalid(
            "publicIPAllocationMethod", properties["publicIPAllocationMethod"], "Static or Dynamic"
        )
    if sku == "Standard" and properties["publicIPAllocationMethod"] != "Static":
        return scene.unknown.refuse(
            "Standard address not static",
            f"Standard sku publicIp {body['id']} must have AllocationMethod set to Static.",
        )
    if sku == "Basic" and existing is None and scene.today >= BASIC_ADDRESSES_RETIRED:
        return scene.unknown.refuse(
            "Basic address retired",
            f"Public IP address {body['id']} cannot be created: Basic SKU public IP addresses "
            "are retired. Please use Standard.",
        )
    return None


def _asn_refused(scene: Scene, settings: Body, reserved: frozenset[int]) -> Refusal | None:
    asn = settings.get("asn")
    if asn is None or (isinstance(asn, int) and 0 <= asn <= LARGEST_ASN and asn not in reserved):
        return None
    return scene.unknown.refuse("ASN not allowed", f"BGP ASN {asn} is not allowed.")


def local_gateway_refused(scene: Scene, local_id: ids.ResourceId, body: Body) -> Refusal | None:
    """Why a local network gateway may not be written so."""
    properties = body["properties"]
    for prefix in properties["localNetworkAddressSpace"]["addressPrefixes"]:
        if addresses.network(prefix) is None:
            return errors.prefix_invalid(prefix, str(local_id))
    if properties.get("fqdn"):
        return errors.not_modelled("local network gateways by name (fqdn)")
    gateway_address = properties.get("gatewayIpAddress")
    if addresses.address(gateway_address) is None:
        return errors.property_invalid("gatewayIpAddress", gateway_address, "an IPv4 address")
    settings = properties.get("bgpSettings")
    if settings is None:
        return None
    if addresses.address(settings.get("bgpPeeringAddress")) is None:
        return errors.property_invalid(
            "bgpPeeringAddress", settings.get("bgpPeeringAddress"), "an IPv4 address"
        )
    return _asn_refused(scene, settings, RESERVED_ASNS)


def connection_refused(
    scene: Scene, connection_id: ids.ResourceId, body: Body, existing: Resource | None
) -> Refusal | None:
    """Why a connection may not be written so; its references have been checked before."""
    properties = body["properties"]
    if properties.get("connectionType") == "ExpressRoute":
        return circuits.connection_refused(scene, connection_id, properties)
    if properties.get("connectionType") != "IPsec":
        return errors.not_modelled(f"connections of type {properties.get('connectionType')}")
    for name, type_ in (
        ("virtualNetworkGateway1", rt.GATEWAY),
        ("localNetworkGateway2", rt.LOCAL_GATEWAY),
    ):
        target = (properties.get(name) or {}).get("id", "")
        if not target:
            return errors.property_missing(name, str(connection_id))
        resource = scene.world.get(target)
        if resource is None or resource.id.type != type_:
            return errors.reference_missing(target, str(connection_id))
        before = (existing.properties.get(name) or {}).get("id", "") if existing else target
        if ids.key(before) != ids.key(target):
            return scene.unknown.refuse(
                "connection moved", f"{name} of connection {connection_id} cannot be changed."
            )
    return _bgp_refused(scene, connection_id, properties)


def _bgp_refused(scene: Scene, connection_id: ids.ResourceId, properties: Body) -> Refusal | None:
    gateway = scene.world.get(properties["virtualNetworkGateway1"]["id"])
    local = scene.world.get(properties["localNetworkGateway2"]["id"])
    if gateway is None or local is None or not properties.get("enableBgp"):
        return None
    if gateway.properties.get("enableBgp") and local.properties.get("bgpSettings"):
        return None
    return scene.unknown.refuse(
        "BGP on one side only",
        f"Connection {connection_id} cannot have EnableBgp set to true unless gateway "
        f"{gateway.id} and local network gateway {local.id} have BGP settings.",
    )
