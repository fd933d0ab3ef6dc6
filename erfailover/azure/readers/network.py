"""Reads a site from Azure into an immutable picture, all reads at once.

A VNet's answer holds its peerings, so one read serves both. What could not be read is in
the picture as unknown, with the reason. No token and no answer are raised only if every read of the
picture met them: otherwise they concern what was read, not the sign-in or the way to Azure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv4Network
from typing import Any

from erfailover.azure.client.answers import wrap_parse_errors
from erfailover.azure.client.operations import shorten_id
from erfailover.azure.client.polling import TABLES as TABLE_POLLS
from erfailover.azure.client.polling import PollSchedule, poll_in_turn
from erfailover.azure.reader import Reader
from erfailover.azure.readers.gateway_tables import PARSERS
from erfailover.azure.readers.outcomes import Outcome, build_readings, read_outcome
from erfailover.azure.readers.references import explain_missing, get_reference
from erfailover.azure.readers.route_tables import add_route_tables, list_subnet_tables
from erfailover.azure.readers.tunnels import read_tunnels
from erfailover.azure.session import READ_DEADLINE_S
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.model.arm_json import (
    Body,
    get_provisioning_state,
    get_section,
    list_objects,
    list_texts,
    parse_bool,
    parse_int,
    parse_ipv4_prefixes,
    parse_text,
)
from erfailover.model.observed import (
    EXPRESSROUTE,
    VPN,
    BgpPeer,
    Gateway,
    GatewayRoute,
    Peering,
    Reading,
    SiteSnapshot,
    VirtualNetwork,
    attempt,
)
from erfailover.model.peering_flags import Flags
from erfailover.model.resource_ids import (
    GATEWAY_SUBNET,
    PEERING,
    build_child_id,
    canonicalize,
    get_last_name,
    get_network_id,
)
from erfailover.model.site import Role, Site
from erfailover.planning import conditions
from erfailover.planning.carried_prefixes import needs_static_tunnels
from erfailover.runtime.clock import run_all

TABLES = tuple(PARSERS)
NOT_ASKED: Reading[Any] = Reading(None, "not requested")
GATEWAY_TYPES = (VPN, EXPRESSROUTE)
PEERING_STATES = ("Initiated", "Connected", "Disconnected")
SYNC_LEVELS = ("FullyInSync", "RemoteNotInSync", "LocalNotInSync", "LocalAndRemoteNotInSync")
"""Enumerations, as Azure documents them; another value is kept as it is."""


def observe(
    reader: Reader,
    site: Site,
    roles: Sequence[Role] = tuple(Role),
    networks: Sequence[str] | None = None,
    tables: Sequence[str] = TABLES,
    deadline_s: float = READ_DEADLINE_S,
) -> SiteSnapshot:
    """Read the VNets, peerings and gateways of a site, all at once.

    Args:
        reader: where to read.
        site: what to read.
        roles: the hubs whose gateways are read.
        networks: the VNets to read, by name or id; None for all of the site.
        tables: which of the gateways' tables are read.
        deadline_s: how long a read of a gateway or a table may take, in seconds.
    """
    answered: dict[str, float] = {}

    names = site.list_network_names() if networks is None else networks
    network_ids = [site.build_network_id(name) for name in names]
    reads: list[Callable[[], tuple[str, Outcome]]] = []
    for network_id in network_ids:
        reads.append(_bind_key(network_id.lower(), partial(_read_network, reader, network_id)))
    for role in roles:
        gateway_id = site.build_gateway_id(site.get_hub(role).gateway)
        note = partial(answered.__setitem__, f"{role}/gateway")
        read = partial(_read_body, reader, gateway_id, deadline_s, note)
        reads.append(_bind_key(f"{role}/gateway", read))
        for action in tables:
            note = partial(answered.__setitem__, f"{role}/{action}")
            table = partial(read_table, reader, gateway_id, action, deadline_s, note)
            reads.append(_bind_key(f"{role}/{action}", table))
    with poll_in_turn(reader.clock):
        readings = build_readings(dict(run_all(reader.clock, reads)))
    observed = _build_observed(site, network_ids, roles, readings)
    observed = add_route_tables(reader, site, observed, deadline_s)
    if not tables:
        return observed
    gateways = {}
    for role, gateway in observed.gateways.items():
        first_s = min(at for key, at in answered.items() if key.startswith(f"{role}/"))
        timely = replace(gateway, answered_s=first_s)
        gateways[role] = add_static_tunnels(reader, site, timely, deadline_s)
    return add_advertised_if_needed(reader, replace(observed, gateways=gateways), deadline_s)


def add_advertised_if_needed(
    reader: Reader, observed: SiteSnapshot, deadline_s: float = READ_DEADLINE_S
) -> SiteSnapshot:
    """Return a picture with what the gateways advertise, if a hub's summaries make it matter."""
    if not any(network.summarized for network in observed.networks.values()):
        return observed
    return replace(observed, gateways=add_advertised(reader, observed.gateways, deadline_s))


def add_advertised(
    reader: Reader, gateways: Mapping[Role, Gateway], deadline_s: float = READ_DEADLINE_S
) -> dict[Role, Gateway]:
    """Gateways with what they advertise to their Connected peers."""
    reads = [
        partial(attempt, partial(_read_advertised, reader, gateway, deadline_s))
        for gateway in gateways.values()
    ]
    readings = run_all(reader.clock, reads)
    return {
        role: replace(gateway, advertised=reading)
        for (role, gateway), reading in zip(gateways.items(), readings, strict=True)
    }


def _read_advertised(
    reader: Reader, gateway: Gateway, deadline_s: float
) -> tuple[IPv4Network, ...]:
    if gateway.peers.value is None:
        raise AzureFailure(AzureErrorKind.SERVER, gateway.peers.unknown or "its peers are unknown")
    peers = conditions.select_external_peers(gateway)
    names = {peer.neighbor for peer in peers if peer.state == conditions.CONNECTED}
    action = "get_advertised_routes"
    reads = [
        partial(reader.read_gateway_action, gateway.id, action, deadline_s, peer=name)
        for name in sorted(names)
    ]
    answers = run_all(reader.clock, reads)
    with wrap_parse_errors(f"POST {shorten_id(gateway.id)}/{action}"):
        return tuple(
            sorted(
                {
                    ipv4_prefix
                    for answer in answers
                    for row in answer
                    for ipv4_prefix in parse_ipv4_prefixes([row["network"]])
                }
            )
        )


def add_static_tunnels(reader: Reader, site: Site, gateway: Gateway, deadline_s: float) -> Gateway:
    """Return a gateway with its connections without BGP, if its BGP tables do not tell all."""
    if gateway.type != VPN or not needs_static_tunnels(gateway, site.remote_prefixes):
        return gateway

    def is_static(body: dict[str, Any]) -> bool:
        return not gateway.bgp or not parse_bool(get_section(body, "properties").get("enableBgp"))

    read = partial(read_tunnels, reader, gateway.id, deadline_s, is_static)
    return replace(gateway, static_tunnels=attempt(read))


def _bind_key(key: str, read: Callable[[], Any]) -> Callable[[], tuple[str, Outcome]]:
    return lambda: (key, read_outcome(read))


def _read_network(reader: Reader, network_id: str) -> VirtualNetwork | None:
    body = reader.get(network_id)
    return parse_network(body, network_id) if body else None


def _read_body(
    reader: Reader, resource_id: str, deadline_s: float, answered: Callable[[float], None]
) -> Body | None:
    body = reader.get(resource_id, deadline_s)
    answered(reader.clock.now())
    return body


def read_table(
    reader: Reader,
    gateway_id: str,
    action: str,
    deadline_s: float = READ_DEADLINE_S,
    produced_after: Callable[[float], None] = lambda at_s: None,
    cadence: PollSchedule = TABLE_POLLS,
) -> tuple[Any, ...]:
    """Return the rows of one of a gateway's tables, read now."""
    rows = reader.read_gateway_action(gateway_id, action, deadline_s, produced_after, cadence)
    with wrap_parse_errors(f"POST {shorten_id(gateway_id)}/{action}"):
        return tuple(map(PARSERS[action], rows))


def _build_observed(
    site: Site, network_ids: Iterable[str], roles: Iterable[Role], readings: dict[str, Reading[Any]]
) -> SiteSnapshot:
    networks, unknown, gateways = {}, {}, {}
    for network_id in network_ids:
        reading = readings[network_id.lower()]
        if reading.value is None:
            unknown[network_id.lower()] = reading.unknown or explain_missing(network_id)
        else:
            networks[network_id.lower()] = reading.value
    for role in roles:
        gateway_id = site.build_gateway_id(site.get_hub(role).gateway)
        body = readings[f"{role}/gateway"]
        if body.value is None:
            unknown[gateway_id.lower()] = body.unknown or explain_missing(gateway_id)
            continue
        peers, routes = (readings.get(f"{role}/{table}", NOT_ASKED) for table in TABLES)
        try:
            gateways[role] = parse_gateway(role, body.value, peers, routes, gateway_id)
        except AzureFailure as failure:
            unknown[gateway_id.lower()] = failure.message
    return SiteSnapshot(format_utc_now(), networks, gateways, unknown)


def add_other_gateways(reader: Reader, site: Site, observed: SiteSnapshot) -> SiteSnapshot:
    """Return a picture with the gateways in a hub besides the site's own, read now.

    Nothing is asked if there are none, which the VNets of the picture tell.
    """
    by_name: dict[Role, list[str]] = {}
    for role in Role:
        hub = observed.get_network(site.build_network_id(site.get_hub(role).virtual_network))
        own = site.build_gateway_id(site.get_hub(role).gateway).lower()
        by_name[role] = [
            gateway for gateway in (hub.gateways if hub else ()) if gateway.lower() != own
        ]
    reads = [
        partial(_read_other_gateway, reader, site, role, id_)
        for role, ids in by_name.items()
        for id_ in ids
    ]
    if not reads:
        return observed
    read = [gateway for gateway in run_all(reader.clock, reads) if gateway is not None]
    beside = {role: tuple(gateway for gateway in read if gateway.role is role) for role in Role}
    return replace(observed, beside=beside)


def _read_other_gateway(reader: Reader, site: Site, role: Role, gateway_id: str) -> Gateway | None:
    within_s = READ_DEADLINE_S
    reads = [
        _bind_key("body", partial(reader.get, gateway_id, within_s)),
        *(
            _bind_key(name, partial(read_table, reader, gateway_id, name, within_s))
            for name in TABLES
        ),
    ]
    readings = build_readings(dict(run_all(reader.clock, reads)))
    if not (body := readings["body"].value):
        return None
    try:
        peers, routes = (readings[table] for table in TABLES)
        read = parse_gateway(role, body, peers, routes, gateway_id)
    except AzureFailure:
        return None
    return add_static_tunnels(reader, site, read, within_s)


def list_gateway_ids(network: Body) -> list[str]:
    """Return the ids of the gateways in a VNet: the GatewaySubnet lists their configurations."""
    by_name: dict[str, str] = {}
    for subnet in list_objects(get_section(network, "properties").get("subnets")):
        if parse_text(subnet.get("name")).lower() != GATEWAY_SUBNET.lower():
            continue
        for row in list_objects(get_section(subnet, "properties").get("ipConfigurations")):
            gateway, _, _ = canonicalize(parse_text(row.get("id"))).partition("/ipConfigurations/")
            if "/virtualNetworkGateways/" in gateway:
                by_name.setdefault(gateway.lower(), gateway)
    return list(by_name.values())


def format_utc_now() -> str:
    """Return the time of a picture: RFC 3339, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@wrap_parse_errors("GET of a VNet")
def parse_network(body: Body, network_id: str = "") -> VirtualNetwork:
    """Return a VNet from its ARM JSON.

    Args:
        body: what Azure answered.
        network_id: the id that was asked for, for a body without one.
    """
    properties = get_section(body, "properties")
    id_ = select_id(body, network_id)
    return VirtualNetwork(
        id=id_,
        name=parse_text(body.get("name")) or get_last_name(id_),
        provisioning_state=get_provisioning_state(properties),
        address_space=parse_ipv4_prefixes(
            get_section(properties, "addressSpace").get("addressPrefixes")
        ),
        has_gateway=any(
            parse_text(subnet.get("name")).lower() == GATEWAY_SUBNET.lower()
            and bool(list_objects(get_section(subnet, "properties").get("ipConfigurations")))
            for subnet in list_objects(properties.get("subnets"))
        ),
        location=parse_text(body.get("location")),
        gateways=tuple(list_gateway_ids(body)),
        tags={str(key): parse_text(value) for key, value in get_section(body, "tags").items()},
        peerings=tuple(
            parse_peering(peering_row, id_)
            for peering_row in _list_peering_rows(properties)
            if _name(peering_row)
        ),
        summarized=parse_ipv4_prefixes(
            get_section(properties, "summarizedGatewayPrefixes").get("addressPrefixes")
        ),
        subnet_tables=list_subnet_tables(properties),
    )


@wrap_parse_errors("GET of a peering")
def parse_peering(body: Body, network_id: str) -> Peering:
    """Return a peering from its ARM JSON; it is known by its VNet and its name."""
    properties = get_section(body, "properties")
    id_ = _build_peering_id(body, network_id)
    return Peering(
        id=id_,
        name=_name(body),
        virtual_network=canonicalize(network_id),
        remote_virtual_network=get_reference(body, "remoteVirtualNetwork"),
        state=parse_text(properties.get("peeringState"), PEERING_STATES),
        sync_level=parse_text(properties.get("peeringSyncLevel"), SYNC_LEVELS) or None,
        provisioning_state=get_provisioning_state(properties),
        flags=Flags.from_arm(properties),
        known_space=_parse_space(properties, "remoteAddressSpace"),
        remote_space=_parse_space(properties, "remoteVirtualNetworkAddressSpace"),
        is_partial=not parse_bool(properties.get("peerCompleteVnets"), default=True)
        or parse_bool(properties.get("enableOnlyIPv6Peering")),
    )


def _parse_space(properties: Body, name: str) -> tuple[str, ...] | None:
    value = get_section(properties, name).get("addressPrefixes")
    return None if value is None else tuple(list_texts(value))


def find_peering_row(network: Body | None, peering_id: str) -> Body | None:
    """Return a peering's ARM JSON in that of its VNet; None if there is none."""
    desired = canonicalize(peering_id).lower()
    for row in list_objects(get_section(network, "properties").get("virtualNetworkPeerings")):
        if _build_peering_id(row, get_network_id(peering_id)).lower() == desired:
            return row
    return None


def _list_peering_rows(properties: Body) -> list[Body]:
    """Return the rows of a VNet's peerings; none for null.

    Raises:
        ValueError: something else: a VNet with peerings must not pass for one without.
    """
    value = properties.get("virtualNetworkPeerings")
    if value is not None and not isinstance(value, list):
        raise ValueError("expected an array under 'virtualNetworkPeerings'")
    return list_objects(value)


def select_id(body: Body, requested: str) -> str:
    """Return the id of a resource: Azure's spelling of the one that was asked for, if there is one.

    Writes go to this id, so nothing else that the body says of itself counts.
    """
    value = canonicalize(parse_text(body.get("id")))
    return value if not requested or value.lower() == requested.lower() else canonicalize(requested)


def _name(body: Body) -> str:
    return get_last_name((parse_text(body.get("name")) or parse_text(body.get("id"))).rstrip("/"))


def _build_peering_id(body: Body, network_id: str) -> str:
    """Return the id of a peering in a VNet's body: below that VNet, whatever the row says."""
    return build_child_id(canonicalize(network_id), PEERING, _name(body))


@wrap_parse_errors("GET of a gateway")
def parse_gateway(
    role: Role,
    body: Body,
    peers: Reading[tuple[BgpPeer, ...]],
    routes: Reading[tuple[GatewayRoute, ...]],
    gateway_id: str = "",
) -> Gateway:
    """Return a gateway from its ARM JSON and its two tables."""
    properties = get_section(body, "properties")
    settings = get_section(properties, "bgpSettings")
    type_ = parse_text(properties.get("gatewayType"), GATEWAY_TYPES) or VPN
    id_ = select_id(body, gateway_id)
    return Gateway(
        id=id_,
        name=parse_text(body.get("name")) or get_last_name(id_),
        role=role,
        provisioning_state=get_provisioning_state(properties),
        bgp_addresses=_list_bgp_addresses(settings),
        peers=peers,
        learned_routes=routes,
        asn=parse_int(settings.get("asn")),
        type=type_,
        sku=parse_text(get_section(properties, "sku").get("name")) or None,
        active_active=parse_bool(properties.get("activeActive")),
        bgp=type_ == EXPRESSROUTE or parse_bool(properties.get("enableBgp"), default=True),
    )


def _list_bgp_addresses(settings: Body) -> tuple[str, ...]:
    """Every address that a gateway speaks BGP from.

    ``bgpPeeringAddress`` names Azure's alone; those of the operator (APIPA, 169.254.21.0 to
    169.254.22.255) are listed with each IP configuration (published: Set-AzVirtualNetworkGateway,
    example of a custom BGP address).
    """
    lines = [part.strip() for part in parse_text(settings.get("bgpPeeringAddress")).split(",")]
    for row in list_objects(settings.get("bgpPeeringAddresses")):
        lines += list_texts(row.get("defaultBgpIpAddresses"))
        lines += list_texts(row.get("customBgpIpAddresses"))
    return tuple(dict.fromkeys(filter(None, lines)))
