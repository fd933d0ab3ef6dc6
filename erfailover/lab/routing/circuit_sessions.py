"""The BGP sessions of circuits' edge routers, and the rows of their route table summaries.

Each of a circuit's two edge routers has a session with the customer edge and one with every
instance of each connected gateway. Their lives are apart: the former may flap while the latter
stay up, and only the routes vanish (reported: cloudtrooper.net 2021/07/12, where the gateway
10.100.255.12 has been up for 00:25:24 and the customer edge 169.254.194.41 for 00:58:09).

Rows are those of ``show ip bgp summary`` (published: ExpressRouteCircuitRoutesTableSummary, REST
2023-09-01): ``upDown`` of a session that is not Established is how long it has been down, or
``never``, and ``statePfxRcd`` then its state. Forms of ``upDown``: ``00:25:24`` (reported),
``8w4d`` (published: "Verify ExpressRoute connectivity"), ``1d02h`` (Cisco's command reference).
The customer edge has the first address of its /30 (published). Assumed: a session comes up and
falls at once; both instances of a gateway are listed, also without a connection's route.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address

from erfailover.lab.core.addresses import GATEWAY_ASN, ipv4_network
from erfailover.lab.core.world import Body, Resource, World
from erfailover.lab.routing.expressroute import ExpressRoute, customer_sessions, local_address
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.records import SESSIONS_DOWN

PATHS = ("primary", "secondary")


class CircuitSessions:
    """The sessions with the customer edge, by circuit and edge router."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._state: dict[tuple[str, int], tuple[bool, float | None]] = {}
        """Whether each is up, and since when it has been so; None for one that never came up."""

    def reconcile(self, network: Network) -> None:
        """Take in what is configured now."""
        known, self._state = self._state, {}
        for circuit in network.circuits.all.values():
            peering = next(iter(network.circuit_peerings.of(circuit.key)), None)
            for index, up in enumerate(customer_sessions(circuit, peering)):
                before = known.get((circuit.key, index), (False, None))
                since = self._world.now if up != before[0] else before[1]
                self._state[circuit.key, index] = up, since

    def summary(
        self,
        network: Network,
        express: ExpressRoute,
        circuit: str,
        path: str,
        told: Mapping[str, int],
    ) -> Body:
        """What routeTablesSummary answers; an edge router that is down lists nothing (assumed).

        Args:
            network: what is configured.
            express: the sessions of the gateways.
            circuit: the circuit's key.
            path: the edge router, ``primary`` or ``secondary``.
            told: how many prefixes each gateway announces, by its key.
        """
        index, found = PATHS.index(path), network.circuits.get(circuit)
        if found is None or not found.edges_up[index]:
            return {"value": []}
        rows = [*self._gateways(network, express, circuit, index, told)]
        peering = next(iter(network.circuit_peerings.of(circuit)), None)
        subnet = ipv4_network(peering.subnets[index]) if peering is not None else None
        if peering is not None and subnet is not None:
            up, since = self._state.get((circuit, index), (False, None))
            state = str(len(found.prefixes)) if up else "Idle"
            neighbor = str(subnet.network_address + 1)
            rows.append(_row(neighbor, peering.asn, self._up_down(since), state))
        return {"value": rows}

    def _gateways(
        self,
        network: Network,
        express: ExpressRoute,
        circuit: str,
        index: int,
        told: Mapping[str, int],
    ) -> Iterator[Body]:
        for gateway in network.gateways.all.values():
            for link in express.links(gateway.key):
                connection = network.connections.get(link.connection)
                if connection is None or connection.circuit != circuit:
                    continue
                since = express.since(gateway.key, link, link.edges[index])
                up = link.edges_up[index]
                up_down = self._up_down(since if up else None)
                state = str(told.get(gateway.key, 0)) if up else "Active"
                local = IPv4Address(local_address(network, gateway))
                for address in (local, local + 1):
                    yield _row(str(address), GATEWAY_ASN, up_down, state)

    def _up_down(self, since: float | None) -> str:
        return "never" if since is None else up_down(self._world.now - since)


def up_down(seconds: float) -> str:
    """A duration as a router prints it: ``00:25:24``, ``1d02h``, ``8w4d``, ``1y23w``."""
    hours, rest = divmod(int(seconds), 3600)
    if hours < 24:
        return f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
    days = hours // 24
    if days < 7:
        return f"{days}d{hours % 24:02}h"
    return f"{days // 7}w{days % 7}d" if days < 365 else f"{days // 365}y{days % 365 // 7}w"


def lose(circuit: Resource, *paths: str) -> None:
    """Let edge routers of a circuit have no session with the customer edge; none for all up."""
    circuit.hidden[SESSIONS_DOWN] = " ".join(paths)


def _row(neighbor: str, asn: int, up_down: str, state: str) -> Body:
    return {"neighbor": neighbor, "v": 4, "as": asn, "upDown": up_down, "statePfxRcd": state}
