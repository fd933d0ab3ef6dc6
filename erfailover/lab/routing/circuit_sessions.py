"""The BGP sessions of circuits' edge routers, and the rows of their route table summaries.

Each of a circuit's two edge routers has a session with the customer edge and one with every
instance of each connected gateway. Their lives are apart: the former may flap while the latter
stay up, and only the routes vanish (reported: cloudtrooper.net 2021/07/12: the gateway
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

from erfailover.lab.core.addresses import GATEWAY_ASN, parse_ipv4_network
from erfailover.lab.core.world import Body, Resource, World
from erfailover.lab.routing.expressroute import (
    ExpressRoute,
    get_local_address,
    read_customer_sessions,
)
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.records import SESSIONS_DOWN

HOURS_A_DAY = 24
DAYS_A_WEEK = 7
DAYS_A_YEAR = 365
PATHS = ("primary", "secondary")


class CircuitSessions:
    """The sessions with the customer edge, by circuit and edge router."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._state: dict[tuple[str, int], tuple[bool, float | None]] = {}
        """Whether each is up, and since when it has been so; None for one that never came up."""

    def reconcile(self, network: Network) -> None:
        """Process the current configuration."""
        previous, self._state = self._state, {}
        for circuit in network.circuits.all.values():
            peering = next(iter(network.circuit_peerings.list_group(circuit.key)), None)
            for index, up in enumerate(read_customer_sessions(circuit, peering)):
                before = previous.get((circuit.key, index), (False, None))
                since = self._world.now if up != before[0] else before[1]
                self._state[circuit.key, index] = up, since

    def summarize(
        self,
        network: Network,
        express: ExpressRoute,
        circuit: str,
        path: str,
        advertised: Mapping[str, int],
    ) -> Body:
        """Return routeTablesSummary; an edge router that is down lists nothing (assumed).

        Args:
            network: what is configured.
            express: the sessions of the gateways.
            circuit: the circuit's key.
            path: the edge router, ``primary`` or ``secondary``.
            advertised: how many prefixes each gateway advertises, by its key.
        """
        index, record = PATHS.index(path), network.circuits.get(circuit)
        if record is None or not record.edges_up[index]:
            return {"value": []}
        rows = [*self._list_gateway_rows(network, express, circuit, index, advertised)]
        peering = next(iter(network.circuit_peerings.list_group(circuit)), None)
        subnet = parse_ipv4_network(peering.subnets[index]) if peering is not None else None
        if peering is not None and subnet is not None:
            up, since = self._state.get((circuit, index), (False, None))
            state = str(len(record.prefixes)) if up else "Idle"
            neighbor = str(subnet.network_address + 1)
            rows.append(_build_row(neighbor, peering.asn, self._format_since(since), state))
        return {"value": rows}

    def _list_gateway_rows(
        self,
        network: Network,
        express: ExpressRoute,
        circuit: str,
        index: int,
        advertised: Mapping[str, int],
    ) -> Iterator[Body]:
        for gateway in network.gateways.all.values():
            for link in express.get_links(gateway.key):
                connection = network.connections.get(link.connection)
                if connection is None or connection.circuit != circuit:
                    continue
                since = express.get_up_since(gateway.key, link, link.edges[index])
                up = link.edges_up[index]
                up_down = self._format_since(since if up else None)
                state = str(advertised.get(gateway.key, 0)) if up else "Active"
                local = IPv4Address(get_local_address(network, gateway))
                for address in (local, local + 1):
                    yield _build_row(str(address), GATEWAY_ASN, up_down, state)

    def _format_since(self, since: float | None) -> str:
        return "never" if since is None else format_up_down(self._world.now - since)


def format_up_down(seconds: float) -> str:
    """Format a duration as a router prints it: ``00:25:24``, ``1d02h``, ``8w4d``, ``1y23w``."""
    hours, rest = divmod(int(seconds), 3600)
    if hours < HOURS_A_DAY:
        return f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
    days = hours // HOURS_A_DAY
    if days < DAYS_A_WEEK:
        return f"{days}d{hours % HOURS_A_DAY:02}h"
    return (
        f"{days // DAYS_A_WEEK}w{days % DAYS_A_WEEK}d"
        if days < DAYS_A_YEAR
        else f"{days // DAYS_A_YEAR}y{days % DAYS_A_YEAR // DAYS_A_WEEK}w"
    )


def set_lost_edges(circuit: Resource, *paths: str) -> None:
    """Make edge routers of a circuit lose the customer edge; none restores all."""
    circuit.hidden[SESSIONS_DOWN] = " ".join(paths)


def _build_row(neighbor: str, asn: int, up_down: str, state: str) -> Body:
    return {"neighbor": neighbor, "v": 4, "as": asn, "upDown": up_down, "statePfxRcd": state}
