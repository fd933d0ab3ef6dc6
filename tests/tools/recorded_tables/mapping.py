"""The columns of Azure's portal from BIRD's own output; imports nothing of the lab.

The whole mapping is ``MAPPING``, as it is printed; ``map_routes`` and ``map_peers`` carry it out.
"""

from __future__ import annotations

import re
from typing import Any

MAPPING = """\
network      the prefix of the route
origin       Network for a static route: what the gateway originates (protocol originated), and the
             way to each BGP peer (table tunnels); EBgp for a route of a BGP protocol
next hop     BGP.next_hop; none for Network
source peer  the protocol's Neighbor address; the router's own address for Network
AS path      BGP.as_path, its numbers joined by hyphens; none for Network
state        Connected for Established, otherwise Connecting
received     Routes: N imported
"""

Row = dict[str, Any]


def map_routes(protocols: str, routes: str, router: str) -> list[Row]:
    """Map ``show protocols all`` and ``show route all table all`` to rows of learned routes."""
    neighbors = {name: text["Neighbor address"] for name, text in _read_sessions(protocols).items()}
    rows: list[Row] = []
    prefix = ""
    for line in routes.splitlines():
        head = re.match(r"(\d\S+/\d+)?\s+\w+ \[(\S+) [^\]]*\]", line)
        if head is not None:
            prefix = head[1] or prefix
            row = _make_row(prefix, "Network", None, router, None)
            if head[2] in neighbors:
                row = _make_row(prefix, "EBgp", "", neighbors[head[2]], "")
            rows.append(row)
        elif line.strip().startswith("BGP.next_hop:"):
            rows[-1]["next_hop"] = line.split()[1]
        elif line.strip().startswith("BGP.as_path:"):
            rows[-1]["as_path"] = "-".join(line.split()[1:])
    return rows


def map_peers(protocols: str) -> list[Row]:
    """Map ``show protocols all`` to rows of BGP peers."""
    return [
        {
            "neighbor": text["Neighbor address"],
            "asn": int(text["Neighbor AS"]),
            "state": "Connected" if text["BGP state"] == "Established" else "Connecting",
            "routes_received": int(text.get("Routes", "0").split()[0]),
        }
        for text in _read_sessions(protocols).values()
    ]


def _make_row(prefix: str, origin: str, hop: str | None, peer: str, path: str | None) -> Row:
    names = ("network", "origin", "next_hop", "source_peer", "as_path")
    return dict(zip(names, (prefix, origin, hop, peer, path), strict=True))


def _read_sessions(protocols: str) -> dict[str, dict[str, str]]:
    sessions: dict[str, dict[str, str]] = {}
    name = ""
    for line in protocols.splitlines():
        words = line.split()
        if line[:1].strip():
            name = words[0] if words[1:2] == ["BGP"] else ""
        elif name and ":" in line:
            field, _, value = line.strip().partition(":")
            sessions.setdefault(name, {}).setdefault(field, value.strip())
    return sessions
