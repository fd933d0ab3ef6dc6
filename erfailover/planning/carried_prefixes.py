"""What a gateway carries: the prefixes that it has learned, or has static tunnels to. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network

from erfailover.model.observed import Gateway
from erfailover.model.prefix_table import PrefixTable, build_table
from erfailover.planning.conditions import list_peers, select_external_peers, select_learned_routes
from erfailover.planning.once import once_per_reading
from erfailover.planning.static_tunnels import list_connected_tunnels


@once_per_reading
def list_carried_prefixes(gateway: Gateway) -> tuple[IPv4Network, ...]:
    """Return the IPv4 prefixes that a gateway has learned, or has static tunnels to, each once."""
    static = {
        prefix
        for connected_tunnel in list_connected_tunnels(gateway)
        for prefix in connected_tunnel.prefixes
    }
    prefixes = {*select_learned_routes(gateway).prefixes, *static}
    return tuple(sorted(prefixes, key=lambda item: (int(item.network_address), item.prefixlen)))


@once_per_reading
def build_carried_table(gateway: Gateway) -> PrefixTable[IPv4Network, IPv4Network]:
    """Return what a gateway carries, as a table to query."""
    return build_table(list_carried_prefixes(gateway))


def needs_static_tunnels(gateway: Gateway, prefixes: Sequence[IPv4Network]) -> bool:
    """Whether a VPN gateway's BGP tables do not show how prefixes are reached.

    Without BGP, or with no peer beyond Azure, or without a route to every prefix, a connection with
    static prefixes may carry them (published: a local network gateway's address space is routed
    to its tunnel).
    """
    if not gateway.bgp:
        return True
    if gateway.peers.value is None or gateway.learned_routes.value is None:
        return False
    learned = select_learned_routes(gateway)
    return not select_external_peers(gateway) or not all(map(learned.has_covering, prefixes))


def list_beyond_azure(gateway: Gateway, spaces: Sequence[IPv4Network]) -> list[IPv4Network]:
    """Return what a gateway has learned from beyond Azure, in order.

    Args:
        gateway: the gateway that has learned it.
        spaces: address spaces of VNets; what lies within them is inside Azure.
    """
    peers = {f"{peer.neighbor}/32" for peer in list_peers(gateway)}
    own = build_table(spaces)
    return [
        network
        for network in list_carried_prefixes(gateway)
        if str(network) not in peers and not own.has_covering(network)
    ]
