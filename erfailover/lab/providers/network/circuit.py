"""ExpressRoute circuits, their peerings and connections: what Azure makes of them and refuses.

Owns the defaults and the rules of ``expressRouteCircuits``; pure. Shapes and values are those of
Azure's reference; codes of refusals are not published, so the lab makes them up per run.

The provider's part is no part of ARM: here it has provisioned a circuit as soon as that is
made (assumed).
"""

from __future__ import annotations

from erfailover.lab.core import addresses, errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.addresses import EDGE_ASN
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import Fresh
from erfailover.lab.core.scene import Scene
from erfailover.lab.core.world import Body, Resource

KINDS = frozenset({"AzurePrivatePeering", "MicrosoftPeering"})


def complete_circuit(body: Body, existing: Resource | None, fresh: Fresh) -> None:
    """Fill a circuit's body in."""
    sku: Body = body.setdefault("sku", {})
    tier, family = sku.setdefault("tier", "Standard"), sku.setdefault("family", "MeteredData")
    sku.setdefault("name", f"{tier}_{family}")
    properties: Body = body["properties"]
    known = existing.properties if existing else {}
    defaults: Body = {
        "authorizations": [],
        "allowClassicOperations": False,
        "gatewayManagerEtag": "",
        "globalReachEnabled": False,
        "enableDirectPortRateLimit": False,
    }
    for name, value in defaults.items():
        properties.setdefault(name, value)
    properties["circuitProvisioningState"] = "Enabled"
    properties["serviceProviderProvisioningState"] = "Provisioned"
    properties["serviceKey"] = known.get("serviceKey") or fresh.guid()


def complete_peering(resource_id: ids.ResourceId, properties: Body) -> None:
    """Fill a circuit peering's body in."""
    properties.setdefault("peeringType", resource_id.name)
    properties.setdefault("state", "Enabled")
    properties["azureASN"] = EDGE_ASN
    defaults: Body = {
        "primaryAzurePort": "",
        "secondaryAzurePort": "",
        "gatewayManagerEtag": "",
        "lastModifiedBy": "Customer",
        "connections": [],
        "peeredConnections": [],
    }
    for name, value in defaults.items():
        properties.setdefault(name, value)


def circuit_refused(scene: Scene, circuit_id: ids.ResourceId, body: Body) -> Refusal | None:
    """Why a circuit may not be written so."""
    provider = body["properties"].get("serviceProviderProperties") or {}
    for name in ("serviceProviderName", "peeringLocation", "bandwidthInMbps"):
        if not provider.get(name):
            return errors.property_missing(name, str(circuit_id))
    if body["sku"].get("tier") not in {"Local", "Standard", "Premium", "Basic"}:
        return errors.property_invalid("sku.tier", body["sku"].get("tier"), "Local to Premium")
    return None


def peering_refused(scene: Scene, peering_id: ids.ResourceId, body: Body) -> Refusal | None:
    """Why a circuit's peering may not be written so."""
    properties = body["properties"]
    kind = properties["peeringType"]
    if kind not in KINDS or kind != peering_id.name:
        return errors.property_invalid(
            "peeringType", kind, "the peering's name, AzurePrivatePeering"
        )
    if kind != "AzurePrivatePeering":
        return errors.not_modelled(f"circuit peerings of type {kind}")
    for name in ("peerASN", "vlanId"):
        if not properties.get(name):
            return errors.property_missing(name, str(peering_id))
    for name in ("primaryPeerAddressPrefix", "secondaryPeerAddressPrefix"):
        prefix = properties.get(name)
        found = addresses.network(prefix)
        if found is None or found.prefixlen != 30:
            return errors.property_invalid(name, prefix, "a /30")
    return None


def connection_refused(
    scene: Scene, connection_id: ids.ResourceId, properties: Body
) -> Refusal | None:
    """Why a connection of type ExpressRoute may not be written so."""
    found: list[Resource] = []
    for name, type_ in (("virtualNetworkGateway1", rt.GATEWAY), ("peer", rt.CIRCUIT)):
        target = (properties.get(name) or {}).get("id", "")
        if not target:
            return errors.property_missing(name, str(connection_id))
        resource = scene.world.get(target)
        if resource is None or resource.id.type != type_:
            return errors.reference_missing(target, str(connection_id))
        found.append(resource)
    gateway, circuit = found
    if gateway.properties.get("gatewayType") != "ExpressRoute":
        return scene.unknown.refuse(
            "circuit at another gateway",
            f"Connection {connection_id} of type ExpressRoute needs an ExpressRoute gateway; "
            f"{gateway.id} is none.",
        )
    if not scene.world.children(circuit.id, "peerings"):
        return scene.unknown.refuse(
            "circuit without private peering",
            f"Circuit {circuit.id} of connection {connection_id} has no private peering.",
        )
    for other in scene.connections(gateway.id):
        same = ids.key((other.properties.get("peer") or {}).get("id", "")) == ids.key(circuit.id)
        if same and ids.key(other.id) != ids.key(connection_id):
            return scene.unknown.refuse(
                "second connection to one circuit",
                f"Gateway {gateway.id} is connected to circuit {circuit.id} already by {other.id}.",
            )
    return None


def _circuit_in_use(scene: Scene, circuit: Resource) -> Refusal | None:
    users = scene.references.users(circuit.id)
    if not users:
        return None
    return scene.unknown.refuse(
        "circuit in use",
        f"Circuit {circuit.id} cannot be deleted because connection {users[0].source} uses it.",
    )
