"""A VPN gateway's view of the ExpressRoute gateway in the same GatewaySubnet.

Published (azure-docs "Using S2S VPN as a backup for ExpressRoute private peering"): beside its own
routes a VPN gateway sees those received by ExpressRoute, ``10.1.11.0/25 10.17.11.69 12076-65020
32769``, two for each of its instances, all with one next hop, the second address of the edge.
That page shows no source peer, origin or list of peers. Assumed: an edge is the source, the
origin is EBgp, and the edges are listed as peers. Neither gateway advertises its learned routes to
the other's far end (published: that needs a Route Server).
"""

from __future__ import annotations

from collections.abc import Iterator

from erfailover.lab.core.addresses import EDGE_ASN
from erfailover.lab.core.world import Body
from erfailover.lab.routing.bgp_rows import (
    build_connected_peer,
    build_route,
    build_silent_peer,
    count_messages,
)
from erfailover.lab.routing.expressroute import EDGE_WEIGHT, CircuitLink, ExpressRoute
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.records import Gateway


def list_adjacent_links(
    express: ExpressRoute, network: Network, vpn: Gateway
) -> Iterator[tuple[str, CircuitLink]]:
    """Yield the links of the ExpressRoute gateway in a VPN gateway's VNet, with its key."""
    for gateway in network.gateways.list_group(vpn.vnet):
        for link in express.get_links(gateway.key):
            yield gateway.key, link


def list_adjacent_routes(
    express: ExpressRoute, network: Network, vpn: Gateway, local: str
) -> Iterator[Body]:
    """Yield the rows of getLearnedRoutes of an instance, by its address."""
    for _, link in list_adjacent_links(express, network, vpn):
        for prefix in link.prefixes:
            for edge in link.live_edges:
                if prefix in link.list_advertised(edge):
                    path = f"{EDGE_ASN}-{link.asn}"
                    hop = link.edges[1]
                    yield build_route(local, prefix, hop, edge, "EBgp", path, EDGE_WEIGHT)


def list_adjacent_peers(
    express: ExpressRoute, network: Network, vpn: Gateway, now: float, keepalive_s: float
) -> Iterator[Body]:
    """Yield the rows of getBgpPeerStatus: every edge, at each instance."""
    for key, link in list_adjacent_links(express, network, vpn):
        for instance in vpn.instances:
            local = (instance.addresses or ("",))[0]
            for edge in link.edges:
                if edge not in link.live_edges:
                    yield build_silent_peer(local, edge, EDGE_ASN, "Connecting")
                    continue
                seconds, received = (
                    now - express.get_up_since(key, link, edge),
                    len(link.list_advertised(edge)),
                )
                sent = count_messages(0, seconds, keepalive_s)
                messages = (sent, count_messages(received, seconds, keepalive_s))
                yield build_connected_peer(local, edge, EDGE_ASN, seconds, received, messages)
