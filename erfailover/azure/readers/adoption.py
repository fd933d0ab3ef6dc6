"""Reads a network that is to be adopted: both hubs, their gateways, every VNet peered with them.

Only reads. What may not be read is in the picture as unknown, with the reason; a hub that
is not there, or has no gateway that could be meant, is the caller's mistake and is raised.
"""

from __future__ import annotations

from functools import partial

from erfailover.azure.client.answers import understood
from erfailover.azure.reader import Reader
from erfailover.azure.readers.network import GATEWAY_TYPES, gateways_in, observe, own_id
from erfailover.errors import AzureFailure, UsageFailure
from erfailover.model.arm_json import Body, rows, section, text, truth, whole
from erfailover.model.observed import EXPRESSROUTE, VPN
from erfailover.model.resource_ids import (
    CONNECTION,
    canonical,
    group_of,
    is_network,
    last_of,
)
from erfailover.model.site import Hub, Role, Site
from erfailover.planning.adoption.adopt import Found, HubFacts
from erfailover.runtime.clock import all_at_once

USUAL = {Role.PRIMARY: EXPRESSROUTE, Role.BACKUP: VPN}
"""Which gateway is meant if a hub has one of either type."""


@understood("reading of the hubs")
def discover(reader: Reader, hubs: dict[Role, str], gateways: dict[Role, str | None]) -> Found:
    """Read both hubs, the VNets peered with either, and what the gateways know.

    Args:
        reader: where to read.
        hubs: the ids of the two hubs' VNets.
        gateways: the ids of their gateways; None to find them by the hub's GatewaySubnet.

    Raises:
        UsageFailure: a hub does not exist, or it has several gateways and none is named.
    """
    bodies = all_at_once(reader.clock, [partial(reader.get, hubs[role]) for role in Role])
    for role, body in zip(Role, bodies, strict=True):
        if body is None:
            raise UsageFailure(
                f"--{role}-hub: there is no VNet {hubs[role]}",
                "'az network vnet list --query [].id' lists the ids of a subscription.",
            )
    facts = {
        role: _hub(reader, role, hubs[role], body or {}, gateways[role])
        for role, body in zip(Role, bodies, strict=True)
    }
    remotes = {each.lower(): each for body in bodies for each in _remotes(body or {})}
    own = [facts[role].hub for role in Role]
    hub_keys = {each.lower() for each in own}
    others = [each for key, each in remotes.items() if key not in hub_keys and is_network(each)]
    stub = Site(
        site="adopting",
        primary=Hub(own[0], facts[Role.PRIMARY].gateway),
        backup=Hub(own[1], facts[Role.BACKUP].gateway),
        spokes=(),
        remote_prefixes=(),
    )
    observed = observe(reader, stub, networks=[*own, *others])
    return Found(facts[Role.PRIMARY], facts[Role.BACKUP], observed)


def _remotes(hub: Body) -> list[str]:
    """Return the ids of the VNets that a hub is peered with."""
    peerings = rows(section(hub, "properties").get("virtualNetworkPeerings"))
    return [_reference(each, "remoteVirtualNetwork") for each in peerings]


def _hub(reader: Reader, role: Role, hub: str, body: Body, gateway: str | None) -> HubFacts:
    """Return a hub's gateway: the one named, or the one that fits its role; and those beside it."""
    ids = list({each.lower(): each for each in (*gateways_in(body), gateway) if each}.values())
    read = all_at_once(reader.clock, [partial(reader.get, each) for each in ids])
    known = [(id_, each) for id_, each in zip(ids, read, strict=True) if each is not None]
    found = known
    if gateway:
        found = [pair for pair in known if pair[0].lower() == gateway.lower()]
    elif len(found) > 1:
        found = [pair for pair in found if _kind(pair[1]) == USUAL[role]]
    if len(found) != 1:
        listed = ", ".join(last_of(each) for each in ids) or "none"
        raise UsageFailure(
            f"{last_of(hub)}: expected one gateway that serves the {role} path, found {listed}",
            f"Name it: --{role}-gateway ID.",
        )
    gateway_id, whole_body = canonical(found[0][0]), found[0][1]
    properties = section(whole_body, "properties")
    traits = [text(section(properties, "sku").get("name")) or "SKU unknown"]
    if truth(properties.get("activeActive")):
        traits.append("active-active")
    asn = whole(section(properties, "bgpSettings").get("asn"))
    traits += [f"AS {asn}"] if asn else []
    kind = _kind(whole_body)
    beside = tuple((last_of(id_), _kind(each)) for id_, each in known if each is not whole_body)
    places, unread = _locations(reader, gateway_id) if kind == EXPRESSROUTE else ((), ())
    hub_id = own_id(body, hub)
    return HubFacts(hub_id, gateway_id, kind, tuple(traits), places, unread, beside)


def _kind(gateway: Body) -> str:
    found = section(gateway, "properties").get("gatewayType")
    return text(found, GATEWAY_TYPES) or VPN


def _locations(reader: Reader, gateway_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the peering locations of a gateway's circuits, and the circuits without a known one.

    The connections of a gateway are in its own resource group, unless they were put
    elsewhere: then their circuits are not reported, and nothing depends on them.
    """
    group = group_of(gateway_id)
    try:
        listed = reader.resources_of_group(group) or []
        ids = [
            text(each.get("id"))
            for each in listed
            if text(each.get("type")).lower() == CONNECTION.lower() and each.get("id")
        ]
        connections = all_at_once(reader.clock, [partial(reader.get, each) for each in ids])
        circuits = sorted(
            circuit
            for each in connections
            if each is not None
            and _reference(each, "virtualNetworkGateway1").lower() == gateway_id.lower()
            and (circuit := _reference(each, "peer"))
        )
        places = all_at_once(reader.clock, [partial(_place, reader, each) for each in circuits])
    except AzureFailure as failure:
        return (), (f"an unknown location ({failure.message})",)
    known = {each for each in places if each is not None}
    unread = [last_of(id_) for id_, each in zip(circuits, places, strict=True) if each is None]
    return tuple(sorted(known)), tuple(f"an unknown location ({each})" for each in sorted(unread))


def _place(reader: Reader, circuit_id: str) -> str | None:
    """Return where a circuit is; None if unknown: another party may own the circuit."""
    try:
        body = reader.get(circuit_id) or {}
    except AzureFailure:
        return None
    provider = section(body, "properties", "serviceProviderProperties")
    return text(provider.get("peeringLocation")) or None


def _reference(body: Body, name: str) -> str:
    """Return the id that a property refers to, in ARM's form; empty for none."""
    return canonical(text(section(body, "properties", name).get("id")))
