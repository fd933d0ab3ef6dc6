"""The JSON types of what a client may write.

Owns which property is an object, a list, a string, a number or a boolean, so that nothing
behind it meets a value of another type. Properties that it does not name pass unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.world import Body

Shape = Any
"""``str``, ``bool``, ``int`` for a value; ``[shape]`` for a list; a mapping for an object."""

_REFERENCE = {"id": str}
_PREFIXES = {"addressPrefixes": [str]}
_SUBNET = {
    "addressPrefix": str,
    "addressPrefixes": [str],
    "networkSecurityGroup": _REFERENCE,
    "routeTable": _REFERENCE,
    "natGateway": _REFERENCE,
    "delegations": [dict],
    "serviceEndpoints": [dict],
}
_PEERING = {
    "remoteVirtualNetwork": _REFERENCE,
    "allowVirtualNetworkAccess": bool,
    "allowForwardedTraffic": bool,
    "allowGatewayTransit": bool,
    "useRemoteGateways": bool,
    "doNotVerifyRemoteGateways": bool,
    "peerCompleteVnets": bool,
}
_ROUTE = {"addressPrefix": str, "nextHopType": str, "nextHopIpAddress": str}
_RULE = {
    "protocol": str,
    "access": str,
    "direction": str,
    "priority": int,
    "sourcePortRange": str,
    "destinationPortRange": str,
    "sourceAddressPrefix": str,
    "destinationAddressPrefix": str,
    "sourcePortRanges": [str],
    "destinationPortRanges": [str],
    "sourceAddressPrefixes": [str],
    "destinationAddressPrefixes": [str],
}
_IP_CONFIGURATION = {
    "name": str,
    "properties": {
        "subnet": _REFERENCE,
        "publicIPAddress": _REFERENCE,
        "privateIPAddress": str,
        "privateIPAllocationMethod": str,
        "primary": bool,
    },
}
_BGP = {
    "asn": int,
    "bgpPeeringAddress": str,
    "peerWeight": int,
    "bgpPeeringAddresses": [
        {
            "ipconfigurationId": str,
            "customBgpIpAddresses": [str],
            "defaultBgpIpAddresses": [str],
            "tunnelIpAddresses": [str],
        }
    ],
}


_CIRCUIT_PEERING = {
    "peeringType": str,
    "state": str,
    "peerASN": int,
    "vlanId": int,
    "primaryPeerAddressPrefix": str,
    "secondaryPeerAddressPrefix": str,
    "sharedKey": str,
}


def _children(properties: Shape) -> Shape:
    return [{"id": str, "name": str, "properties": properties}]


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        rt.VNET: {
            "addressSpace": _PREFIXES,
            "summarizedGatewayPrefixes": _PREFIXES,
            "subnets": _children(_SUBNET),
            "virtualNetworkPeerings": _children(_PEERING),
            "dhcpOptions": {"dnsServers": [str]},
        },
        rt.SUBNET: _SUBNET,
        rt.PEERING: _PEERING,
        rt.PUBLIC_IP: {
            "publicIPAllocationMethod": str,
            "publicIPAddressVersion": str,
            "idleTimeoutInMinutes": int,
            "dnsSettings": {"domainNameLabel": str},
        },
        rt.NIC: {
            "ipConfigurations": [_IP_CONFIGURATION],
            "networkSecurityGroup": _REFERENCE,
            "enableIPForwarding": bool,
            "dnsSettings": {"dnsServers": [str]},
        },
        rt.ROUTE_TABLE: {"routes": _children(_ROUTE), "disableBgpRoutePropagation": bool},
        rt.ROUTE: _ROUTE,
        rt.SECURITY_GROUP: {"securityRules": _children(_RULE)},
        rt.SECURITY_RULE: _RULE,
        rt.GATEWAY: {
            "gatewayType": str,
            "vpnType": str,
            "enableBgp": bool,
            "activeActive": bool,
            "sku": {"name": str, "tier": str},
            "ipConfigurations": [_IP_CONFIGURATION],
            "bgpSettings": _BGP,
        },
        rt.LOCAL_GATEWAY: {
            "gatewayIpAddress": str,
            "fqdn": str,
            "localNetworkAddressSpace": _PREFIXES,
            "bgpSettings": _BGP,
        },
        rt.CONNECTION: {
            "connectionType": str,
            "virtualNetworkGateway1": _REFERENCE,
            "virtualNetworkGateway2": _REFERENCE,
            "localNetworkGateway2": _REFERENCE,
            "peer": _REFERENCE,
            "sharedKey": str,
            "enableBgp": bool,
            "routingWeight": int,
            "gatewayCustomBgpIpAddresses": [{"ipConfigurationId": str, "customBgpIpAddress": str}],
        },
        rt.CIRCUIT: {
            "peerings": _children(_CIRCUIT_PEERING),
            "serviceProviderProperties": {
                "serviceProviderName": str,
                "peeringLocation": str,
                "bandwidthInMbps": int,
            },
            "authorizations": [dict],
        },
        rt.CIRCUIT_PEERING: _CIRCUIT_PEERING,
        rt.VIRTUAL_HUB: {
            "sku": str,
            "virtualWan": _REFERENCE,
            "addressPrefix": str,
            "allowBranchToBranchTraffic": bool,
            "hubRoutingPreference": str,
        },
        rt.HUB_CONFIGURATION: {"subnet": _REFERENCE, "publicIPAddress": _REFERENCE},
        rt.HUB_CONNECTION: {"peerIp": str, "peerAsn": int},
        rt.VM: {
            "hardwareProfile": {"vmSize": str},
            "storageProfile": {"imageReference": dict, "osDisk": dict, "dataDisks": [dict]},
            "osProfile": {
                "computerName": str,
                "adminUsername": str,
                "adminPassword": str,
                "customData": str,
                "linuxConfiguration": dict,
            },
            "networkProfile": {"networkInterfaces": [{"id": str, "properties": {"primary": bool}}]},
        },
    }
)


def fault(type_: str, body: Body) -> str | None:
    """What is of the wrong JSON type in a request, in words; None where nothing is."""
    top = {
        "id": str,
        "name": str,
        "location": str,
        "tags": {},
        "sku": {"name": str, "tier": str},
        "zones": [str],
        "properties": SHAPES.get(type_, {}),
    }
    return _fault(body, top, "$") or _tags_fault(body.get("tags"))


def _tags_fault(tags: object) -> str | None:
    if isinstance(tags, dict) and not all(isinstance(each, str) for each in tags.values()):
        return "the tags at $.tags must be strings"
    return None


def _fault(value: object, shape: Shape, path: str) -> str | None:
    if value is None:
        return None
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"a list was expected at {path}"
        inner = (_fault(each, shape[0], f"{path}[{i}]") for i, each in enumerate(value))
        missing = next((i for i, each in enumerate(value) if each is None), None)
        if missing is not None:
            return f"null was not expected at {path}[{missing}]"
        return next((each for each in inner if each), None)
    if isinstance(shape, Mapping):
        if not isinstance(value, dict):
            return f"an object was expected at {path}"
        found = (_fault(value.get(key), each, f"{path}.{key}") for key, each in shape.items())
        return next((each for each in found if each), None)
    wrong = not isinstance(value, shape) or (shape is int and isinstance(value, bool))
    names = {str: "a string", bool: "a boolean", int: "a number", dict: "an object"}
    return f"{names[shape]} was expected at {path}" if wrong else None
