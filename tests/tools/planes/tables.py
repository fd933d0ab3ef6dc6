"""What a data plane says of a site, in a form that can be compared: columns that time changes
are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from erfailover.lab.core.world import Body, Resource
from erfailover.lab.machines.data_plane import DataPlane
from tests.tools.planes.details import INTERNET_HOST
from tests.tools.planes.site import Site

Tables = Mapping[str, tuple[str, ...]]
"""Rows as text, sorted, by the name of what they are about."""

PORT, CONNECT_S = 22, 0.7
"""Where every machine accepts a connection, and how long one may take."""
PEERS = ("localAddress", "neighbor", "asn", "state")
ROUTES = ("localAddress", "network", "nextHop", "sourcePeer", "asPath", "origin")
EFFECTIVE = ("source", "state", "addressPrefix", "nextHopType", "nextHopIpAddress", "name")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Something that the planes do not agree on: rows that only one of them has."""

    what: str
    model: tuple[str, ...]
    linux: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"model only: {row}" for row in self.model]
        lines += [f"linux only: {row}" for row in self.linux]
        return "\n".join([self.what, *(f"    {line}" for line in lines)])


def read_tables(site: Site, plane: DataPlane) -> Tables:
    """Return what a plane says without sending a packet."""
    builder, tables = site.builder, {}
    for name in site.gateways:
        gateway = builder.get("virtualNetworkGateways", name)
        peers = plane.list_peers(gateway)
        tables[f"peers of {name}"] = _to_rows(peers, PEERS)
        tables[f"routes learned by {name}"] = _to_rows(plane.list_learned_routes(gateway), ROUTES)
        for address in sorted({str(row["neighbor"]) for row in peers}):
            rows = plane.list_advertised_routes(gateway, address)
            tables[f"routes that {name} advertises to {address}"] = _to_rows(rows, ROUTES)
    for name in site.list_connections():
        status = plane.get_connection_status(builder.get("connections", name))
        tables[f"status of {name}"] = (status,)
    for name in site.machines:
        nic = builder.get("networkInterfaces", f"{name}-nic0")
        rows = plane.list_effective_routes(nic)
        tables[f"effective routes of {name}"] = _to_rows(rows, EFFECTIVE)
    return tables


def list_pings(site: Site) -> list[tuple[str, str]]:
    """Return the machine and the destination of every echo request."""
    addresses = [*site.machines.items(), *site.second.items(), ("", INTERNET_HOST)]
    return [
        (name, destination)
        for name in site.machines
        for other, destination in addresses
        if other != name
    ]


def send_pings(
    site: Site, plane: DataPlane, pings: Sequence[tuple[str, str]], at_once: int
) -> dict[tuple[str, str], tuple[bool, str]]:
    """Return whether an answer came, and why not, for each echo request."""

    def send(ping: tuple[str, str]) -> tuple[bool, str]:
        name, destination = ping
        trace = plane.trace_packet(nics[name], destination)
        return trace.reached, trace.reason or " > ".join(trace.hops)

    nics: dict[str, Resource] = {
        name: site.builder.get("networkInterfaces", f"{name}-nic0") for name in site.machines
    }
    with ThreadPoolExecutor(at_once) as pool:
        return dict(zip(pings, pool.map(send, pings), strict=True))


def write_connect_script(destinations: Sequence[str]) -> list[str]:
    """Return a script that prints the destinations that accept a connection at port 22."""
    attempt = f'timeout {CONNECT_S} bash -c "exec 3<>/dev/tcp/$d/{PORT}" 2>/dev/null && echo "$d"'
    return [f"for d in {' '.join(destinations)}; do ({attempt}) & done; wait", "true"]


def compare(model: Tables, linux: Tables) -> list[Disagreement]:
    """Return what two planes do not agree on."""
    found = []
    for what in dict.fromkeys((*model, *linux)):
        ours, theirs = list(model.get(what, ())), list(linux.get(what, ()))
        for row in list(ours):
            if row in theirs:
                ours.remove(row)
                theirs.remove(row)
        if ours or theirs:
            found.append(Disagreement(what, tuple(ours), tuple(theirs)))
    return found


def _to_rows(rows: Iterable[Body], columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        sorted(" | ".join(_to_text(row.get(column)) for column in columns) for row in rows)
    )


def _to_text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "-" if value in (None, "") else str(value)
