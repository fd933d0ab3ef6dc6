"""Virtual network gateways: VPN and ExpressRoute.

Owns their defaults, all recorded, what ARM refuses of them, and the BGP addresses that they get
when they are provisioned. Rules that came into force on a date apply from that day on.
"""

from __future__ import annotations

import copy
import datetime as dt

from erfailover.lab.core import addresses, errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.addresses import GATEWAY_ASN, contains
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import ValueGenerator
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft, build_ip_configuration
from erfailover.lab.providers.network.local_gateway import validate_asn
from erfailover.lab.providers.network.public_ip import validate_unused
from erfailover.lab.providers.provider import Cloud, Coverage, Provider
from erfailover.lab.providers.rules import validate_provisioned
from erfailover.lab.providers.shapes import BGP_SETTINGS, IP_CONFIGURATION

NON_AZ_SKUS_CLOSED = dt.date(2025, 11, 1)
"""From this day on VPN gateways are made in AZ SKUs only (announced by Azure)."""
SMALLEST_GATEWAY_SUBNET = 29
SMALLEST_EXPRESS_SUBNET = 28
SMALLEST_SHARED_SUBNET = 27
"""Prefix lengths of GatewaySubnet: for a VPN gateway, an ExpressRoute gateway, both."""
CUSTOM_BGP_PREFIXES = ("169.254.21.0/24", "169.254.22.0/24")
"""The range of custom (APIPA) BGP addresses (documented: BGP for VPN Gateway)."""

DEFAULT_ASN = 65515
"""The ASN of a gateway whose client names none (recorded)."""


def _validate(context: RuleContext, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Return the refusal if a virtual network gateway may not be written; None if it may."""
    properties, gateway_id = draft.body["properties"], draft.id
    if properties["gatewayType"] not in {"Vpn", "ExpressRoute"}:
        return errors.not_modelled(f"gateways of type {properties['gatewayType']}")
    if properties.get("vpnType") not in {"RouteBased", "PolicyBased"}:
        return errors.property_invalid("vpnType", properties.get("vpnType"), "RouteBased")
    configurations = properties["ipConfigurations"]
    if not configurations:
        return errors.property_missing("ipConfigurations", str(gateway_id))
    if properties.get("activeActive") and not configurations[1:]:
        return context.unknown.refuse(
            "active-active with one address",
            f"Active-active gateway {gateway_id} must have two IP configurations.",
        )
    refusal = _validate_sku(context, gateway_id, properties, existing)
    for configuration in configurations:
        refusal = refusal or _validate_subnet(context, gateway_id, properties, configuration)
        refusal = refusal or _validate_public_ip(context, gateway_id, properties, configuration)
        if existing is None:
            refusal = refusal or _validate_default_route(context, gateway_id, configuration)
    settings = properties.get("bgpSettings") or {}
    refusal = refusal or _validate_custom_addresses(context, gateway_id, settings)
    return refusal or validate_asn(context, settings, frozenset())


def _validate_custom_addresses(
    context: RuleContext, gateway_id: ids.ResourceId, settings: Body
) -> Refusal | None:
    for row in settings.get("bgpPeeringAddresses") or ():
        for address in row.get("customBgpIpAddresses") or ():
            if not any(contains(prefix, address) for prefix in CUSTOM_BGP_PREFIXES):
                return context.unknown.refuse(
                    "custom BGP address not APIPA",
                    f"Custom BGP IP address {address} of gateway {gateway_id} must be between "
                    "169.254.21.0 and 169.254.22.255.",
                )
    return None


def _validate_default_route(
    context: RuleContext, gateway_id: ids.ResourceId, configuration: Body
) -> Refusal | None:
    """Return the refusal of a GatewaySubnet with a user-defined default route (documented).

    Also documented: without gateway route propagation there, or with such a route added later, a
    gateway does not function. The effect is unpublished, so the lab's gateway keeps working.
    """
    subnet = context.world.get((configuration["properties"].get("subnet") or {}).get("id", ""))
    table = (subnet.properties.get("routeTable") or {}).get("id", "") if subnet else ""
    for route in context.world.list_children(table, "routes") if table else ():
        if route.properties.get("addressPrefix") == "0.0.0.0/0":
            return context.unknown.refuse(
                "default route at a gateway",
                f"Gateway {gateway_id} cannot be created: route {route.id} of its subnet leads "
                "0.0.0.0/0 away.",
            )
    return None


def _validate_sku(
    context: RuleContext, gateway_id: ids.ResourceId, properties: Body, existing: Resource | None
) -> Refusal | None:
    sku = str((properties.get("sku") or {}).get("name") or "")
    if not sku:
        return errors.property_missing("sku", str(gateway_id))
    express = sku.lower().startswith("ergw") or sku in {"Standard", "HighPerformance"}
    vpn = properties["gatewayType"] == "Vpn"
    if sku.lower().startswith("ergw") if vpn else not express:
        return context.unknown.refuse(
            "SKU of another gateway type", f"Sku {sku} is not valid for gateway {gateway_id}."
        )
    before = str((existing.properties.get("sku") or {}).get("name") or "") if existing else sku
    if vpn and (moved := _validate_sku_change(gateway_id, before, sku)) is not None:
        return moved
    if (
        vpn
        and existing is None
        and context.today >= NON_AZ_SKUS_CLOSED
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


def _validate_sku_change(gateway_id: ids.ResourceId, before: str, sku: str) -> Refusal | None:
    """Return the refusal of a SKU of another generation (both recorded)."""
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


def _validate_subnet(
    context: RuleContext, gateway_id: ids.ResourceId, properties: Body, configuration: Body
) -> Refusal | None:
    subnet_id = (configuration["properties"].get("subnet") or {}).get("id", "")
    if not subnet_id:
        return errors.property_missing("subnet", configuration["id"])
    subnet = context.world.get(subnet_id)
    if subnet is None or subnet.id.parent is None or subnet.id.type != rt.SUBNET:
        return errors.reference_missing(subnet_id, str(gateway_id))
    if subnet.id.name.lower() != "gatewaysubnet":
        return context.unknown.refuse(
            "gateway outside GatewaySubnet",
            f"Subnet {subnet.id} of gateway {gateway_id} must be named GatewaySubnet.",
        )
    network = addresses.parse_network(subnet.properties.get("addressPrefix"))
    express = properties["gatewayType"] == "ExpressRoute"
    smallest = SMALLEST_EXPRESS_SUBNET if express else SMALLEST_GATEWAY_SUBNET
    if any(
        ids.to_key(gateway.id) != ids.to_key(gateway_id)
        for gateway in context.list_gateways(subnet.id.parent)
    ):
        smallest = SMALLEST_SHARED_SUBNET
    if network is None or network.prefixlen > smallest:
        return context.unknown.refuse(
            "GatewaySubnet too small",
            f"Subnet {subnet.id} is too small for a gateway; /27 or larger is recommended.",
        )
    busy = validate_provisioned(context, gateway_id, [str(subnet.id.parent)])
    return busy or _validate_vnet(context, gateway_id, properties, subnet.id.parent)


def _validate_vnet(
    context: RuleContext, gateway_id: ids.ResourceId, properties: Body, vnet_id: ids.ResourceId
) -> Refusal | None:
    for other in context.list_gateways(vnet_id):
        same_type = other.properties.get("gatewayType") == properties["gatewayType"]
        if ids.to_key(other.id) != ids.to_key(gateway_id) and same_type:
            return context.unknown.refuse(
                "second gateway of a type",
                f"Virtual network {vnet_id} already has gateway {other.id} of type "
                f"{properties['gatewayType']}.",
            )
    for peering in context.list_peerings(vnet_id):
        if peering.properties.get("useRemoteGateways"):
            return context.unknown.refuse(
                "gateway beside remote gateways",
                f"Gateway {gateway_id} cannot be made because peering {peering.id} of virtual "
                "network has UseRemoteGateways flag set to true.",
            )
    return None


def _validate_public_ip(
    context: RuleContext, gateway_id: ids.ResourceId, properties: Body, configuration: Body
) -> Refusal | None:
    public_id = (configuration["properties"].get("publicIPAddress") or {}).get("id", "")
    if not public_id:
        express = properties["gatewayType"] == "ExpressRoute"
        return None if express else errors.property_missing("publicIPAddress", configuration["id"])
    public_ip = context.world.get(public_id)
    if public_ip is None or public_ip.id.type != rt.PUBLIC_IP:
        return errors.reference_missing(public_id, str(gateway_id))
    if (refusal := validate_unused(context, public_ip, configuration["id"])) is not None:
        return refusal
    if not str((properties.get("sku") or {}).get("name") or "").upper().endswith("AZ"):
        return None
    static = public_ip.properties.get("publicIPAllocationMethod") == "Static"
    if (public_ip.body.get("sku") or {}).get("name") != "Standard" or not static:
        return context.unknown.refuse(
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


def _complete(draft: Draft, existing: Resource | None, generator: ValueGenerator) -> None:
    """Complete a virtual network gateway's body (recorded)."""
    body = draft.body
    sent: Body = body["properties"]
    stored = existing.properties if existing else {}
    type_ = sent.get("gatewayType", "Vpn")
    defaults: Body = {
        "packetCaptureDiagnosticState": "None",
        "enablePrivateIpAddress": False,
        "isMigrateToCSES": False,
        "natRules": [],
        "virtualNetworkGatewayPolicyGroups": [],
        "enableBgpRouteTranslationForNat": False,
        "disableIPSecReplayProtection": False,
        "gatewayType": type_,
        "vpnType": "RouteBased",
        "enableBgp": False,
        "activeActive": False,
        "allowRemoteVnetTraffic": False,
        "allowVirtualWanTraffic": False,
    }
    if type_ == "Vpn":
        defaults["vpnClientConfiguration"] = {
            "vpnClientProtocols": ["OpenVPN", "IkeV2"],
            "vpnAuthenticationTypes": [],
            "vpnClientRootCertificates": [],
            "vpnClientRevokedCertificates": [],
            "vngClientConnectionConfigurations": [],
            "radiusServers": [],
            "vpnClientIpsecPolicies": [],
        }
        defaults["vpnGatewayGeneration"] = "Generation1"
    properties = {**defaults, **sent}
    if type_ == "Vpn":
        clients = sent.get("vpnClientConfiguration")
        properties["vpnClientConfiguration"] = {
            **defaults["vpnClientConfiguration"],
            **(clients if isinstance(clients, dict) else {}),
        }
    properties["sku"] = {**(sent.get("sku") or {}), "capacity": 2}
    configurations = []
    for number, configuration in enumerate(sent.get("ipConfigurations") or ()):
        configuration.setdefault("name", "default" if number == 0 else f"default{number}")
        configurations.append(build_ip_configuration(draft.id, configuration, body["etag"]))
        configurations[-1]["properties"].setdefault("privateIPAllocationMethod", "Dynamic")
    properties["ipConfigurations"] = configurations
    properties["bgpSettings"] = _build_bgp_settings(properties, stored)
    body["properties"] = properties


def _build_bgp_settings(properties: Body, stored: Body) -> Body:
    sent: Body = properties.get("bgpSettings") or {}
    before: Body = stored.get("bgpSettings") or {}
    settings: Body = {
        "asn": sent.get("asn") or before.get("asn") or 0,
        "peerWeight": sent.get("peerWeight") or 0,
    }
    if "bgpPeeringAddress" in before:
        settings["bgpPeeringAddress"] = before["bgpPeeringAddress"]
    custom = {
        ids.to_key(row.get("ipconfigurationId", "")): row.get("customBgpIpAddresses") or []
        for row in sent.get("bgpPeeringAddresses") or ()
    }
    assigned = {
        ids.to_key(row["ipconfigurationId"]): row for row in before.get("bgpPeeringAddresses", ())
    }
    settings["bgpPeeringAddresses"] = []
    for configuration in properties["ipConfigurations"]:
        name = ids.to_key(configuration["id"])
        row: Body = {"ipconfigurationId": configuration["id"], "defaultBgpIpAddresses": []}
        row |= {
            key: value
            for key, value in assigned.get(name, {}).items()
            if key in {"defaultBgpIpAddresses", "tunnelIpAddresses"}
        }
        row["customBgpIpAddresses"] = custom.get(name, [])
        settings["bgpPeeringAddresses"].append(row)
    return settings


def _validate_delete(context: RuleContext, gateway: Resource) -> Refusal | None:
    connections = context.list_connections(gateway.id)
    if connections:
        return Refusal(
            400,
            "VirtualNetworkGatewayCannotBeDeleted",
            f"Virtual network gateway {gateway.id} cannot be deleted because connection "
            f"{connections[0].id} still uses it.",
            details=(),
        )
    for configuration in gateway.properties.get("ipConfigurations", ()):
        subnet = ids.parse((configuration["properties"].get("subnet") or {}).get("id", ""))
        if subnet is None or subnet.parent is None or len(context.list_gateways(subnet.parent)) > 1:
            continue
        for peering in context.list_peerings(subnet.parent):
            remote = (peering.properties.get("remoteVirtualNetwork") or {}).get("id", "")
            user = context.find_opposite(subnet.parent, remote)
            if user is not None and user.properties.get("useRemoteGateways"):
                return context.unknown.refuse(
                    "gateway used by a peering",
                    f"Virtual network gateway {gateway.id} cannot be deleted because peering "
                    f"{user.id} uses it as its remote gateway.",
                )
    return None


def _assign_addresses(cloud: Cloud, gateway: Resource) -> None:
    """Assign a gateway's ASN, BGP addresses and public addresses."""
    world = cloud.context.world
    properties = gateway.properties
    settings = properties["bgpSettings"]
    settings["asn"] = settings["asn"] or DEFAULT_ASN
    rows = {ids.to_key(row["ipconfigurationId"]): row for row in settings["bgpPeeringAddresses"]}
    neighbor_addresses: list[str] = []
    first = properties["ipConfigurations"][0]["properties"]["subnet"]["id"]
    beside = cloud.context.list_addresses_beside(first.rpartition("/subnets/")[0], gateway.id)
    for number, configuration in enumerate(properties["ipConfigurations"]):
        inner = configuration["properties"]
        subnet = world.get(inner["subnet"]["id"])
        prefix = str(subnet.properties["addressPrefix"]) if subnet is not None else ""
        own_addresses = addresses.pick_gateway_addresses(
            prefix, bool(properties["activeActive"]), beside
        )
        row = rows[ids.to_key(configuration["id"])]
        if own_addresses:
            row["defaultBgpIpAddresses"] = [own_addresses[min(number, len(own_addresses) - 1)]]
        public_ip = world.get((inner.get("publicIPAddress") or {}).get("id", ""))
        if public_ip is not None:
            public_ip.properties.setdefault("ipAddress", cloud.allocate_public_address())
            _activate_address(public_ip)
            row["tunnelIpAddresses"] = [public_ip.properties["ipAddress"]]
        neighbor_addresses += row["defaultBgpIpAddresses"]  # published: not the custom ones
        if properties["gatewayType"] != "Vpn":
            neighbor_addresses = list(addresses.pick_express_addresses(prefix, beside or ()))
    if properties["gatewayType"] != "Vpn":
        settings["asn"] = GATEWAY_ASN
    settings["bgpPeeringAddress"] = ",".join(neighbor_addresses)


def _activate_address(public_ip: Resource) -> None:
    """Activate a dynamic address, which is assigned with its first user."""
    if public_ip.active is not None and "ipAddress" not in public_ip.active["properties"]:
        public_ip.active = copy.deepcopy(public_ip.body)


GATEWAY = Provider(
    type=rt.GATEWAY,
    noun="VirtualNetworkGateway",
    actions=(
        "getbgppeerstatus",
        "getlearnedroutes",
        "getadvertisedroutes",
        "reset",
        "startsitefailovertest",
        "stopsitefailovertest",
        "getfailoveralltestsdetails",
        "getfailoversingletestdetails",
    ),
    references=("ipConfigurations.subnet", "ipConfigurations.publicIPAddress"),
    coverage=(
        Coverage(
            names="`Microsoft.Network/virtualNetworkGateways`",
            modelled="VPN (route-based, BGP, active-standby and active-active) and ExpressRoute; "
            "AZ SKUs and zoned addresses by date; long first answer, lengthening Retry-After; BGP "
            "addresses from GatewaySubnet, and custom (APIPA) ones; the list `connections` of a "
            "gateway, without `connectionStatus`",
            not_modelled="point-to-site, NAT rules, policy-based tunnels' selectors, custom "
            "routes, resizing rules, packet capture, generation limits",
            rests_on="recording; BGP tables: observation",
        ),
        Coverage(
            names="`virtualNetworkGateways/getBgpPeerStatus`, `getLearnedRoutes`, "
            "`getAdvertisedRoutes`",
            modelled="sessions with hold and connect time, AS paths, loop prevention, origin and "
            "withdrawal, own and twin instance, edge peers",
            not_modelled="route filters, communities, weights other than Azure's defaults",
            rests_on="observation and recording; ties between equal routes: inference",
        ),
        Coverage(
            names="`virtualNetworkGateways/reset`",
            modelled="its duration, and the lock on the gateway",
            not_modelled="an outage of the tunnels",
            rests_on="recording",
        ),
        Coverage(
            names="`virtualNetworkGateways/startSiteFailoverTest`, `stopSiteFailoverTest`, "
            "`getFailoverAllTestsDetails`, `getFailoverSingleTestDetails`",
            modelled="one peering location down for one gateway until stopped; refused on a "
            "single location; `Starting`, `Running`, `Stopping`, `Completed`",
            not_modelled="durations, the resiliency score",
            rests_on="document; when a test shows as `Starting` or `Stopping`: inference",
        ),
    ),
    shape={
        "gatewayType": str,
        "vpnType": str,
        "enableBgp": bool,
        "activeActive": bool,
        "sku": {"name": str, "tier": str},
        "ipConfigurations": [IP_CONFIGURATION],
        "bgpSettings": BGP_SETTINGS,
    },
    has_guid=True,
    slow_without_change=True,
    slow_patch=True,
    etag_header=False,
    complete=_complete,
    validate=_validate,
    validate_delete=_validate_delete,
    finish_write=_assign_addresses,
)
