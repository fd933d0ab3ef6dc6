"""BGP sessions of a circuit's edge routers, as a route table summary lists them. Pure.

A circuit ends at two edge routers of Microsoft's, its device paths ``primary`` and ``secondary``.
Each has a session with the customer edge (the ASN is the private peering's ``peerASN``) and
sessions with the ExpressRoute gateways (AS 65515). A gateway's own table lists the latter only,
and these stay up when the customer edge is lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from erfailover.model.observed import Reading

DEVICE_PATHS = ("primary", "secondary")
_DOWN = ("idle", "active", "connect", "opensent", "openconfirm", "closing", "(noneg)", "(admin)")
"""The states of RFC 4271 and those that ``show ip bgp summary`` adds, in lower case."""
_UNITS = {"y": 365 * 86400, "w": 7 * 86400, "d": 86400, "h": 3600}
_UPTIME = re.compile(
    r"(?P<units>(?:\d+[ywdh]\s*)*)(?:(?:(?P<days>\d+)\.)?"
    r"(?P<hours>\d+):(?P<minutes>[0-5]?\d):(?P<seconds>[0-5]?\d)(?:\.\d+)?)?"
)


@dataclass(frozen=True, slots=True)
class EdgeNeighbor:
    """One row of a route table summary.

    Attributes:
        up_down: how long the session has been in its state: ``00:25:24``, ``1d02h``, ``8w4d``,
            ``never``.
        state: the number of prefixes received while the session is Established, otherwise the
            state: ``Idle``, ``Active``.
    """

    neighbor: str
    asn: int | None
    up_down: str
    state: str

    @property
    def is_established(self) -> bool | None:
        """Whether the session is up; None if its state is not a known word."""
        state = self.state.strip().lower()
        if re.fullmatch(r"[0-9]+(/[0-9]+)*", state) or state.startswith("estab"):
            return True
        return False if state.startswith(_DOWN) else None


@dataclass(frozen=True, slots=True)
class EdgeSessions:
    """The sessions of one circuit's private peering.

    Attributes:
        peer_asn: the ASN of the customer edge; None if the circuit could not be read.
        neighbors: by device path, what its summary lists.
        unknown: why the circuit could not be read.
    """

    circuit: str
    peer_asn: int | None
    neighbors: Mapping[str, Reading[tuple[EdgeNeighbor, ...]]] = field(default_factory=dict)
    unknown: str | None = None


def parse_uptime_s(text: str) -> float | None:
    """Return an ``upDown`` in seconds, rounded down; None if it cannot be parsed.

    Forms of ``show ip bgp summary``: ``00:25:24``, ``1d02h``, ``8w4d``, ``1y23w`` (seen in Azure:
    cloudtrooper.net 2021/07 has the first, azure-docs "Verify ExpressRoute connectivity" the
    third; the REST examples have ``never``); others that name their units are parsed too.
    """
    match = _UPTIME.fullmatch(text.strip())
    if match is None or not match[0]:
        return None
    parts = re.findall(r"(\d+)([ywdh])", match["units"] or "")
    total = sum(int(number) * _UNITS[unit] for number, unit in parts)
    if match["hours"] is not None:
        total += int(match["days"] or 0) * 86400
        total += int(match["hours"]) * 3600 + int(match["minutes"]) * 60 + int(match["seconds"])
    return float(total)
