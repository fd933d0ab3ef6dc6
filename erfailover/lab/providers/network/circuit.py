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
from erfailover.lab.providers.bodies import Draft
from erfailover.lab.providers.provider import Coverage, Provider
from erfailover.lab.providers.shapes import children

KINDS = frozenset({"AzurePrivatePeering", "MicrosoftPeering"})


def _complete_circuit(draft: Draft, existing: Resource | None, fresh: Fresh) -> None:
    """Fill a circuit's body in."""
    body = draft.body
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


def _complete_peering(draft: Draft, existing: Resource | None, fresh: Fresh) -> None:
    """Fill a circuit peering's body in."""
    properties: Body = draft.body["properties"]
    properties.setdefault("peeringType", draft.id.name)
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


def _validate_circuit(scene: Scene, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Why a circuit may not be written so."""
    body = draft.body
    provider = body["properties"].get("serviceProviderProperties") or {}
    for name in ("serviceProviderName", "peeringLocation", "bandwidthInMbps"):
        if not provider.get(name):
            return errors.property_missing(name, str(draft.id))
    if body["sku"].get("tier") not in {"Local", "Standard", "Premium", "Basic"}:
        return errors.property_invalid("sku.tier", body["sku"].get("tier"), "Local to Premium")
    return None


def _validate_peering(scene: Scene, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Why a circuit's peering may not be written so."""
    properties, peering_id = draft.body["properties"], draft.id
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


def _validate_delete(scene: Scene, circuit: Resource) -> Refusal | None:
    users = scene.references.users(circuit.id)
    if not users:
        return None
    return scene.unknown.refuse(
        "circuit in use",
        f"Circuit {circuit.id} cannot be deleted because connection {users[0].source} uses it.",
    )


_PEERING_SHAPE = {
    "peeringType": str,
    "state": str,
    "peerASN": int,
    "vlanId": int,
    "primaryPeerAddressPrefix": str,
    "secondaryPeerAddressPrefix": str,
    "sharedKey": str,
}
CIRCUIT = Provider(
    type=rt.CIRCUIT,
    noun="ExpressRouteCircuit",
    coverage=(
        Coverage(
            names="`Microsoft.Network/expressRouteCircuits`, `expressRouteCircuits/peerings`",
            modelled="a circuit with its private peering and connection; its state decides the "
            "gateway's routes. Two tags stand for what is no part of ARM: `lab:on-premises`, the "
            "prefixes announced behind it, and `lab:edges-down`, the edge routers that do not "
            "answer (`primary`, `secondary`)",
            not_modelled="authorizations, Global Reach, Direct ports, Microsoft peering's routes, "
            "billing states",
            rests_on="document; provisioning by the provider: inference",
        ),
    ),
    shape={
        "peerings": children(_PEERING_SHAPE),
        "serviceProviderProperties": {
            "serviceProviderName": str,
            "peeringLocation": str,
            "bandwidthInMbps": int,
        },
        "authorizations": [dict],
    },
    read_only=frozenset({"peerings"}),
    complete=_complete_circuit,
    validate=_validate_circuit,
    validate_delete=_validate_delete,
)
CIRCUIT_PEERING = Provider(
    type=rt.CIRCUIT_PEERING,
    noun="ExpressRouteCircuitPeering",
    actions=("routetablessummary/primary", "routetablessummary/secondary"),
    coverage=(
        Coverage(
            names="`peerings/routeTablesSummary/primary`, `peerings/routeTablesSummary/secondary`",
            modelled="the sessions of either edge router with the customer edge and with the "
            "gateways, their uptime as routers print it; a customer edge is lost by "
            "`erfailover lab fault session`, for good or again and again, while the gateway's own "
            "sessions stay up",
            not_modelled="`routeTables`, `arpTables`, statistics",
            rests_on="document (REST 2023-09-01); both instances of a gateway listed: inference",
        ),
    ),
    shape=_PEERING_SHAPE,
    complete=_complete_peering,
    validate=_validate_peering,
)
