"""What a VPN gateway lists of the ExpressRoute gateway beside it, in one GatewaySubnet.

Published (azure-docs "Using S2S VPN as a backup for ExpressRoute private peering"): beside its own
routes a VPN gateway sees those received by ExpressRoute, ``10.1.11.0/25 10.17.11.69 12076-65020
32769``, two for each of its instances, all with one next hop, the second address of the edge.
That page shows no source peer, origin or list of peers. Assumed: an edge is the source, the
origin is EBgp, and the edges are listed as peers. Neither gateway passes on to the other's far end
what it has heard (published: that needs a Route Server).
"""

from __future__ import annotations

from collections.abc import Iterator

from erfailover.lab.core.addresses import EDGE_ASN
from erfailover.lab.core.world import Body
from erfailover.lab.routing.bgp_rows import connected_peer, message_count, route_row, silent_peer
from erfailover.lab.routing.expressroute import EDGE_WEIGHT, ExpressRoute, Link
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.records import Gateway


def links_beside(
    express: ExpressRoute, network: Network, vpn: Gateway
) -> Iterator[tuple[str, Link]]:
    """The links of the ExpressRoute gateway in a VPN gateway's VNet, with that gateway's key."""
    for each in network.gateways.of(vpn.vnet):
        for link in express.links(each.key):
            yield each.key, link


def routes_beside(
    express: ExpressRoute, network: Network, vpn: Gateway, local: str
) -> Iterator[Body]:
    """The rows of getLearnedRoutes of one instance, by its address."""
    for _, link in links_beside(express, network, vpn):
        for prefix in link.prefixes:
            for edge in link.live:
                if prefix in link.told_by(edge):
                    path = f"{EDGE_ASN}-{link.asn}"
                    hop = link.edges[1]
                    yield route_row(local, prefix, hop, edge, "EBgp", path, EDGE_WEIGHT)


def peers_beside(
    express: ExpressRoute, network: Network, vpn: Gateway, now: float, keepalive_s: float
) -> Iterator[Body]:
    """The rows of getBgpPeerStatus: every edge, at each instance."""
    for key, link in links_beside(express, network, vpn):
        for instance in vpn.instances:
            local = (instance.addresses or ("",))[0]
            for edge in link.edges:
                if edge not in link.live:
                    yield silent_peer(local, edge, EDGE_ASN, "Connecting")
                    continue
                seconds, received = now - express.since(key, link, edge), len(link.told_by(edge))
                sent = message_count(0, seconds, keepalive_s)
                messages = (sent, message_count(received, seconds, keepalive_s))
                yield connected_peer(local, edge, EDGE_ASN, seconds, received, messages)
