"""What Azure makes of a request's body: the defaults it adds, the read-only parts it ignores.

Owns the shape of the bodies of Microsoft.Network as they are kept; pure apart from the names
that ``Fresh`` makes up. Gateways and connections stand in ``gateway_defaults``, machines in
``machine_defaults``. Which keys an answer carries: recorded (the keys that 95 % and more of
some 300,000 recorded answers have).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from erfailover.lab import ids
from erfailover.lab import resource_types as rt
from erfailover.lab.circuits import complete_circuit, complete_peering
from erfailover.lab.fresh import Fresh
from erfailover.lab.gateway_defaults import complete_connection, complete_gateway, complete_local
from erfailover.lab.machine_defaults import complete_machine
from erfailover.lab.route_servers import complete_hub
from erfailover.lab.world import Body, Resource


@dataclass(slots=True)
class Draft:
    """A body in the making.

    ``children`` are those the body names, by child type; a type that the body does not name
    is missing. ``secrets`` are taken out of the body.
    """

    id: ids.ResourceId
    body: Body
    children: dict[str, list[tuple[ids.ResourceId, Body]]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


_IGNORED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        rt.VNET: frozenset({"subnets", "virtualNetworkPeerings", "enableVmProtection"}),
        rt.SUBNET: frozenset(
            {
                "ipConfigurations",
                "ipConfigurationProfiles",
                "privateEndpoints",
                "purpose",
                "resourceNavigationLinks",
                "serviceAssociationLinks",
            }
        ),
        rt.PEERING: frozenset(
            {
                "peeringState",
                "peeringSyncLevel",
                "remoteAddressSpace",
                "remoteVirtualNetworkAddressSpace",
                "remoteGateways",
                "routeServiceVips",
            }
        ),
        rt.PUBLIC_IP: frozenset({"ipAddress", "ipConfiguration", "natGateway"}),
        rt.NIC: frozenset(
            {"virtualMachine", "macAddress", "hostedWorkloads", "primary", "tapConfigurations"}
        ),
        rt.ROUTE_TABLE: frozenset({"routes", "subnets"}),
        rt.CIRCUIT: frozenset({"peerings"}),
        rt.VIRTUAL_HUB: frozenset(
            {"ipConfigurations", "bgpConnections", "virtualRouterIps", "routingState"}
        ),
        rt.SECURITY_GROUP: frozenset(
            {"securityRules", "defaultSecurityRules", "subnets", "networkInterfaces"}
        ),
    }
)
"""Properties that a client may send back and Azure does not read, children included."""

_DEFAULTS: Mapping[str, Body] = MappingProxyType(
    {
        rt.VNET: {"privateEndpointVNetPolicies": "Disabled", "enableDdosProtection": False},
        rt.SUBNET: {
            "delegations": [],
            "privateEndpointNetworkPolicies": "Disabled",
            "privateLinkServiceNetworkPolicies": "Enabled",
        },
        rt.PEERING: {
            "allowVirtualNetworkAccess": True,
            "allowForwardedTraffic": False,
            "allowGatewayTransit": False,
            "useRemoteGateways": False,
            "doNotVerifyRemoteGateways": False,
            "peerCompleteVnets": True,
            "routeServiceVips": {},
        },
        rt.PUBLIC_IP: {
            "publicIPAddressVersion": "IPv4",
            "publicIPAllocationMethod": "Dynamic",
            "idleTimeoutInMinutes": 4,
            "ipTags": [],
            "ddosSettings": {"protectionMode": "VirtualNetworkInherited"},
        },
        rt.NIC: {
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
        rt.ROUTE_TABLE: {"disableBgpRoutePropagation": False},
        rt.ROUTE: {"hasBgpOverride": False},
        rt.SECURITY_GROUP: {},
        rt.SECURITY_RULE: {
            "sourcePortRanges": [],
            "destinationPortRanges": [],
            "sourceAddressPrefixes": [],
            "destinationAddressPrefixes": [],
        },
    }
)

EMPTIED = frozenset({rt.ROUTE_TABLE, rt.SECURITY_GROUP})
"""Types that lose the children a PUT does not name (recorded for route tables)."""
WITHOUT_GUID = frozenset(
    {
        rt.CIRCUIT,
        rt.CIRCUIT_PEERING,
        rt.SUBNET,
        rt.ROUTE,
        rt.SECURITY_RULE,
        rt.VIRTUAL_HUB,
        rt.HUB_CONFIGURATION,
        rt.HUB_CONNECTION,
        rt.VM,
    }
)


def complete(
    resource_id: ids.ResourceId, request: Body, existing: Resource | None, fresh: Fresh
) -> Draft:
    """The body that Azure keeps of a PUT, its children apart, and its secrets apart.

    ``request`` must have passed ``shapes``. The draft's ``provisioningState`` is Updating.
    """
    type_ = resource_id.type
    sent: Body = without_nulls(request.get("properties") or {})
    draft = Draft(resource_id, {})
    for child_type in rt.children(type_) if type_ != rt.VIRTUAL_HUB else ():
        if isinstance(sent.get(child_type.collection), list):
            draft.children[child_type.type] = _children(
                resource_id, child_type, sent[child_type.collection], fresh
            )
    if type_ in EMPTIED:
        for child_type in rt.children(type_):
            draft.children.setdefault(child_type.type, [])
    properties: Body = {"provisioningState": "Updating"}
    if type_ not in WITHOUT_GUID:
        known = existing.properties.get("resourceGuid") if existing else None
        properties["resourceGuid"] = known or fresh.guid()
    properties |= copy.deepcopy(_DEFAULTS.get(type_, {}))
    ignored = _IGNORED.get(type_, frozenset()) | {"provisioningState", "resourceGuid"}
    properties |= {key: value for key, value in sent.items() if key not in ignored}
    draft.body = _envelope(resource_id, request, existing, fresh)
    draft.body["properties"] = properties
    _complete_type(draft, request, existing, fresh)
    return draft


def without_nulls(value: Any) -> Any:
    """A copy of a JSON value without the members that are null: Azure takes them as absent."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [without_nulls(each) for each in value]
    return value


def _envelope(
    resource_id: ids.ResourceId, request: Body, existing: Resource | None, fresh: Fresh
) -> Body:
    shown = existing.body["id"] if existing else str(resource_id)
    body: Body = {"name": existing.body["name"] if existing else resource_id.name, "id": shown}
    if not resource_id.provider.lower().endswith("compute"):
        body["etag"] = fresh.etag()
    body["type"] = resource_id.type
    known = rt.find(resource_id.provider, resource_id.types)
    if known is not None and known.tracked:
        body["location"] = location_name(str(request.get("location") or ""))
        if isinstance(request.get("tags"), dict):
            body["tags"] = dict(request["tags"])
    for key, value in request.items():
        if key not in {*body, "properties", "tags", "etag", "systemData"} and value is not None:
            body[key] = without_nulls(value)
    return body


def location_name(location: str) -> str:
    """A location as Azure writes it: ``West Europe`` is ``westeurope``."""
    return location.replace(" ", "").lower()


def _children(
    parent: ids.ResourceId, child_type: rt.ResourceType, sent: list[Body], fresh: Fresh
) -> list[tuple[ids.ResourceId, Body]]:
    found = []
    for each in sent:
        child_id = parent.child(child_type.collection, str(each.get("name") or ""))
        found.append((child_id, each))
    return found


def _complete_type(draft: Draft, request: Body, existing: Resource | None, fresh: Fresh) -> None:
    match draft.id.type:
        case rt.VNET:
            if isinstance(draft.body["properties"].get("dhcpOptions"), dict):
                draft.body["properties"]["dhcpOptions"].setdefault("dnsServers", [])
        case rt.SUBNET:
            _complete_subnet(draft)
        case rt.PUBLIC_IP:
            _complete_public_ip(draft, existing)
        case rt.NIC:
            _complete_nic(draft, existing)
        case rt.GATEWAY:
            complete_gateway(draft.id, draft.body, existing)
        case rt.LOCAL_GATEWAY:
            complete_local(draft.body["properties"])
        case rt.CONNECTION:
            draft.secrets = complete_connection(draft.body["properties"])
        case rt.CIRCUIT:
            complete_circuit(draft.body, existing, fresh)
        case rt.CIRCUIT_PEERING:
            complete_peering(draft.id, draft.body["properties"])
        case rt.VIRTUAL_HUB:
            complete_hub(draft.body)
        case rt.VM:
            draft.secrets = complete_machine(draft.id, draft.body, existing, fresh)
        case _:
            pass


def _complete_subnet(draft: Draft) -> None:
    properties = draft.body["properties"]
    for each in properties.get("serviceEndpoints") or ():
        each.setdefault("locations", ["*"])
        each["provisioningState"] = "Succeeded"
    for each in properties["delegations"]:
        each["id"] = f"{draft.id}/delegations/{each.get('name', '')}"
        each["etag"] = draft.body["etag"]
        each["type"] = f"{rt.SUBNET}/delegations"
        inner = each.setdefault("properties", {})
        inner.setdefault("actions", [])
        inner["provisioningState"] = "Succeeded"
    prefixes = properties.get("addressPrefixes")
    if isinstance(prefixes, list) and prefixes:
        properties["addressPrefix"] = prefixes[0]
    for name in ("networkSecurityGroup", "routeTable", "natGateway"):
        _reduce(properties, name)


def _reduce(properties: Body, name: str) -> None:
    """Keep of a referred resource its id only, as Azure does."""
    value = properties.get(name)
    if isinstance(value, dict) and "id" in value:
        properties[name] = {"id": value["id"]}


def _complete_public_ip(draft: Draft, existing: Resource | None) -> None:
    sku = draft.body.setdefault("sku", {"name": "Basic"})
    sku.setdefault("tier", "Regional")
    properties = draft.body["properties"]
    if existing is not None and "ipAddress" in existing.properties:
        properties["ipAddress"] = existing.properties["ipAddress"]
    dns = properties.get("dnsSettings")
    if isinstance(dns, dict) and dns.get("domainNameLabel"):
        place = draft.body["location"]
        dns["fqdn"] = f"{dns['domainNameLabel']}.{place}.cloudapp.azure.com"


def _complete_nic(draft: Draft, existing: Resource | None) -> None:
    properties = draft.body["properties"]
    etag = draft.body["etag"]
    known: dict[str, Body] = {}
    if existing is not None:
        if "macAddress" in existing.properties:
            properties["macAddress"] = existing.properties["macAddress"]
        known = {each["name"]: each for each in existing.properties.get("ipConfigurations", ())}
    configurations = properties.setdefault("ipConfigurations", [])
    for number, each in enumerate(configurations):
        each.setdefault("name", f"ipconfig{number + 1}")
        configurations[number] = ip_configuration(draft.id, each, etag)
        inner = configurations[number]["properties"]
        method = str(inner.get("privateIPAllocationMethod") or "Dynamic")
        inner["privateIPAllocationMethod"] = method.capitalize()  # recorded: any letter case
        inner.setdefault("privateIPAddressVersion", "IPv4")
        inner.setdefault("primary", len(configurations) == 1)
        _keep_address(inner, known.get(each["name"]))
    dns = properties.setdefault("dnsSettings", {})
    dns.setdefault("dnsServers", [])
    dns["appliedDnsServers"] = list(dns["dnsServers"])
    dns["internalDomainNameSuffix"] = "lab.internal.cloudapp.net"
    _reduce(properties, "networkSecurityGroup")


def _keep_address(inner: Body, known: Body | None) -> None:
    if inner["privateIPAllocationMethod"].lower() != "dynamic":
        return
    inner.pop("privateIPAddress", None)
    before = (known or {}).get("properties", {})
    same = ids.key((inner.get("subnet") or {}).get("id", "")) == ids.key(
        (before.get("subnet") or {}).get("id", "")
    )
    if same and "privateIPAddress" in before:
        inner["privateIPAddress"] = before["privateIPAddress"]


def ip_configuration(owner: ids.ResourceId, sent: Body, etag: str) -> Body:
    """An IP configuration as Azure keeps it: an id of its own, references reduced."""
    inner: Body = dict(sent.get("properties") or {})
    inner["provisioningState"] = "Updating"
    for name in ("subnet", "publicIPAddress"):
        _reduce(inner, name)
        if inner.get(name) is None:
            inner.pop(name, None)
    return {
        "name": sent["name"],
        "id": f"{owner}/ipConfigurations/{sent['name']}",
        "etag": etag,
        "type": f"{owner.type}/ipConfigurations",
        "properties": inner,
    }
