"""Reads a network that is to be adopted: both hubs, their gateways, every VNet peered with them.

Only reads. What may not be read is in the picture as unknown, with the reason; a hub that
is not there, or has no gateway that could be meant, is the caller's mistake and is raised.
"""

from __future__ import annotations

from functools import partial

from erfailover.azure.client.answers import wrap_parse_errors
from erfailover.azure.reader import Reader
from erfailover.azure.readers.network import GATEWAY_TYPES, list_gateway_ids, observe, select_id
from erfailover.azure.readers.references import get_reference
from erfailover.errors import AzureFailure, UsageFailure
from erfailover.model.arm_json import (
    Body,
    get_section,
    list_objects,
    parse_bool,
    parse_int,
    parse_text,
)
from erfailover.model.observed import EXPRESSROUTE, VPN
from erfailover.model.resource_ids import (
    CONNECTION,
    canonicalize,
    get_group_id,
    get_last_name,
    is_network,
)
from erfailover.model.site import Hub, Role, Site
from erfailover.planning.adoption.adopt import DiscoveredSite, HubFacts
from erfailover.runtime.clock import run_all

USUAL = {Role.PRIMARY: EXPRESSROUTE, Role.BACKUP: VPN}
"""Which gateway is meant if a hub has one of either type."""


@wrap_parse_errors("reading of the hubs")
def discover(
    reader: Reader, hubs: dict[Role, str], gateways: dict[Role, str | None]
) -> DiscoveredSite:
    """Read both hubs, the VNets peered with either, and what the gateways know.

    Args:
        reader: where to read.
        hubs: the ids of the two hubs' VNets.
        gateways: the ids of their gateways; None to find them by the hub's GatewaySubnet.

    Raises:
        UsageFailure: a hub does not exist, or it has several gateways and none is named.
    """
    bodies = run_all(reader.clock, [partial(reader.get, hubs[role]) for role in Role])
    for role, body in zip(Role, bodies, strict=True):
        if body is None:
            raise UsageFailure(
                f"--{role}-hub: there is no VNet {hubs[role]}",
                "'az network vnet list --query [].id' lists the ids of a subscription.",
            )
    facts = {
        role: _read_hub(reader, role, hubs[role], body or {}, gateways[role])
        for role, body in zip(Role, bodies, strict=True)
    }
    remotes = {remote.lower(): remote for body in bodies for remote in _list_remotes(body or {})}
    own = [facts[role].hub for role in Role]
    hub_keys = {name.lower() for name in own}
    others = [
        remote for key, remote in remotes.items() if key not in hub_keys and is_network(remote)
    ]
    stub = Site(
        site="adopting",
        primary=Hub(own[0], facts[Role.PRIMARY].gateway),
        backup=Hub(own[1], facts[Role.BACKUP].gateway),
        spokes=(),
        remote_prefixes=(),
    )
    observed = observe(reader, stub, networks=[*own, *others])
    return DiscoveredSite(facts[Role.PRIMARY], facts[Role.BACKUP], observed)


def _list_remotes(hub: Body) -> list[str]:
    """Return the ids of the VNets that a hub is peered with."""
    peerings = list_objects(get_section(hub, "properties").get("virtualNetworkPeerings"))
    return [get_reference(peering, "remoteVirtualNetwork") for peering in peerings]


def _read_hub(reader: Reader, role: Role, hub: str, body: Body, gateway: str | None) -> HubFacts:
    """Return a hub's gateway: the one named, or the one that fits its role; and those beside it."""
    ids = list(
        {
            gateway_id_.lower(): gateway_id_
            for gateway_id_ in (*list_gateway_ids(body), gateway)
            if gateway_id_
        }.values()
    )
    read = run_all(reader.clock, [partial(reader.get, id_) for id_ in ids])
    rows = [(id_, row) for id_, row in zip(ids, read, strict=True) if row is not None]
    items = rows
    if gateway:
        items = [pair for pair in rows if pair[0].lower() == gateway.lower()]
    elif len(items) > 1:
        items = [pair for pair in items if _get_gateway_type(pair[1]) == USUAL[role]]
    if len(items) != 1:
        text = ", ".join(get_last_name(id_) for id_ in ids) or "none"
        raise UsageFailure(
            f"{get_last_name(hub)}: expected one gateway that serves the {role} path, found {text}",
            f"Choose one: --{role}-gateway ID.",
        )
    gateway_id, whole_body = canonicalize(items[0][0]), items[0][1]
    properties = get_section(whole_body, "properties")
    traits = [parse_text(get_section(properties, "sku").get("name")) or "SKU unknown"]
    if parse_bool(properties.get("activeActive")):
        traits.append("active-active")
    asn = parse_int(get_section(properties, "bgpSettings").get("asn"))
    traits += [f"AS {asn}"] if asn else []
    kind = _get_gateway_type(whole_body)
    beside = tuple(
        (get_last_name(id_), _get_gateway_type(row)) for id_, row in rows if row is not whole_body
    )
    places, unread = _read_locations(reader, gateway_id) if kind == EXPRESSROUTE else ((), ())
    hub_id = select_id(body, hub)
    return HubFacts(hub_id, gateway_id, kind, tuple(traits), places, unread, beside)


def _get_gateway_type(gateway: Body) -> str:
    value = get_section(gateway, "properties").get("gatewayType")
    return parse_text(value, GATEWAY_TYPES) or VPN


def _read_locations(reader: Reader, gateway_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the peering locations of a gateway's circuits, and the circuits without a known one.

    The connections of a gateway are in its own resource group, unless they were put
    elsewhere: then their circuits are not reported, and nothing depends on them.
    """
    group = get_group_id(gateway_id)
    try:
        rows = reader.list_group_resources(group) or []
        ids = [
            parse_text(row.get("id"))
            for row in rows
            if parse_text(row.get("type")).lower() == CONNECTION.lower() and row.get("id")
        ]
        connections = run_all(reader.clock, [partial(reader.get, id_) for id_ in ids])
        circuits = sorted(
            circuit
            for connection in connections
            if connection is not None
            and get_reference(connection, "virtualNetworkGateway1").lower() == gateway_id.lower()
            and (circuit := get_reference(connection, "peer"))
        )
        places = run_all(reader.clock, [partial(_place, reader, name) for name in circuits])
    except AzureFailure as failure:
        return (), (f"an unknown location ({failure.message})",)
    names = {place for place in places if place is not None}
    unread = [
        get_last_name(id_) for id_, place in zip(circuits, places, strict=True) if place is None
    ]
    return tuple(sorted(names)), tuple(f"an unknown location ({name})" for name in sorted(unread))


def _place(reader: Reader, circuit_id: str) -> str | None:
    """Return where a circuit is; None if unknown: another party may own the circuit."""
    try:
        body = reader.get(circuit_id) or {}
    except AzureFailure:
        return None
    provider = get_section(body, "properties", "serviceProviderProperties")
    return parse_text(provider.get("peeringLocation")) or None
