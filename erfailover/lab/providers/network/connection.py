"""Connections of VPN gateways: their defaults, what a write may not say."""

from __future__ import annotations

from erfailover.lab.core import errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.scene import Scene
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.network import circuit


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


def connection_refused(
    scene: Scene, connection_id: ids.ResourceId, body: Body, existing: Resource | None
) -> Refusal | None:
    """Why a connection may not be written so; its references have been checked before."""
    properties = body["properties"]
    if properties.get("connectionType") == "ExpressRoute":
        return circuit.connection_refused(scene, connection_id, properties)
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
