"""Build the topology that status, terminal picture and diagram show, from what was read. Pure.

Hubs, gateways, BGP sessions, connections, far ends, spokes and their peerings, each with a mark
and the reason in words. It decides nothing: the verdict comes from ``planning.health``, and a mark
never changes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Network

from erfailover.model.circuits import Circuits, Connection
from erfailover.model.circuits import claims as circuit_claims
from erfailover.model.claims import Verdict
from erfailover.model.observed import BgpPeer, Gateway, Observed, Reading
from erfailover.model.resource_ids import last_of
from erfailover.model.site import ROLE_OF_PATH, Role, Site
from erfailover.planning import conditions
from erfailover.planning.drill.state import DrillState
from erfailover.planning.health import Health
from erfailover.reporting.marks import Condition, Mark, worst
from erfailover.reporting.topology.model import (
    ConnectionPicture,
    FarEnd,
    GatewayPicture,
    HubPicture,
    Learned,
    Picture,
    RemotePrefix,
    SessionPicture,
)
from erfailover.reporting.topology.spokes import groups, spoke_picture

PATH_OF_ROLE = {role: path for path, role in ROLE_OF_PATH.items()}


def picture(
    site: Site,
    observed: Observed,
    health: Health,
    circuits: Mapping[Role, Circuits],
    drill: DrillState | None = None,
) -> Picture:
    """Return a site as it can be drawn.

    Args:
        site: what there should be.
        observed: what there is.
        health: the verdict on it.
        circuits: what the gateways hang on, by their hub; a hub that is not in it has no
            connections in the picture, and ``connections_unknown`` says so.
        drill: what is known of a drill.
    """
    by_name = {each.name: each for each in health.spokes}
    spokes = tuple(
        spoke_picture(site, observed, spoke, by_name[spoke.name]) for spoke in site.spokes
    )
    used = {each.path for each in health.spokes}
    hubs = tuple(
        _hub(site, observed, role, circuits.get(role), active=PATH_OF_ROLE[role] in used)
        for role in Role
    )
    active = [hub.role for hub in hubs if hub.active]
    networks = site.topology.virtual_networks if site.topology else {}
    names = {
        space: name
        for name, each in reversed(list(networks.items()))
        for space in each.address_space
    }
    return Picture(
        site=site.name,
        taken_at=observed.taken_at,
        health=health,
        hubs=hubs,
        spokes=spokes,
        groups=groups(spokes),
        far_ends=tuple(_far_ends(site, hubs)),
        remote_prefixes=tuple(
            _remote_prefix(observed, each, names.get(each), active) for each in site.remote_prefixes
        ),
        drill=drill,
    )


def _hub(
    site: Site, observed: Observed, role: Role, circuits: Circuits | None, *, active: bool
) -> HubPicture:
    network_id = site.network_id(site.hub(role).virtual_network)
    network = observed.network(network_id)
    read = conditions.network_was_read(observed, network_id)
    rest = conditions.network_is_at_rest(network, last_of(network_id))
    condition = Condition.of(read)
    if read.verdict is Verdict.HOLDS and rest.verdict is not Verdict.HOLDS:
        condition = Condition(Mark.DEGRADED, rest.seen)
    return HubPicture(
        name=last_of(network_id),
        role=role,
        path=PATH_OF_ROLE[role],
        network=network,
        gateway=_gateway(site, observed, role, circuits, active=active),
        active=active,
        condition=condition,
    )


def _gateway(
    site: Site, observed: Observed, role: Role, circuits: Circuits | None, *, active: bool
) -> GatewayPicture:
    gateway_id = site.gateway_id(site.hub(role).gateway)
    found = observed.gateways.get(role)
    listed = circuits.connections if circuits else Reading(None, "they were not read")
    return GatewayPicture(
        name=last_of(gateway_id),
        found=found,
        sessions=tuple(_sessions(found, active=active)),
        connections=tuple(
            _connection(circuits, each, active=active)
            for each in (listed.value or ())
            if circuits is not None
        ),
        connections_unknown=None if listed.value is not None else listed.unknown,
        active=active,
        condition=_gateway_condition(site, observed, role, gateway_id),
    )


def _gateway_condition(site: Site, observed: Observed, role: Role, gateway_id: str) -> Condition:
    gateway = observed.gateways.get(role)
    if gateway is None:
        unread = f"{last_of(gateway_id)} could not be read"
        return Condition(Mark.UNKNOWN, observed.unknown.get(gateway_id.lower(), unread))
    connected = conditions.gateway_has_a_connected_bgp_peer(gateway, role)
    learned = conditions.gateway_has_learned(gateway, role, site.remote_prefixes)
    needed = worst(map(Condition.of, (connected, learned)))
    if needed is not None and needed.mark is not Mark.SOUND:
        return needed
    for claim in (
        conditions.gateway_is_provisioned(gateway, role),
        conditions.gateway_has_all_its_bgp_peers(gateway, role),
    ):
        if claim.verdict is Verdict.FAILS:
            return Condition(Mark.DEGRADED, claim.seen)
    return Condition(Mark.SOUND, learned.seen)


def _sessions(gateway: Gateway | None, *, active: bool) -> Iterator[SessionPicture]:
    external = conditions.external_peers(gateway)
    for peer in conditions.peers_of(gateway):
        leads_out = peer in external
        yield SessionPicture(
            peer=peer,
            external=leads_out,
            active=active and leads_out,
            condition=_session_condition(peer),
        )


def _session_condition(peer: BgpPeer) -> Condition:
    if peer.state == conditions.CONNECTED:
        return Condition(Mark.SOUND, f"{peer.neighbor} is Connected")
    mark = Mark.UNKNOWN if peer.state == "Unknown" else Mark.BROKEN
    return Condition(mark, f"{peer.neighbor} is {peer.state}; expected Connected")


def _connection(circuits: Circuits, each: Connection, *, active: bool) -> ConnectionPicture:
    told = circuit_claims(replace(circuits, connections=Reading((each,))))
    condition = worst(map(Condition.of, told)) or Condition(Mark.UNKNOWN, "no data")
    return ConnectionPicture(each, active, condition)


def _far_ends(site: Site, hubs: Sequence[HubPicture]) -> Iterator[FarEnd]:
    """Who is opposite, by ASN; if Azure tells none, by address."""
    met: dict[int | str, list[tuple[Role, SessionPicture]]] = {}
    for hub in hubs:
        for session in hub.gateway.external_sessions:
            key = session.peer.neighbor if session.peer.asn is None else session.peer.asn
            met.setdefault(key, []).append((hub.role, session))
    for key, found in met.items():
        sessions = [session for _, session in found]
        asn = key if isinstance(key, int) else None
        yield FarEnd(
            name=_far_name(site, asn) or str(key),
            asn=asn,
            neighbors=tuple(dict.fromkeys(each.peer.neighbor for each in sessions)),
            roles=tuple(dict.fromkeys(role for role, _ in found)),
            active=any(each.active for each in sessions),
            condition=_far_condition(sessions),
        )


def _far_name(site: Site, asn: int | None) -> str | None:
    if asn is None:
        return None
    if asn == conditions.EDGE_ASN:
        return "Microsoft edge"
    for name, gateway in (site.topology.gateways if site.topology else {}).items():
        if gateway.asn == asn:
            return f"{gateway.virtual_network}: {name}"
    return f"AS {asn}"


def _far_condition(sessions: Sequence[SessionPicture]) -> Condition:
    wrong = worst(each.condition for each in sessions)
    if wrong is None or wrong.mark is Mark.SOUND:
        return Condition(Mark.SOUND, f"{len(sessions)} of {len(sessions)} sessions Connected")
    up = sum(each.condition.mark is Mark.SOUND for each in sessions)
    told = f"{up} of {len(sessions)} sessions Connected; {wrong.why}"
    return Condition(Mark.DEGRADED if up else wrong.mark, told)


def _remote_prefix(
    observed: Observed, prefix: IPv4Network, name: str | None, active: Sequence[Role]
) -> RemotePrefix:
    learned = tuple(_learned(observed.gateways.get(role), role, prefix) for role in Role)
    counted = [each.condition for each in learned if each.role in active or not active]
    return RemotePrefix(
        prefix=prefix,
        name=name,
        learned=learned,
        active=bool(active),
        condition=worst(counted) or learned[0].condition,
    )


def _learned(gateway: Gateway | None, role: Role, prefix: IPv4Network) -> Learned:
    claim = conditions.prefix_is_learned(gateway, role, prefix)
    routes = conditions.learned_routes(gateway).covering(prefix) if gateway else ()
    sources = dict.fromkeys(each.source_peer for each in routes if each.source_peer)
    return Learned(role, tuple(sources), Condition.of(claim))
