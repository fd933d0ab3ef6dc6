"""Build the topology that status, terminal picture and diagram show, from what was read. Pure.

Hubs, gateways, BGP sessions, connections, far ends, spokes and their peerings, each with a mark
and the reason in words. It decides nothing: the verdict comes from ``planning.health``, and a mark
never changes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Network

from erfailover.model.circuits import Circuits, Connection, check_circuits
from erfailover.model.conditions import ConditionStatus
from erfailover.model.observed import BgpPeer, Gateway, Reading, SiteSnapshot
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import PATH_OF_ROLE, Role, Site
from erfailover.planning import conditions
from erfailover.planning.drill.state import DrillState
from erfailover.planning.health import Health
from erfailover.reporting.marks import Assessment, Mark, find_worst
from erfailover.reporting.topology.model import (
    ConnectionPicture,
    FarEnd,
    GatewayPicture,
    HubPicture,
    LearnedPrefix,
    Picture,
    RemotePrefix,
    SessionPicture,
)
from erfailover.reporting.topology.spokes import build_spoke_picture, group_spokes


def build_picture(
    site: Site,
    observed: SiteSnapshot,
    health: Health,
    circuits: Mapping[Role, Circuits],
    drill: DrillState | None = None,
) -> Picture:
    """Return a site as it can be drawn.

    Args:
        site: what there should be.
        observed: the site as it was read.
        health: the verdict on it.
        circuits: the gateways' connections, by hub; a hub that is missing has no connections in
            the picture, and the reason is in ``connections_unknown``.
        drill: what is known of a drill.
    """
    by_name = {spoke.name: spoke for spoke in health.spokes}
    spokes = tuple(
        build_spoke_picture(site, observed, spoke, by_name[spoke.name]) for spoke in site.spokes
    )
    used = {spoke.path for spoke in health.spokes}
    hubs = tuple(
        _build_hub(site, observed, role, circuits.get(role), active=PATH_OF_ROLE[role] in used)
        for role in Role
    )
    active = [hub.role for hub in hubs if hub.active]
    networks = site.topology.virtual_networks if site.topology else {}
    names = {
        space: name
        for name, topology_network in reversed(list(networks.items()))
        for space in topology_network.address_space
    }
    return Picture(
        site=site.name,
        taken_at=observed.taken_at,
        health=health,
        hubs=hubs,
        spokes=spokes,
        groups=group_spokes(spokes),
        far_ends=tuple(_build_far_ends(site, hubs)),
        remote_prefixes=tuple(
            _build_remote_prefix(observed, remote_prefix, names.get(remote_prefix), active)
            for remote_prefix in site.remote_prefixes
        ),
        drill=drill,
    )


def _build_hub(
    site: Site, observed: SiteSnapshot, role: Role, circuits: Circuits | None, *, active: bool
) -> HubPicture:
    network_id = site.build_network_id(site.get_hub(role).virtual_network)
    network = observed.get_network(network_id)
    read = conditions.check_network_read(observed, network_id)
    rest = conditions.check_network_at_rest(network, get_last_name(network_id))
    condition = Assessment.from_condition(read)
    if read.status is ConditionStatus.HOLDS and rest.status is not ConditionStatus.HOLDS:
        condition = Assessment(Mark.DEGRADED, rest.message)
    return HubPicture(
        name=get_last_name(network_id),
        role=role,
        path=PATH_OF_ROLE[role],
        network=network,
        gateway=_build_gateway(site, observed, role, circuits, active=active),
        active=active,
        condition=condition,
    )


def _build_gateway(
    site: Site, observed: SiteSnapshot, role: Role, circuits: Circuits | None, *, active: bool
) -> GatewayPicture:
    gateway_id = site.build_gateway_id(site.get_hub(role).gateway)
    gateway = observed.gateways.get(role)
    reading = circuits.connections if circuits else Reading(None, "they were not read")
    return GatewayPicture(
        name=get_last_name(gateway_id),
        gateway=gateway,
        sessions=tuple(_build_sessions(gateway, active=active)),
        connections=tuple(
            _build_connection(circuits, connection, active=active)
            for connection in (reading.value or ())
            if circuits is not None
        ),
        connections_unknown=None if reading.value is not None else reading.unknown,
        active=active,
        condition=_rate_gateway(site, observed, role, gateway_id),
    )


def _rate_gateway(site: Site, observed: SiteSnapshot, role: Role, gateway_id: str) -> Assessment:
    gateway = observed.gateways.get(role)
    if gateway is None:
        unread = f"{get_last_name(gateway_id)} could not be read"
        return Assessment(Mark.UNKNOWN, observed.unknown.get(gateway_id.lower(), unread))
    connected = conditions.check_gateway_connected(gateway, role)
    learned = conditions.check_gateway_learned(gateway, role, site.remote_prefixes)
    needed = find_worst(map(Assessment.from_condition, (connected, learned)))
    if needed is not None and needed.mark is not Mark.SOUND:
        return needed
    for condition in (
        conditions.check_gateway_provisioned(gateway, role),
        conditions.check_all_peers_connected(gateway, role),
    ):
        if condition.status is ConditionStatus.FAILS:
            return Assessment(Mark.DEGRADED, condition.message)
    return Assessment(Mark.SOUND, learned.message)


def _build_sessions(gateway: Gateway | None, *, active: bool) -> Iterator[SessionPicture]:
    external = conditions.select_external_peers(gateway)
    for peer in conditions.list_peers(gateway):
        leads_out = peer in external
        yield SessionPicture(
            peer=peer,
            external=leads_out,
            active=active and leads_out,
            condition=_rate_session(peer),
        )


def _rate_session(peer: BgpPeer) -> Assessment:
    if peer.state == conditions.CONNECTED:
        return Assessment(Mark.SOUND, f"{peer.neighbor} is Connected")
    mark = Mark.UNKNOWN if peer.state == "Unknown" else Mark.BROKEN
    return Assessment(mark, f"{peer.neighbor} is {peer.state}; expected Connected")


def _build_connection(
    circuits: Circuits, connection: Connection, *, active: bool
) -> ConnectionPicture:
    items = check_circuits(replace(circuits, connections=Reading((connection,))))
    condition = find_worst(map(Assessment.from_condition, items)) or Assessment(
        Mark.UNKNOWN, "no data"
    )
    return ConnectionPicture(connection, active, condition)


def _build_far_ends(site: Site, hubs: Sequence[HubPicture]) -> Iterator[FarEnd]:
    """Yield the far ends, by ASN; if Azure lists no ASN, by address."""
    met: dict[int | str, list[tuple[Role, SessionPicture]]] = {}
    for hub in hubs:
        for session in hub.gateway.external_sessions:
            key = session.peer.neighbor if session.peer.asn is None else session.peer.asn
            met.setdefault(key, []).append((hub.role, session))
    for key, rows in met.items():
        sessions = [session for _, session in rows]
        asn = key if isinstance(key, int) else None
        yield FarEnd(
            name=_find_far_name(site, asn) or str(key),
            asn=asn,
            neighbors=tuple(
                dict.fromkeys(session_picture.peer.neighbor for session_picture in sessions)
            ),
            roles=tuple(dict.fromkeys(role for role, _ in rows)),
            active=any(session_picture.active for session_picture in sessions),
            condition=_rate_far_end(sessions),
        )


def _find_far_name(site: Site, asn: int | None) -> str | None:
    if asn is None:
        return None
    if asn == conditions.EDGE_ASN:
        return "Microsoft edge"
    for name, gateway in (site.topology.gateways if site.topology else {}).items():
        if gateway.asn == asn:
            return f"{gateway.virtual_network}: {name}"
    return f"AS {asn}"


def _rate_far_end(sessions: Sequence[SessionPicture]) -> Assessment:
    wrong = find_worst(session.condition for session in sessions)
    if wrong is None or wrong.mark is Mark.SOUND:
        return Assessment(Mark.SOUND, f"{len(sessions)} of {len(sessions)} sessions Connected")
    up = sum(session.condition.mark is Mark.SOUND for session in sessions)
    text = f"{up} of {len(sessions)} sessions Connected; {wrong.why}"
    return Assessment(Mark.DEGRADED if up else wrong.mark, text)


def _build_remote_prefix(
    observed: SiteSnapshot, prefix: IPv4Network, name: str | None, active: Sequence[Role]
) -> RemotePrefix:
    learned = tuple(_build_learned(observed.gateways.get(role), role, prefix) for role in Role)
    counted = [
        learned_prefix.condition
        for learned_prefix in learned
        if learned_prefix.role in active or not active
    ]
    return RemotePrefix(
        prefix=prefix,
        name=name,
        learned=learned,
        active=bool(active),
        condition=find_worst(counted) or learned[0].condition,
    )


def _build_learned(gateway: Gateway | None, role: Role, prefix: IPv4Network) -> LearnedPrefix:
    condition = conditions.check_prefix_learned(gateway, role, prefix)
    routes = conditions.select_learned_routes(gateway).iter_covering(prefix) if gateway else ()
    sources = dict.fromkeys(route.source_peer for route in routes if route.source_peer)
    return LearnedPrefix(role, tuple(sources), Assessment.from_condition(condition))
