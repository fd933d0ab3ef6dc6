"""What BIRD says of its sessions and routes, parsed. Pure.

BIRD 2.0 has no output for programs; these are the forms of ``birdc show protocols all`` and
``birdc show route all`` of BIRD 2.0.12.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

ESTABLISHED = "Established"

_PROTOCOL = re.compile(
    r"^(?P<name>\S+)\s+(?P<kind>[A-Z]\w*)\s+\S+\s+\S+\s+"
    r"(?P<since>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)\s*(?P<info>.*)$"
)
_ROUTE = re.compile(
    r"^(?P<prefix>\d\S*/\d+)?\s+(?P<type>\w+) \[(?P<session>\S+) [^\]]*\](?P<best> \*)?"
)
_NEIGHBOR = re.compile(r"^    Neighbor address: (?P<address>\S+)")
_ATTRIBUTE = re.compile(r"^\tBGP\.(?P<name>\w+):\s*(?P<value>.*)$")


@dataclass(frozen=True, slots=True)
class BgpSession:
    """A session as BIRD sees it: ``since`` is the time of its last change of state, in UTC."""

    name: str
    state: str
    since: dt.datetime
    neighbor: str = ""


@dataclass(frozen=True, slots=True)
class BirdRoute:
    """A route in BIRD's table; ``best`` is the one of its prefix that BIRD uses."""

    prefix: str
    session: str
    best: bool
    as_path: tuple[int, ...] = ()
    next_hop: str = ""
    origin: str = ""


def parse_sessions(text: str) -> dict[str, BgpSession]:
    """Return the BGP sessions in the output of ``show protocols all``, by name."""
    sessions: dict[str, BgpSession] = {}
    name = ""
    for line in text.splitlines():
        row = _PROTOCOL.match(line)
        neighbor = _NEIGHBOR.match(line)
        if row is not None:
            name = row["name"] if row["kind"] == "BGP" else ""
            words = row["info"].split()
            since = dt.datetime.fromisoformat(row["since"])
            if name:
                sessions[name] = BgpSession(name, words[0] if words else "", since)
        elif neighbor is not None and name:
            sessions[name] = replace(sessions[name], neighbor=neighbor["address"])
    return sessions


def parse_routes(text: str) -> list[BirdRoute]:
    """Return the routes in an output of ``show route all``."""
    return list(_iter_routes(text))


def _iter_routes(text: str) -> Iterator[BirdRoute]:
    prefix, row = "", None
    attributes: dict[str, str] = {}
    for line in [*text.splitlines(), ""]:
        attribute = _ATTRIBUTE.match(line)
        if attribute is not None:
            attributes[attribute["name"]] = attribute["value"].strip()
            continue
        following = _ROUTE.match(line)
        if following is None and line:
            continue
        if row is not None:
            yield _make_route(prefix, row, attributes)
        row, attributes = following, {}
        if following is not None:
            prefix = following["prefix"] or prefix


def _make_route(prefix: str, row: re.Match[str], attributes: dict[str, str]) -> BirdRoute:
    path = attributes.get("as_path", "").replace("{", " ").replace("}", " ")
    return BirdRoute(
        prefix=prefix,
        session=row["session"],
        best=row["best"] is not None,
        as_path=tuple(int(asn) for asn in path.split()),
        next_hop=attributes.get("next_hop", "").split(" ")[0],
        origin=attributes.get("origin", ""),
    )
