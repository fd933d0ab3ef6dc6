"""What a gateway carries: the prefixes that it has learned, or has static tunnels to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network

from erfailover.model.observed import Gateway, GatewayRoute
from erfailover.planning.conditions import covering, external_peers, learned_routes, peers_of
from erfailover.planning.static_tunnels import connected_tunnels


def carried_prefixes(gateway: Gateway) -> tuple[IPv4Network, ...]:
    """The IPv4 prefixes that a gateway has learned, or has static tunnels to, each once."""
    static = {prefix for each in connected_tunnels(gateway) for prefix in each.prefixes}
    return tuple(sorted(_networks(learned_routes(gateway)) | static))


def needs_static_tunnels(gateway: Gateway, prefixes: Sequence[IPv4Network]) -> bool:
    """Whether a VPN gateway's BGP tables leave open how prefixes are reached.

    Without BGP, or with no peer beyond Azure, or without a route to every prefix, a connection with
    static prefixes may carry them (published: a local network gateway's address space is routed
    to its tunnel).
    """
    if not gateway.bgp:
        return True
    if gateway.peers.value is None or gateway.learned_routes.value is None:
        return False
    learned = learned_routes(gateway)
    return not external_peers(gateway) or any(covering(learned, each) is None for each in prefixes)


def beyond(gateway: Gateway, spaces: Sequence[IPv4Network]) -> list[IPv4Network]:
    """What a gateway has learned from beyond Azure, in order.

    Args:
        gateway: which has learned it.
        spaces: address spaces of VNets: what lies within them is Azure's own.
    """
    peers = {f"{each.neighbor}/32" for each in peers_of(gateway)}
    return [
        network
        for network in carried_prefixes(gateway)
        if str(network) not in peers and not any(network.subnet_of(space) for space in spaces)
    ]


def _networks(routes: Iterable[GatewayRoute]) -> set[IPv4Network]:
    """The IPv4 networks of routes; a row that is none is left out."""
    found = set()
    for each in routes:
        try:
            found.add(IPv4Network(each.network))
        except ValueError:
            continue  # IPv6
    return found
