"""Named conditions: each function takes a reading and returns a condition with its status. Pure.

Two words have exact meanings. A gateway has *learned* a prefix if a route of origin EBgp (or
IBgp, from its twin instance) came from a peer that is Connected. It *originates* a prefix if the
route's origin is Network and its source peer is the gateway's own address. A prefix merely
present in a table proves nothing: a healthy backup gateway learns the spoke's prefix from the far
end, and a dead primary keeps the static prefixes of its local network gateway (both observed).

What could not be read, and an empty list of peers or routes, is UNKNOWN, never FAILS: real
gateways sometimes return empty lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from ipaddress import IPv4Network

from erfailover.model.arm_json import UNDER_WAY
from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.durations import format_duration
from erfailover.model.observed import (
    EXPRESSROUTE,
    BgpPeer,
    Gateway,
    GatewayRoute,
    Peering,
    SiteSnapshot,
    VirtualNetwork,
)
from erfailover.model.prefix_table import KEPT, format_prefixes
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import Role
from erfailover.planning.once import once_per_reading
from erfailover.planning.routes import Routes
from erfailover.planning.static_tunnels import (
    check_tunnel_up,
    check_tunnels_cover,
    describe_tunnels,
    find_tunnels,
    list_static_tunnels,
)

CONNECTED = "Connected"
EXTERNAL = frozenset({"EBgp", "IBgp"})
EDGE_ASN = 12076
"""The ASN of the Microsoft edge, the peers of an ExpressRoute gateway (published)."""
AZURE_ASNS = frozenset({EDGE_ASN, 65515})
"""ASNs that no far end of a tunnel has: Microsoft's edge; ExpressRoute gateways and Route Servers.

Published: both are reserved, and a local network gateway may have neither.
"""


def combine_verdicts(conditions: Iterable[Condition]) -> ConditionStatus:
    """Return HOLDS if all hold, FAILS if one fails, and UNKNOWN otherwise."""
    verdicts = {condition.status for condition in conditions}
    if ConditionStatus.FAILS in verdicts:
        return ConditionStatus.FAILS
    return ConditionStatus.UNKNOWN if ConditionStatus.UNKNOWN in verdicts else ConditionStatus.HOLDS


def parse_duration_s(text: str | None) -> float | None:
    """Convert a ``connectedDuration`` to seconds: ``00:01:14.8269278``, ``3.03:14:13.18``."""
    match = re.fullmatch(r"(?:(\d+)\.)?(\d+):(\d+):(\d+(?:\.\d+)?)", text or "")
    if not match:
        return None
    days, hours, minutes, seconds = match.groups()
    return int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def list_peers(gateway: Gateway | None) -> tuple[BgpPeer, ...]:
    """Return the gateway's peers; none if they are unknown."""
    return (gateway.peers.value or ()) if gateway else ()


def list_routes(gateway: Gateway | None) -> tuple[GatewayRoute, ...]:
    """Return the gateway's learned routes; none if they are unknown."""
    return (gateway.learned_routes.value or ()) if gateway else ()


def select_external_peers(gateway: Gateway | None) -> tuple[BgpPeer, ...]:
    """Return the peers that lead out of Azure's network, each at every instance that lists it.

    An ExpressRoute gateway's are the Microsoft edge, two a circuit (published); a Route Server
    and a VPN gateway beside it are listed as well, with other ASNs. An active-active VPN
    gateway lists itself and its twin instance too, with its own ASN (published); beside an
    ExpressRoute gateway or a Route Server also these, and the Microsoft edge (assumed: published
    are the routes from there).
    """
    if gateway is not None and gateway.type == EXPRESSROUTE:
        return tuple(peer for peer in list_peers(gateway) if peer.asn == EDGE_ASN)
    own = {*AZURE_ASNS, gateway.asn if gateway is not None else None} - {None}
    return tuple(peer for peer in list_peers(gateway) if peer.asn not in own)


@once_per_reading
def select_learned_routes(gateway: Gateway) -> Routes:
    """Return the routes a gateway has learned, by any of its instances.

    Only peers that are Connected count. A VPN gateway beside an ExpressRoute gateway
    or a Route Server also lists the routes of these (published: AS path 12076-65020): none of them
    came through a tunnel.
    """
    sources = {peer.neighbor for peer in select_external_peers(gateway) if peer.state == CONNECTED}
    sources |= set(gateway.bgp_addresses)
    return Routes(
        route
        for route in list_routes(gateway)
        if route.origin in EXTERNAL
        and route.source_peer in sources
        and (gateway.type == EXPRESSROUTE or parse_first_asn(route.as_path) not in AZURE_ASNS)
    )


def is_static(gateway: Gateway | None) -> bool:
    """Whether a gateway receives no routes: it has no BGP, or static tunnels and no peer."""
    if gateway is None:
        return False
    return not gateway.bgp or (
        bool(list_static_tunnels(gateway)) and not select_external_peers(gateway)
    )


@lru_cache(KEPT)
def parse_first_asn(as_path: str | None) -> int | None:
    """Return the neighboring AS of a path: 12076 of ``12076-65020``; None without a path."""
    match = re.match(r"\s*(\d+)", as_path or "")
    return int(match[1]) if match else None


@once_per_reading
def select_originated(gateway: Gateway) -> Routes:
    """Return the routes a gateway originates."""
    own = set(gateway.bgp_addresses)
    return Routes(
        route
        for route in list_routes(gateway)
        if route.origin == "Network"
        and (route.source_peer == route.local_address or route.source_peer in own)
    )


def check_gateway_provisioned(gateway: Gateway | None, role: Role) -> Condition:
    """Check that the gateway exists, and no operation on it is under way or failed."""
    name = "gateway_is_provisioned"
    if gateway is None:
        return Condition(
            name, ConditionStatus.UNKNOWN, f"the {role} hub's gateway could not be read"
        )
    state = gateway.provisioning_state
    holds = state == "Succeeded"
    message = f"{gateway.name} is {state}; expected Succeeded"
    if holds:
        message = f"{gateway.name}: provisioning state {state}"
    remedy = "If this is maintenance or an edit, its tunnels stay up: use --force."
    return Condition(
        name,
        ConditionStatus.HOLDS if holds else ConditionStatus.FAILS,
        message,
        remedy if state in UNDER_WAY else "",
    )


def check_gateway_connected(gateway: Gateway | None, role: Role) -> Condition:
    """Return whether a BGP session that leads out of the gateway is up."""
    name = "gateway_has_a_connected_bgp_peer"
    if gateway is None:
        return Condition(
            name, ConditionStatus.UNKNOWN, f"the {role} hub's gateway could not be read"
        )
    if is_static(gateway):
        return check_tunnel_up(gateway, name)
    if not gateway.peers.value:
        why = gateway.peers.unknown or "Azure listed no BGP peer"
        return Condition(name, ConditionStatus.UNKNOWN, f"{gateway.name}: {why}")
    others = select_external_peers(gateway)
    text = _format_peers(others) or _describe_no_peer(gateway)
    if any(peer.state == CONNECTED for peer in others):
        return Condition(name, ConditionStatus.HOLDS, f"{gateway.name}: {text}")
    return Condition(name, ConditionStatus.FAILS, f"{gateway.name}: {text}; expected one Connected")


def check_all_peers_connected(gateway: Gateway | None, role: Role) -> Condition:
    """Check that every BGP session that leads out of the gateway is up; degraded if some are.

    A circuit ends at two edge routers (published), so an ExpressRoute gateway that lists one
    is degraded as well.
    """
    name = "gateway_has_all_its_bgp_peers"
    alive = check_gateway_connected(gateway, role)
    if gateway is None or alive.status is not ConditionStatus.HOLDS:
        return Condition(name, alive.status, alive.message)
    if is_static(gateway):
        down_tunnels = [
            static_tunnel
            for static_tunnel in list_static_tunnels(gateway)
            if static_tunnel.status != CONNECTED
        ]
        verdict = ConditionStatus.FAILS if down_tunnels else ConditionStatus.HOLDS
        return Condition(name, verdict, f"{gateway.name} is degraded: {alive.message}")
    others = select_external_peers(gateway)
    down = [peer for peer in others if peer.state != CONNECTED]
    what = "edge peers" if gateway.type == EXPRESSROUTE else "BGP peers"
    if down:
        up = len(others) - len(down)
        message = f"{gateway.name} is degraded: {up} of {len(others)} {what} Connected"
        return Condition(name, ConditionStatus.FAILS, f"{message}; {_format_peers(down, others)}")
    if gateway.type == EXPRESSROUTE and len({peer.neighbor for peer in others}) <= 1:
        message = f"{gateway.name} is degraded: it lists one edge peer, but a circuit has two"
        return Condition(name, ConditionStatus.FAILS, f"{message}; {_format_peers(others)}")
    return Condition(name, ConditionStatus.HOLDS, f"{gateway.name}: {_format_peers(others)}")


def _format_peers(peers: Sequence[BgpPeer], among: Sequence[BgpPeer] = ()) -> str:
    """Peers and their states; with the local address if one is listed at two instances."""
    rows = among or peers
    twice = len({peer.neighbor for peer in rows}) < len(rows)
    return ", ".join(
        f"{peer.local_address} to {peer.neighbor} {peer.state}"
        if twice and peer.local_address
        else f"{peer.neighbor} {peer.state}"
        for peer in peers
    )


def _describe_no_peer(gateway: Gateway) -> str:
    express = gateway.type == EXPRESSROUTE
    return f"no edge peer (AS {EDGE_ASN})" if express else "no peer except itself"


@once_per_reading
def has_external_routes(gateway: Gateway) -> bool:
    """Return whether a gateway has learned a route from outside its VNet."""
    return any(route.origin in EXTERNAL for route in gateway.learned_routes.value or ())


@once_per_reading
def check_gateway_learned(
    gateway: Gateway | None, role: Role, prefixes: Sequence[IPv4Network]
) -> Condition:
    """Check that the gateway has learned every prefix, or one that covers it."""
    return _check_learned(gateway, role, prefixes)


def check_prefix_learned(gateway: Gateway | None, role: Role, prefix: IPv4Network) -> Condition:
    """Check that the gateway has learned one prefix, or one that covers it."""
    return _check_learned(gateway, role, (prefix,))


def _check_learned(
    gateway: Gateway | None, role: Role, prefixes: Sequence[IPv4Network]
) -> Condition:
    name = "gateway_has_learned_the_remote_prefixes"
    if gateway is None:
        return Condition(
            name, ConditionStatus.UNKNOWN, f"the {role} hub's gateway could not be read"
        )
    if is_static(gateway):
        return check_tunnels_cover(gateway, name, prefixes)
    if not gateway.learned_routes.value or (
        not gateway.peers.value and has_external_routes(gateway)
    ):
        why = gateway.learned_routes.unknown or gateway.peers.unknown or "Azure listed no route"
        return Condition(name, ConditionStatus.UNKNOWN, f"{gateway.name}: {why}")
    learned = select_learned_routes(gateway)
    missing = [prefix for prefix in prefixes if not learned.has_covering(prefix)]
    static = find_tunnels(gateway, missing)
    missing = [prefix for prefix in missing if prefix not in static]
    if static and not missing:
        message = f"{gateway.name} reaches prefixes without BGP: {describe_tunnels(static)}"
        return Condition(name, ConditionStatus.HOLDS, message)
    if missing:
        message = f"{gateway.name} has not learned {format_prefixes(missing)} by BGP"
        return Condition(name, ConditionStatus.FAILS, message)
    return Condition(
        name, ConditionStatus.HOLDS, f"{gateway.name} has learned {format_prefixes(prefixes)}"
    )


def check_gateway_healthy_for(
    gateway: Gateway | None, role: Role, prefixes: Sequence[IPv4Network], hold_s: float
) -> Condition:
    """Check that the remote prefixes come from sessions that have been up for a hold time, in s.

    Decides for a VPN gateway only: the sessions of an ExpressRoute gateway end at Microsoft's edge
    and stay up while the circuit is down (``planning.switch.hold_time``).
    """
    name = "gateway_has_been_healthy_for_the_hold_time"
    healthy = check_gateway_learned(gateway, role, prefixes)
    if healthy.status is not ConditionStatus.HOLDS or gateway is None:
        return Condition(name, healthy.status, healthy.message)
    if gateway.type == EXPRESSROUTE:
        message = (
            f"{gateway.name}'s BGP sessions end at Microsoft's edge and do not show the circuit"
        )
        return Condition(name, ConditionStatus.UNKNOWN, message)
    held = compute_held_s(gateway, prefixes)
    if held is None:
        return Condition(
            name,
            ConditionStatus.UNKNOWN,
            f"how long {gateway.name}'s session has been up is unknown",
        )
    verdict = ConditionStatus.HOLDS if held >= hold_s else ConditionStatus.FAILS
    return Condition(
        name,
        verdict,
        f"{gateway.name}'s session has been up for {format_duration(held)} of "
        f"{format_duration(hold_s)}",
    )


def compute_held_s(gateway: Gateway, prefixes: Sequence[IPv4Network]) -> float | None:
    """Return how long every prefix has had a session that can carry it, in seconds.

    The session between the two instances of a gateway, older than any other, does not count.
    """
    held: dict[str | None, float] = {}
    for peer in select_external_peers(gateway):
        if peer.state == CONNECTED:
            seconds = parse_duration_s(peer.connected_duration) or 0.0
            held[peer.neighbor] = max(seconds, held.get(peer.neighbor, 0.0))
    learned = select_learned_routes(gateway)
    longest = [
        max(
            (
                held[route.source_peer]
                for route in learned.iter_covering(prefix)
                if route.source_peer in held
            ),
            default=None,
        )
        for prefix in prefixes
    ]
    rows = [value for value in longest if value is not None]
    return min(rows) if rows and len(rows) == len(longest) else None


def check_originated(
    gateway: Gateway | None, role: Role, prefixes: Sequence[IPv4Network]
) -> Condition:
    """Check that the gateway originates every prefix; a covering one instead is UNKNOWN."""
    name = "gateway_originates_the_spoke"
    if gateway is not None and is_static(gateway):
        up = check_tunnel_up(gateway, name)
        return replace(up, message=f"{up.message}; the far end has its own routes to it")
    if gateway is None or not gateway.learned_routes.value:
        return Condition(name, ConditionStatus.UNKNOWN, _explain_unread(gateway, role))
    routes = select_originated(gateway)
    missing = [prefix for prefix in prefixes if str(prefix) not in routes.networks]
    desired = format_prefixes(missing or prefixes)
    if not missing:
        return Condition(name, ConditionStatus.HOLDS, f"{gateway.name} originates {desired}")
    if all(map(routes.has_covering, missing)):
        return Condition(
            name,
            ConditionStatus.UNKNOWN,
            f"{gateway.name} originates a prefix that covers {desired}",
        )
    return Condition(name, ConditionStatus.FAILS, f"{gateway.name} does not originate {desired}")


def check_not_originated(
    gateway: Gateway | None, role: Role, prefixes: Sequence[IPv4Network]
) -> Condition:
    """Check that the gateway originates none of the prefixes."""
    name = "gateway_does_not_originate_the_spoke"
    if gateway is not None and is_static(gateway):
        return Condition(
            name, ConditionStatus.HOLDS, f"{gateway.name} has no BGP: it advertises no route"
        )
    if gateway is None or not gateway.learned_routes.value:
        return Condition(name, ConditionStatus.UNKNOWN, _explain_unread(gateway, role))
    exact = select_originated(gateway).networks
    still = [str(prefix) for prefix in prefixes if str(prefix) in exact]
    if still:
        return Condition(
            name, ConditionStatus.FAILS, f"{gateway.name} still originates {format_prefixes(still)}"
        )
    return Condition(
        name,
        ConditionStatus.HOLDS,
        f"{gateway.name} does not originate {format_prefixes(prefixes)}",
    )


def _explain_unread(gateway: Gateway | None, role: Role) -> str:
    if gateway is None:
        return f"the {role} hub's gateway could not be read"
    return f"{gateway.name}: {gateway.learned_routes.unknown or 'Azure listed no route'}"


def check_network_read(observed: SiteSnapshot, network_id: str) -> Condition:
    """Check that the VNet is known, with its peerings."""
    condition_name, name = "network_was_read", get_last_name(network_id)
    if observed.get_network(network_id) is None:
        why = observed.unknown.get(network_id.lower(), f"{name} could not be read")
        return Condition(condition_name, ConditionStatus.UNKNOWN, why)
    return Condition(condition_name, ConditionStatus.HOLDS, f"{name} and its peerings were read")


def check_network_at_rest(network: VirtualNetwork | None, name: str) -> Condition:
    """Check that no operation on the VNet is in progress (UNKNOWN: it may succeed) or failed."""
    condition_name = "network_is_at_rest"
    if network is None:
        return Condition(condition_name, ConditionStatus.UNKNOWN, f"{name} could not be read")
    state = network.provisioning_state
    if state == "Succeeded":
        return Condition(
            condition_name, ConditionStatus.HOLDS, f"{network.name}: provisioning state Succeeded"
        )
    message = f"{network.name} is {state}; expected Succeeded"
    if state in UNDER_WAY:
        remedy = "Wait until the operation that is changing it ends."
        return Condition(condition_name, ConditionStatus.UNKNOWN, message, remedy)
    again = f"az network vnet update --ids {network.id}"
    return Condition(
        condition_name, ConditionStatus.FAILS, message, f"Write it again unchanged: {again}"
    )


def check_no_own_gateway(network: VirtualNetwork | None, name: str) -> Condition:
    """Check that a VNet does not have its own gateway: with one it cannot use a remote one."""
    condition_name = "spoke_has_no_gateway_of_its_own"
    if network is None:
        return Condition(condition_name, ConditionStatus.UNKNOWN, f"{name} could not be read")
    if network.has_gateway:
        return Condition(condition_name, ConditionStatus.FAILS, f"{name} has its own gateway")
    return Condition(condition_name, ConditionStatus.HOLDS, f"{name} does not have its own gateway")


def check_peering_connected(peering: Peering | None, name: str) -> Condition:
    """Check that the peering is Connected, and no operation on it is in progress or failed."""
    condition_name = "peering_is_connected"
    if peering is None:
        return Condition(condition_name, ConditionStatus.FAILS, f"{name} does not exist")
    state = peering.provisioning_state
    if peering.state == CONNECTED and state == "Succeeded":
        return Condition(condition_name, ConditionStatus.HOLDS, f"{name} is {CONNECTED}")
    message = f"{name} is {peering.state}"
    if state != "Succeeded":
        message += f", and its last operation is {state}, not Succeeded"
    if peering.state != CONNECTED:
        message += f"; expected {CONNECTED}"
    verdict = ConditionStatus.UNKNOWN if state in UNDER_WAY else ConditionStatus.FAILS
    return Condition(condition_name, verdict, message)


def check_peering_complete(peering: Peering) -> Condition:
    """Check that a peering joins the complete VNets, as the one that a switch makes does."""
    condition_name = "peering_joins_the_complete_networks"
    if not peering.is_partial:
        return Condition(
            condition_name, ConditionStatus.HOLDS, f"{peering.name} joins the complete VNets"
        )
    return Condition(
        condition_name,
        ConditionStatus.FAILS,
        f"{peering.name} joins some subnets only (peerCompleteVnets, enableOnlyIPv6Peering): a "
        "switch would open the complete VNets to each other",
        "Peer the complete VNets, or move this spoke by hand: erfailover does not support it.",
    )


def check_peering_in_sync(peering: Peering) -> Condition:
    """Check that the peering has the remote VNet's present address space in force."""
    condition_name = "peering_is_in_sync"
    if not peering.is_out_of_sync:
        return Condition(condition_name, ConditionStatus.HOLDS, f"{peering.name} is in sync")
    message = f"{peering.name} is {peering.sync_level}"
    missing = format_prefixes(peering.unknown_space)
    owner, remote = (
        get_last_name(peering.virtual_network),
        get_last_name(peering.remote_virtual_network),
    )
    if missing:
        message += f": {owner} and the networks behind it cannot reach {missing} of {remote}"
    return Condition(
        condition_name,
        ConditionStatus.FAILS,
        message,
        f"az network vnet peering sync --ids {peering.id}",
    )


def check_peering_ready(peering: Peering | None, name: str) -> Condition:
    """Check that the peering is Connected, FullyInSync, and at rest."""
    condition_name = "peering_is_connected_and_in_sync"
    if peering is None:
        return Condition(condition_name, ConditionStatus.FAILS, f"{name} does not exist")
    message = f"{name} is {peering.state}, {peering.sync_level or 'sync level unknown'}"
    settled = peering.provisioning_state == "Succeeded"
    synced = peering.sync_level in (None, "FullyInSync")
    if peering.state == CONNECTED and synced and settled:
        return Condition(condition_name, ConditionStatus.HOLDS, message)
    if not settled:
        message += f", and its last operation is {peering.provisioning_state}, not Succeeded"
    if peering.state != CONNECTED or not synced:
        message += "; expected Connected, FullyInSync"
    return Condition(condition_name, ConditionStatus.FAILS, message)
