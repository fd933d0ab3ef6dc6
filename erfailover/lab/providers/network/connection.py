"""Connections of VPN and ExpressRoute gateways: defaults, rules, status."""

from __future__ import annotations

from erfailover.lab.core import errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import ValueGenerator
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft
from erfailover.lab.providers.network import circuit
from erfailover.lab.providers.provider import Coverage, Provider, View
from erfailover.lab.providers.shapes import REFERENCE


def _complete(draft: Draft, existing: Resource | None, generator: ValueGenerator) -> None:
    """Complete a connection's body (recorded); the shared key is taken out."""
    properties: Body = draft.body["properties"]
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
    if shared_key:
        draft.secrets["sharedKey"] = shared_key


def _validate(context: RuleContext, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Return the refusal of a connection; its references have already been validated."""
    properties, connection_id = draft.body["properties"], draft.id
    if properties.get("connectionType") == "ExpressRoute":
        return circuit.validate_connection(context, connection_id, properties)
    if properties.get("connectionType") != "IPsec":
        return errors.not_modelled(f"connections of type {properties.get('connectionType')}")
    for name, type_ in (
        ("virtualNetworkGateway1", rt.GATEWAY),
        ("localNetworkGateway2", rt.LOCAL_GATEWAY),
    ):
        target = (properties.get(name) or {}).get("id", "")
        if not target:
            return errors.property_missing(name, str(connection_id))
        resource = context.world.get(target)
        if resource is None or resource.id.type != type_:
            return errors.reference_missing(target, str(connection_id))
        before = (existing.properties.get(name) or {}).get("id", "") if existing else target
        if ids.to_key(before) != ids.to_key(target):
            return context.unknown.refuse(
                "connection moved", f"{name} of connection {connection_id} cannot be changed."
            )
    return _validate_bgp(context, connection_id, properties)


def _validate_bgp(
    context: RuleContext, connection_id: ids.ResourceId, properties: Body
) -> Refusal | None:
    gateway = context.world.get(properties["virtualNetworkGateway1"]["id"])
    local = context.world.get(properties["localNetworkGateway2"]["id"])
    if gateway is None or local is None or not properties.get("enableBgp"):
        return None
    if gateway.properties.get("enableBgp") and local.properties.get("bgpSettings"):
        return None
    return context.unknown.refuse(
        "BGP on one side only",
        f"Connection {connection_id} cannot have EnableBgp set to true unless gateway "
        f"{gateway.id} and local network gateway {local.id} have BGP settings.",
    )


def _present(view: View, connection: Resource) -> Body:
    added: Body = {}
    if "sharedKey" in connection.hidden:
        added["sharedKey"] = connection.hidden["sharedKey"]  # recorded: Azure shows it
    if view.read and connection.active is not None:
        added["connectionStatus"] = view.tunnels.get_connection_status(connection)
    return added


CONNECTION = Provider(
    type=rt.CONNECTION,
    noun="VirtualNetworkGatewayConnection",
    references=(
        "virtualNetworkGateway1",
        "virtualNetworkGateway2",
        "localNetworkGateway2",
        "peer",
    ),
    coverage=(
        Coverage(
            names="`Microsoft.Network/connections`, `connections/sharedKey`",
            modelled="IPsec and ExpressRoute; both ends must agree on addresses, key and BGP; "
            "shared key read, set, reset",
            not_modelled="Vnet2Vnet and VPN clients (501), IPsec policies' effect, traffic "
            "selectors, throughput",
            rests_on="recording",
        ),
    ),
    shape={
        "connectionType": str,
        "virtualNetworkGateway1": REFERENCE,
        "virtualNetworkGateway2": REFERENCE,
        "localNetworkGateway2": REFERENCE,
        "peer": REFERENCE,
        "sharedKey": str,
        "enableBgp": bool,
        "routingWeight": int,
        "gatewayCustomBgpIpAddresses": [{"ipConfigurationId": str, "customBgpIpAddress": str}],
    },
    has_guid=True,
    # Recorded: a connection in westus to a local network gateway in eastus.
    any_region=frozenset({"localNetworkGateway2"}),
    slow_without_change=True,
    etag_header=False,
    complete=_complete,
    validate=_validate,
    present=_present,
)
