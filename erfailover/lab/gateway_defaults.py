"""What Azure makes of the bodies of gateways, local network gateways and connections.

Owns their defaults and read-only parts, all recorded; pure. The BGP addresses that Azure
assigns come with the completion (``effects``).
"""

from __future__ import annotations

from erfailover.lab import ids
from erfailover.lab.world import Body, Resource

DEFAULT_ASN = 65515
"""The ASN of a gateway whose client names none (recorded)."""


def complete_gateway(resource_id: ids.ResourceId, body: Body, existing: Resource | None) -> None:
    """Fill a virtual network gateway's body in (recorded)."""
    sent: Body = body["properties"]
    known = existing.properties if existing else {}
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
    for number, each in enumerate(sent.get("ipConfigurations") or ()):
        each.setdefault("name", "default" if number == 0 else f"default{number}")
        configurations.append(_configuration(resource_id, each, body["etag"]))
    properties["ipConfigurations"] = configurations
    properties["bgpSettings"] = _bgp_settings(properties, known)
    body["properties"] = properties


def _configuration(owner: ids.ResourceId, sent: Body, etag: str) -> Body:
    inner: Body = {"privateIPAllocationMethod": "Dynamic", **(sent.get("properties") or {})}
    inner["provisioningState"] = "Updating"
    for name in ("subnet", "publicIPAddress"):
        if isinstance(inner.get(name), dict):
            inner[name] = {"id": inner[name].get("id", "")}
        else:
            inner.pop(name, None)
    return {
        "name": sent["name"],
        "id": f"{owner}/ipConfigurations/{sent['name']}",
        "etag": etag,
        "type": f"{owner.type}/ipConfigurations",
        "properties": inner,
    }


def _bgp_settings(properties: Body, known: Body) -> Body:
    sent: Body = properties.get("bgpSettings") or {}
    before: Body = known.get("bgpSettings") or {}
    settings: Body = {
        "asn": sent.get("asn") or before.get("asn") or 0,
        "peerWeight": sent.get("peerWeight") or 0,
    }
    if "bgpPeeringAddress" in before:
        settings["bgpPeeringAddress"] = before["bgpPeeringAddress"]
    custom = {
        ids.key(each.get("ipconfigurationId", "")): each.get("customBgpIpAddresses") or []
        for each in sent.get("bgpPeeringAddresses") or ()
    }
    assigned = {
        ids.key(each["ipconfigurationId"]): each for each in before.get("bgpPeeringAddresses", ())
    }
    settings["bgpPeeringAddresses"] = []
    for each in properties["ipConfigurations"]:
        name = ids.key(each["id"])
        row: Body = {"ipconfigurationId": each["id"], "defaultBgpIpAddresses": []}
        row |= {
            key: value
            for key, value in assigned.get(name, {}).items()
            if key in {"defaultBgpIpAddresses", "tunnelIpAddresses"}
        }
        row["customBgpIpAddresses"] = custom.get(name, [])
        settings["bgpPeeringAddresses"].append(row)
    return settings


def complete_local(properties: Body) -> None:
    """Fill a local network gateway's body in (recorded)."""
    properties.setdefault("localNetworkAddressSpace", {"addressPrefixes": []})
    properties["localNetworkAddressSpace"].setdefault("addressPrefixes", [])
    settings = properties.get("bgpSettings")
    if isinstance(settings, dict):
        properties["bgpSettings"] = {
            "asn": settings.get("asn"),
            "bgpPeeringAddress": settings.get("bgpPeeringAddress"),
            "peerWeight": settings.get("peerWeight") or 0,
        }


def complete_connection(properties: Body) -> dict[str, str]:
    """Fill a connection's body in (recorded); gives back the shared key, taken out."""
    for name in ("virtualNetworkGateway1", "virtualNetworkGateway2", "localNetworkGateway2"):
        value = properties.get(name)
        if isinstance(value, dict):
            properties[name] = {"id": value.get("id", "")}
    for kind in ("IPsec", "Vnet2Vnet", "ExpressRoute", "VPNClient"):
        if str(properties.get("connectionType")).lower() == kind.lower():
            properties["connectionType"] = kind  # az writes IPSec, Azure answers IPsec (recorded)
    for read_only in ("connectionStatus", "tunnelConnectionStatus", "tunnelProperties"):
        properties.pop(read_only, None)
    defaults: Body = {
        "packetCaptureDiagnosticState": "None",
        "connectionProtocol": "IKEv2",
        "routingWeight": 0,
        "enableBgp": False,
        "useLocalAzureIpAddress": False,
        "usePolicyBasedTrafficSelectors": False,
        "ipsecPolicies": [],
        "trafficSelectorPolicies": [],
        "expressRouteGatewayBypass": False,
        "enablePrivateLinkFastPath": False,
        "dpdTimeoutSeconds": 0,
        "connectionMode": "Default",
        "gatewayCustomBgpIpAddresses": [],
    }
    for key, value in defaults.items():
        properties.setdefault(key, value)
    properties["ingressBytesTransferred"] = 0
    properties["egressBytesTransferred"] = 0
    shared_key = properties.pop("sharedKey", None)
    return {"sharedKey": shared_key} if shared_key else {}
