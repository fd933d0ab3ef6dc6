"""Reads a site from Azure into an immutable picture, all reads at once.

A VNet's answer holds its peerings, so one read serves both. What could not be read stands in
the picture as unknown, with the reason; only trouble that concerns every read (no token, no
answer at all) is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv4Network, ip_network
from typing import Any

from erfailover.azure.client.answers import understood
from erfailover.azure.client.operations import label
from erfailover.azure.reader import Reader
from erfailover.azure.readers.tunnels import tunnels
from erfailover.azure.session import READ_DEADLINE_S
from erfailover.errors import AzureFailure, Kind
from erfailover.model.observed import (
    EXPRESSROUTE,
    VPN,
    BgpPeer,
    Gateway,
    GatewayRoute,
    Observed,
    Peering,
    Reading,
    VirtualNetwork,
    attempt,
)
from erfailover.model.peering_flags import Flags
from erfailover.model.resource_ids import last_of
from erfailover.model.site import Role, Site
from erfailover.planning.carried_prefixes import needs_static_tunnels
from erfailover.runtime.clock import all_at_once

TABLES = ("get_bgp_peer_status", "get_learned_routes")
NOT_ASKED: Reading[Any] = Reading(None, "was not asked for")
CONCERNS_ALL = frozenset({Kind.AUTHENTICATION, Kind.CONNECTION})


def observe(
    reader: Reader,
    site: Site,
    roles: Sequence[Role] = tuple(Role),
    networks: Sequence[str] | None = None,
    tables: Sequence[str] = TABLES,
    deadline_s: float = READ_DEADLINE_S,
) -> Observed:
    """Read the VNets, peerings and gateways of a site, all at once.

    Args:
        reader: where to read.
        site: what to read.
        roles: the hubs whose gateways are read.
        networks: the VNets to read, by name or id; None for all of the site.
        tables: which of the gateways' tables are read.
        deadline_s: how long a read of a gateway or a table may take, in seconds.
    """
    names = site.network_names() if networks is None else networks
    network_ids = [site.network_id(name) for name in names]
    reads: list[Callable[[], tuple[str, Reading[Any]]]] = []
    for network_id in network_ids:
        reads.append(_keyed(network_id.lower(), partial(_network, reader, network_id)))
    for role in roles:
        gateway_id = site.gateway_id(site.hub(role).gateway)
        reads.append(_keyed(f"{role}/gateway", partial(reader.get, gateway_id, deadline_s)))
        for action in tables:
            read = partial(_table, reader, gateway_id, action, deadline_s)
            reads.append(_keyed(f"{role}/{action}", read))
    observed = _assembled(site, network_ids, roles, dict(all_at_once(reader.clock, reads)))
    if not tables:
        return observed
    gateways = {
        role: _with_static_tunnels(reader, site, each, deadline_s)
        for role, each in observed.gateways.items()
    }
    return replace(observed, gateways=gateways)


def _with_static_tunnels(reader: Reader, site: Site, found: Gateway, deadline_s: float) -> Gateway:
    """A gateway with its connections without BGP, if its BGP tables do not tell all."""
    if found.type != VPN or not needs_static_tunnels(found, site.remote_prefixes):
        return found

    def is_static(listed: dict[str, Any]) -> bool:
        return not found.bgp or not (listed.get("properties") or {}).get("enableBgp")

    read = partial(tunnels, reader, found.id, deadline_s, is_static)
    return replace(found, static_tunnels=attempt(read))


def _keyed(key: str, read: Callable[[], Any]) -> Callable[[], tuple[str, Reading[Any]]]:
    def keyed() -> tuple[str, Reading[Any]]:
        try:
            return key, Reading(read())
        except AzureFailure as failure:
            if failure.kind in CONCERNS_ALL:
                raise
            return key, Reading(None, failure.message)

    return keyed


def _network(reader: Reader, network_id: str) -> VirtualNetwork | None:
    body = reader.get(network_id)
    return network(body) if body else None


def _table(
    reader: Reader, gateway_id: str, action: str, deadline_s: float
) -> tuple[BgpPeer | GatewayRoute, ...]:
    rows = reader.gateway_action(gateway_id, action, deadline_s)
    with understood(f"POST {label(gateway_id)}/{action}"):
        return tuple(map(PARSERS[action], rows))


def _assembled(
    site: Site, network_ids: Iterable[str], roles: Iterable[Role], found: dict[str, Reading[Any]]
) -> Observed:
    networks, unknown, gateways = {}, {}, {}
    for network_id in network_ids:
        reading = found[network_id.lower()]
        if reading.value is None:
            unknown[network_id.lower()] = reading.unknown or not_there(network_id)
        else:
            networks[network_id.lower()] = reading.value
    for role in roles:
        gateway_id = site.gateway_id(site.hub(role).gateway)
        body = found[f"{role}/gateway"]
        if body.value is None:
            unknown[gateway_id.lower()] = body.unknown or not_there(gateway_id)
            continue
        peers, routes = (found.get(f"{role}/{table}", NOT_ASKED) for table in TABLES)
        try:
            gateways[role] = gateway(role, body.value, peers, routes)
        except AzureFailure as failure:
            unknown[gateway_id.lower()] = failure.message
    return Observed(utc_now(), networks, gateways, unknown)


def with_gateways_beside(reader: Reader, site: Site, observed: Observed) -> Observed:
    """Return a picture with the gateways that stand in a hub beside the site's own, read now.

    Nothing is asked where there are none, which the VNets of the picture tell.
    """
    found: dict[Role, list[str]] = {}
    for role in Role:
        hub = observed.network(site.network_id(site.hub(role).virtual_network))
        own = site.gateway_id(site.hub(role).gateway).lower()
        found[role] = [each for each in (hub.gateways if hub else ()) if each.lower() != own]
    reads = [
        partial(_gateway_beside, reader, role, each) for role, ids in found.items() for each in ids
    ]
    if not reads:
        return observed
    read = [each for each in all_at_once(reader.clock, reads) if each is not None]
    beside = {role: tuple(each for each in read if each.role is role) for role in Role}
    return replace(observed, beside=beside)


def _gateway_beside(reader: Reader, role: Role, gateway_id: str) -> Gateway | None:
    reads = [
        _keyed("body", partial(reader.get, gateway_id)),
        *(_keyed(each, partial(_table, reader, gateway_id, each)) for each in TABLES),
    ]
    found = dict(all_at_once(reader.clock, reads))
    try:
        body = found["body"].value
        return gateway(role, body, *(found[table] for table in TABLES)) if body else None
    except AzureFailure:
        return None


def gateways_in(network: dict[str, Any]) -> list[str]:
    """Return the ids of the gateways in a VNet: the GatewaySubnet lists their configurations."""
    found: dict[str, str] = {}
    for subnet in network.get("properties", {}).get("subnets") or []:
        if str(subnet.get("name", "")).lower() != "gatewaysubnet":
            continue
        for each in subnet.get("properties", {}).get("ipConfigurations") or []:
            gateway, _, _ = str(each.get("id", "")).partition("/ipConfigurations/")
            if "/virtualnetworkgateways/" in gateway.lower():
                found.setdefault(gateway.lower(), gateway)
    return list(found.values())


def utc_now() -> str:
    """The time of a picture: RFC 3339, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def not_there(resource_id: str) -> str:
    """Why a resource that Azure answered 404 for is not known, in words."""
    return f"{last_of(resource_id)} does not exist in Azure"


@understood("GET of a VNet")
def network(body: dict[str, Any]) -> VirtualNetwork:
    """A VNet from its ARM JSON."""
    properties = body.get("properties", {})
    subnets = properties.get("subnets") or []
    return VirtualNetwork(
        id=body["id"],
        name=body["name"],
        provisioning_state=properties.get("provisioningState", "Succeeded"),
        address_space=_prefixes(properties.get("addressSpace")),
        has_gateway=any(
            subnet.get("name", "").lower() == "gatewaysubnet"
            and bool(subnet.get("properties", {}).get("ipConfigurations"))
            for subnet in subnets
        ),
        tags=dict(body.get("tags") or {}),
        peerings=tuple(
            peering(each, body["id"]) for each in properties.get("virtualNetworkPeerings") or []
        ),
        location=str(body.get("location") or ""),
        gateways=tuple(gateways_in(body)),
    )


@understood("GET of a peering")
def peering(body: dict[str, Any], network_id: str) -> Peering:
    """A peering from its ARM JSON."""
    properties = body.get("properties", {})
    return Peering(
        id=body["id"],
        name=body["name"],
        virtual_network=network_id,
        remote_virtual_network=(properties.get("remoteVirtualNetwork") or {}).get("id", ""),
        state=properties.get("peeringState", ""),
        sync_level=properties.get("peeringSyncLevel"),
        provisioning_state=properties.get("provisioningState", "Succeeded"),
        flags=Flags.from_arm(properties),
        known_space=_texts(properties.get("remoteAddressSpace")),
        remote_space=_texts(properties.get("remoteVirtualNetworkAddressSpace")),
        is_partial=properties.get("peerCompleteVnets") is False
        or bool(properties.get("enableOnlyIPv6Peering")),
    )


def _texts(space: dict[str, Any] | None) -> tuple[str, ...] | None:
    prefixes = (space or {}).get("addressPrefixes")
    return None if prefixes is None else tuple(map(str, prefixes))


@understood("GET of a gateway")
def gateway(
    role: Role,
    body: dict[str, Any],
    peers: Reading[tuple[BgpPeer, ...]],
    routes: Reading[tuple[GatewayRoute, ...]],
) -> Gateway:
    """A gateway from its ARM JSON and its two tables."""
    properties = body.get("properties", {})
    settings = properties.get("bgpSettings") or {}
    return Gateway(
        id=body["id"],
        name=body["name"],
        role=role,
        provisioning_state=properties.get("provisioningState", "Succeeded"),
        bgp_addresses=_bgp_addresses(settings),
        peers=peers,
        learned_routes=routes,
        asn=settings.get("asn"),
        type=properties.get("gatewayType") or VPN,
        sku=(properties.get("sku") or {}).get("name"),
        active_active=bool(properties.get("activeActive", False)),
        bgp=properties.get("gatewayType") == EXPRESSROUTE
        or properties.get("enableBgp") is not False,
    )


def _bgp_addresses(settings: dict[str, Any]) -> tuple[str, ...]:
    """Every address that a gateway speaks BGP from.

    ``bgpPeeringAddress`` names Azure's alone; those of the operator (APIPA, 169.254.21.0 to
    169.254.22.255) stand with each IP configuration (published: Set-AzVirtualNetworkGateway,
    example of a custom BGP address).
    """
    found = [part.strip() for part in (settings.get("bgpPeeringAddress") or "").split(",")]
    for each in settings.get("bgpPeeringAddresses") or ():
        found += each.get("defaultBgpIpAddresses") or ()
        found += each.get("customBgpIpAddresses") or ()
    return tuple(dict.fromkeys(filter(None, found)))


def peer(row: dict[str, Any]) -> BgpPeer:
    """One row of ``getBgpPeerStatus``; an empty string is no value."""
    return BgpPeer(
        neighbor=row.get("neighbor") or "",
        local_address=row.get("localAddress") or None,
        asn=row.get("asn"),
        state=row.get("state") or "Unknown",
        connected_duration=row.get("connectedDuration") or None,
        routes_received=row.get("routesReceived"),
        messages_sent=row.get("messagesSent"),
        messages_received=row.get("messagesReceived"),
    )


def route(row: dict[str, Any]) -> GatewayRoute:
    """One row of ``getLearnedRoutes``; an empty string is no value."""
    return GatewayRoute(
        network=row.get("network") or "",
        next_hop=row.get("nextHop") or None,
        local_address=row.get("localAddress") or None,
        weight=row.get("weight"),
        source_peer=row.get("sourcePeer") or None,
        origin=row.get("origin") or "",
        as_path=row.get("asPath") or None,
    )


PARSERS: dict[str, Callable[[dict[str, Any]], BgpPeer | GatewayRoute]] = {
    "get_bgp_peer_status": peer,
    "get_learned_routes": route,
}


def _prefixes(space: dict[str, Any] | None) -> tuple[IPv4Network, ...]:
    found = (ip_network(text) for text in (space or {}).get("addressPrefixes") or [])
    return tuple(each for each in found if isinstance(each, IPv4Network))
