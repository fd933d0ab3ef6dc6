"""Reads a network that is to be adopted: both hubs, their gateways, every VNet peered with them.

Only reads. What may not be read stands in the picture as unknown, with the reason; a hub that
is not there, or has no gateway that could be meant, is the caller's mistake and is raised.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from erfailover.azure.client.answers import understood
from erfailover.azure.reader import Reader
from erfailover.azure.readers.network import gateways_in, observe
from erfailover.errors import AzureFailure, UsageFailure
from erfailover.model.resource_ids import CONNECTION, group_of, last_of
from erfailover.model.site import Hub, Role, Site
from erfailover.planning.adoption.adopt import Found, HubFacts
from erfailover.runtime.clock import all_at_once

Body = dict[str, Any]
USUAL = {Role.PRIMARY: "ExpressRoute", Role.BACKUP: "Vpn"}
"""Which gateway is meant where a hub has one of either type."""


@understood("reading of the hubs")
def discover(reader: Reader, hubs: dict[Role, str], gateways: dict[Role, str | None]) -> Found:
    """Read both hubs, the VNets peered with either, and what the gateways know.

    Args:
        reader: where to read.
        hubs: the ids of the two hubs' VNets.
        gateways: the ids of their gateways; None to find them by the hub's GatewaySubnet.

    Raises:
        UsageFailure: a hub is not there, or which gateway is meant cannot be told.
    """
    bodies = all_at_once(reader.clock, [partial(reader.get, hubs[role]) for role in Role])
    for role, body in zip(Role, bodies, strict=True):
        if body is None:
            raise UsageFailure(
                f"--{role}-hub: there is no VNet {hubs[role]}",
                "'az network vnet list --query [].id' lists the ids of a subscription.",
            )
    facts = {
        role: _hub(reader, role, body or {}, gateways[role])
        for role, body in zip(Role, bodies, strict=True)
    }
    remotes = {each.lower(): each for body in bodies for each in _remotes(body or {}) if each}
    own = [facts[role].hub for role in Role]
    others = [each for key, each in remotes.items() if key not in {id_.lower() for id_ in own}]
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
    """The ids of the VNets that a hub is peered with."""
    peerings = hub.get("properties", {}).get("virtualNetworkPeerings") or []
    return [
        str((each.get("properties", {}).get("remoteVirtualNetwork") or {}).get("id") or "")
        for each in peerings
    ]


def _hub(reader: Reader, role: Role, body: Body, gateway: str | None) -> HubFacts:
    """A hub's gateway: the one named, or the one that fits its role; and those beside it."""
    ids = list({each.lower(): each for each in (*gateways_in(body), gateway) if each}.values())
    read = all_at_once(reader.clock, [partial(reader.get, each) for each in ids])
    known = [each for each in read if each is not None]
    found = known
    if gateway:
        found = [each for each in known if str(each["id"]).lower() == gateway.lower()]
    elif len(found) > 1:
        found = [each for each in found if _kind(each) == USUAL[role]]
    if len(found) != 1:
        listed = ", ".join(last_of(each) for each in ids) or "none"
        raise UsageFailure(
            f"{body['name']}: expected one gateway that serves the {role} path, found {listed}",
            f"Name it: --{role}-gateway ID.",
        )
    properties = found[0].get("properties", {})
    traits = [str((properties.get("sku") or {}).get("name") or "SKU not told")]
    if properties.get("activeActive"):
        traits.append("active-active")
    asn = (properties.get("bgpSettings") or {}).get("asn")
    traits += [f"AS {asn}"] if asn else []
    kind = _kind(found[0])
    beside = tuple((last_of(each["id"]), _kind(each)) for each in known if each is not found[0])
    places, unread = _locations(reader, str(found[0]["id"])) if kind == "ExpressRoute" else ((), ())
    return HubFacts(
        str(body["id"]), str(found[0]["id"]), kind, tuple(traits), places, unread, beside
    )


def _kind(gateway: Body) -> str:
    return str(gateway.get("properties", {}).get("gatewayType") or "Vpn")


def _locations(reader: Reader, gateway_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The peering locations of a gateway's circuits, and of which it could not be told.

    The connections of a gateway are in its own resource group, unless somebody put them
    elsewhere: then nothing is said of their circuits, and nothing rests on it.
    """
    group = group_of(gateway_id)
    try:
        listed = reader.resources_of_group(group) or []
        rows = (each for each in listed if str(each.get("type")).lower() == CONNECTION.lower())
        ids = [str(each["id"]) for each in rows]
        connections = all_at_once(reader.clock, [partial(reader.get, each) for each in ids])
        circuits = sorted(
            str(circuit["id"])
            for each in connections
            if each is not None
            and _reference(each, "virtualNetworkGateway1").lower() == gateway_id.lower()
            for circuit in [each["properties"].get("peer") or {}]
            if circuit.get("id")
        )
        places = all_at_once(reader.clock, [partial(_place, reader, each) for each in circuits])
    except AzureFailure as failure:
        return (), (f"an unknown location ({failure.message})",)
    known = {each for each in places if each is not None}
    unread = [last_of(id_) for id_, each in zip(circuits, places, strict=True) if each is None]
    return tuple(sorted(known)), tuple(f"an unknown location ({each})" for each in sorted(unread))


def _place(reader: Reader, circuit_id: str) -> str | None:
    """Where a circuit is; None where that is not told: it may be somebody else's."""
    try:
        body = reader.get(circuit_id) or {}
    except AzureFailure:
        return None
    provider = body.get("properties", {}).get("serviceProviderProperties") or {}
    return str(provider.get("peeringLocation") or "") or None


def _reference(body: Body, name: str) -> str:
    return str((body.get("properties", {}).get(name) or {}).get("id") or "")
