"""ExpressRoute circuits, their peerings and connections: defaults and rules.

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
from erfailover.lab.core.generated import ValueGenerator
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft
from erfailover.lab.providers.provider import Coverage, Provider
from erfailover.lab.providers.shapes import make_children_shape

KINDS = frozenset({"AzurePrivatePeering", "MicrosoftPeering"})
SESSION_SUBNET_LENGTH = 30
"""The prefix length of a session's subnet (documented)."""


def _complete_circuit(draft: Draft, existing: Resource | None, generator: ValueGenerator) -> None:
    """Complete a circuit's body."""
    body = draft.body
    sku: Body = body.setdefault("sku", {})
    tier, family = sku.setdefault("tier", "Standard"), sku.setdefault("family", "MeteredData")
    sku.setdefault("name", f"{tier}_{family}")
    properties: Body = body["properties"]
    stored = existing.properties if existing else {}
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
    properties["serviceKey"] = stored.get("serviceKey") or generator.make_guid()


def _complete_peering(draft: Draft, existing: Resource | None, generator: ValueGenerator) -> None:
    """Complete a circuit peering's body."""
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


def _validate_circuit(
    context: RuleContext, draft: Draft, existing: Resource | None
) -> Refusal | None:
    """Return the refusal if a circuit may not be written; None if it may."""
    body = draft.body
    provider = body["properties"].get("serviceProviderProperties") or {}
    for name in ("serviceProviderName", "peeringLocation", "bandwidthInMbps"):
        if not provider.get(name):
            return errors.property_missing(name, str(draft.id))
    if body["sku"].get("tier") not in {"Local", "Standard", "Premium", "Basic"}:
        return errors.property_invalid("sku.tier", body["sku"].get("tier"), "Local to Premium")
    return None


def _validate_peering(
    context: RuleContext, draft: Draft, existing: Resource | None
) -> Refusal | None:
    """Return the refusal if a circuit's peering may not be written; None if it may."""
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
        network = addresses.parse_network(prefix)
        if network is None or network.prefixlen != SESSION_SUBNET_LENGTH:
            return errors.property_invalid(name, prefix, "a /30")
    return None


def validate_connection(
    context: RuleContext, connection_id: ids.ResourceId, properties: Body
) -> Refusal | None:
    """Return the refusal if an ExpressRoute connection may not be written; None if it may."""
    resources: list[Resource] = []
    for name, type_ in (("virtualNetworkGateway1", rt.GATEWAY), ("peer", rt.CIRCUIT)):
        target = (properties.get(name) or {}).get("id", "")
        if not target:
            return errors.property_missing(name, str(connection_id))
        resource = context.world.get(target)
        if resource is None or resource.id.type != type_:
            return errors.reference_missing(target, str(connection_id))
        resources.append(resource)
    gateway, circuit = resources
    if gateway.properties.get("gatewayType") != "ExpressRoute":
        return context.unknown.refuse(
            "circuit at another gateway",
            f"Connection {connection_id} of type ExpressRoute needs an ExpressRoute gateway; "
            f"{gateway.id} is none.",
        )
    if not context.world.list_children(circuit.id, "peerings"):
        return context.unknown.refuse(
            "circuit without private peering",
            f"Circuit {circuit.id} of connection {connection_id} has no private peering.",
        )
    for other in context.list_connections(gateway.id):
        same = ids.to_key((other.properties.get("peer") or {}).get("id", "")) == ids.to_key(
            circuit.id
        )
        if same and ids.to_key(other.id) != ids.to_key(connection_id):
            return context.unknown.refuse(
                "second connection to one circuit",
                f"Gateway {gateway.id} is connected to circuit {circuit.id} already by {other.id}.",
            )
    return None


def _validate_delete(context: RuleContext, circuit: Resource) -> Refusal | None:
    users = context.references.find_users(circuit.id)
    if not users:
        return None
    return context.unknown.refuse(
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
            "gateway's routes. Two tags represent what ARM does not contain: `lab:on-premises`, "
            "the prefixes that its far end advertises, and `lab:edges-down`, the edge routers that "
            "do not answer (`primary`, `secondary`)",
            not_modelled="authorizations, Global Reach, Direct ports, Microsoft peering's routes, "
            "billing states",
            rests_on="document; provisioning by the provider: inference",
        ),
    ),
    shape={
        "peerings": make_children_shape(_PEERING_SHAPE),
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
            "gateways, their uptime as routers print it; `erfailover lab fault session` takes down "
            "a customer edge, permanently or repeatedly, while the gateway's own sessions stay up",
            not_modelled="`routeTables`, `arpTables`, statistics",
            rests_on="document (REST 2023-09-01); both instances of a gateway listed: inference",
        ),
    ),
    shape=_PEERING_SHAPE,
    complete=_complete_peering,
    validate=_validate_peering,
)
