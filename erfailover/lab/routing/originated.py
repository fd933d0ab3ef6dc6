"""The prefixes that each gateway originates, and when it learns of a change of peerings.

Owns the delay ``BgpTiming.learn_s`` from a change of peerings to a gateway originating, or no
longer originating, a spoke's prefixes; everything else takes effect at once. It knows no
session and no table: whatever speaks BGP, a model or a router, announces what is listed here.

Observed: a gateway originates its own VNet's prefixes, those of every VNet that uses it as
remote gateway, those of each local network gateway it has a connection to, and a host route to
each configured BGP peer. Of a VNet with ``summarizedGatewayPrefixes`` its gateways advertise those
in place of the prefixes it has, and none of a spoke's that they cover (published; observed on an
ExpressRoute gateway); that its table lists what it advertises then too is assumed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from erfailover.lab.core import addresses
from erfailover.lab.core.world import World
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.records import Connection, Gateway, LocalGateway
from erfailover.lab.routing.sessions import has_peer

Spokes = tuple[tuple[str, str], ...]
"""The prefixes of spokes, each with the key of its VNet."""


class OriginatedPrefixes:
    """What every gateway of a network originates."""

    def __init__(self, world: World, network: Network, learn_s: float) -> None:
        self._world = world
        self._network = network
        self._learn_s = learn_s
        self._scheduled: dict[str, Spokes] = {}
        self._spokes: dict[str, Spokes] = {}
        self.moves = 0
        """Counts the changes by events; those of the configuration come with ``reconcile``."""

    def reconcile(self) -> None:
        """Process the current configuration: schedule what a change of peerings causes.

        A gateway that is new knows the spokes that it finds at once.
        """
        gateways = self._network.gateways.all
        for key in [key for key in self._scheduled if key not in gateways]:
            del self._scheduled[key]
            self._spokes.pop(key, None)
        for key, gateway in gateways.items():
            spokes = self._network.list_borrowers(gateway.vnet)
            pending = self._scheduled.get(key)
            if pending == spokes:
                continue
            self._scheduled[key] = spokes
            if pending is None:
                self._spokes[key] = spokes
            else:
                apply = partial(self._learn, key, spokes)
                self._world.schedule(self._world.now + self._learn_s, apply)

    def _learn(self, gateway: str, spokes: Spokes) -> None:
        if gateway in self._scheduled:
            self._spokes[gateway] = spokes
            self.moves += 1

    def list_own(self, gateway: Gateway) -> tuple[str, ...]:
        """Return the prefixes of a gateway's own VNet."""
        vnet = self._network.vnets.get(gateway.vnet)
        return vnet.prefixes if vnet is not None else ()

    def list_spokes(self, gateway: Gateway) -> Spokes:
        """Return the prefixes of the spokes that use a gateway, as it knows them now."""
        return self._spokes.get(gateway.key, ())

    def list_static(self, gateway: Gateway) -> tuple[str, ...]:
        """Return the prefixes of the local network gateways that a gateway has connections to."""
        far = (local.prefixes for _, local in self._iter_connections(gateway))
        return tuple(dict.fromkeys(prefix for prefixes in far for prefix in prefixes))

    def list_hosts(self, gateway: Gateway) -> tuple[str, ...]:
        """Return the host routes to a gateway's BGP peers, which it never advertises."""
        return tuple(
            dict.fromkeys(
                f"{local.bgp_address}/32"
                for connection, local in self._iter_connections(gateway)
                if has_peer(connection, gateway, local)
            )
        )

    def list_advertised(self, gateway: Gateway) -> tuple[str, ...]:
        """Return the prefixes that a gateway originates and may advertise.

        Those of a local network gateway are withheld from the connection they belong to.
        """
        vnet = self._network.vnets.get(gateway.vnet)
        summarized = vnet.summarized if vnet is not None else ()
        prefixes = dict.fromkeys(summarized or self.list_own(gateway))
        for prefix, _ in self.list_spokes(gateway):
            if not any(addresses.covers(summary, prefix) for summary in summarized):
                prefixes[prefix] = None
        return tuple(dict.fromkeys((*prefixes, *self.list_static(gateway))))

    def list_network(self, gateway: Gateway) -> tuple[str, ...]:
        """Return the prefixes of origin Network: advertised ones, then host routes."""
        hosts = self.list_hosts(gateway)
        return tuple(dict.fromkeys((*self.list_advertised(gateway), *hosts)))

    def list_ipv6(self, gateway: Gateway) -> tuple[str, ...]:
        """Return the IPv6 of an ExpressRoute gateway's VNet and spokes; VPN gateways carry none."""
        used = (spoke for _, spoke in self.list_spokes(gateway))
        vnets = (self._network.vnets.get(key) for key in dict.fromkeys((gateway.vnet, *used)))
        return tuple(dict.fromkeys(prefix for vnet in vnets if vnet for prefix in vnet.ipv6))

    def _iter_connections(self, gateway: Gateway) -> Iterator[tuple[Connection, LocalGateway]]:
        """Yield a gateway's connections to local network gateways, in the order of creation."""
        for connection in self._network.connections.list_group(gateway.key):
            local = self._network.local_gateways.get(connection.local_gateway)
            if connection.ipsec and local is not None and gateway.instances:
                yield connection, local
