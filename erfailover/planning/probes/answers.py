"""What the answer to a probe means: up, down, or not known, and why. Pure.

What does not tell is not known, never down: a program that is not there, a name that is not
found, an empty table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from math import ceil
from typing import Any

from erfailover.model.arm_json import list_texts, parse_ipv4_prefixes, parse_text
from erfailover.model.durations import format_precise
from erfailover.model.probes import InterfaceRoute, NextHop

SHORT = 5
"""A value of so few characters is no secret, and would be found in any output."""

ACTIVE = "active"
"""The state of an effective route that counts, in lower case; one without a state counts too."""
KEPT = 4000
"""How many letters of an output are kept: its end, as Run Command keeps it."""
OURS = re.compile(r"(?i)^(azure|erfailover|arm|msi|identity|aws|google)_.*")
SECRET = re.compile(r"(?i)secret|password|token|key|credential|certificate|header")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        up: whether it passed; None if unknown.
        observation: in a few words: ``answered in 6.3 ms``, ``exit code 7``.
        output: what was printed, its end.
        took_s: how long it took, in seconds.
    """

    up: bool | None
    observation: str
    output: str = ""
    took_s: float | None = None


def build_ping_command(host: str, timeout_s: float, platform: str) -> list[str]:
    """One echo request by the system's ``ping``, whose options differ (their manual pages)."""
    limit = "-t" if platform == "darwin" else "-W"
    return ["ping", "-n", "-c", "1", limit, str(ceil(timeout_s)), host]


def judge_ping(code: int | None, output: str) -> Answer:
    """Return what a ping's exit code and output mean; None is a ping that did not end in time."""
    if code == 0:
        took = re.search(r"time[=<]([\d.]+) ?ms", output)
        return Answer(True, f"answered in {took.group(1)} ms" if took else "answered", output)
    if code is None or "unreachable" in output.lower() or re.search(r"\b0 (packets )?rec", output):
        return Answer(False, "no answer", output)
    return Answer(None, get_last_line(output) or f"ping exited with code {code}", output)


def build_unresolved(reason: str) -> Answer:
    """Return the answer for a host name that the resolver does not find."""
    return Answer(None, f"name not found: {reason}")


def judge_connect(error: OSError | None, took_s: float) -> Answer:
    """Return what came of a TCP connection."""
    if error is None:
        return Answer(True, f"connected in {1000 * took_s:.0f} ms")
    if isinstance(error, TimeoutError):
        return Answer(False, "no answer")
    if isinstance(error, ConnectionRefusedError):
        return Answer(False, "refused: the port is closed")
    return Answer(False, (error.strerror or str(error)).lower())


def judge_command(code: int | None, expected: int, output: str, timeout_s: float) -> Answer:
    """Return what a program's exit code means; None is one that did not end in time."""
    if code is None:
        return Answer(False, f"timed out after {format_precise(timeout_s)}", output)
    if code == expected:
        return Answer(True, f"exit code {code}", output)
    return Answer(False, f"exit code {code}, expected {expected}", output)


def judge_routes(rows: Sequence[Mapping[str, Any]], probe: InterfaceRoute) -> Answer:
    """Where the traffic of a prefix goes: the active rows of the longest prefix that holds it.

    Args:
        rows: of ``effectiveRouteTable``, in Azure's words.
        probe: what is expected.
    """
    active = [row for row in rows if (parse_text(row.get("state")) or ACTIVE).lower() == ACTIVE]
    items = [(network, row) for row in active for network in _list_networks(row)]
    holding = [pair for pair in items if probe.prefix.subnet_of(pair[0])]
    output = "\n".join(_format_route(network, row) for network, row in holding)
    if not rows:
        return Answer(None, "no effective routes: the machine is stopped, or could not be read")
    if not holding:
        return Answer(False, f"no route to {probe.prefix}", output)
    longest = max(network.prefixlen for network, _ in holding)
    best = [(network, row) for network, row in holding if network.prefixlen == longest]
    hops = {hop for _, row in best for hop in list_texts(row.get("nextHopIpAddress"))}
    desired = probe.next_hop_type.lower()
    right = all(parse_text(row.get("nextHopType")).lower() == desired for _, row in best)
    if probe.next_hop is not None:
        right = right and str(probe.next_hop) in hops
    return Answer(right, "; ".join(_format_route(network, row) for network, row in best), output)


def judge_next_hop(body: Mapping[str, Any], probe: NextHop) -> Answer:
    """Return what Network Watcher's next hop says of a destination.

    Network Watcher names some types as the documents on routing do and others as effective routes
    do (published: "Network Watcher next hop", REST reference of ``nextHop``): both are understood.

    Args:
        body: of ``nextHop``, in Azure's words.
        probe: what is expected.
    """
    type_, hop = parse_text(body.get("nextHopType")), parse_text(body.get("nextHopIpAddress"))
    if not type_:
        return Answer(None, "Network Watcher returned no next hop type")
    message = f"{probe.address} via {type_} {hop}".rstrip()
    right = _normalize_hop_type(type_) == _normalize_hop_type(probe.next_hop_type)
    if probe.next_hop is not None:
        right = right and str(probe.next_hop) == hop
    table = parse_text(body.get("routeTableId"))
    return Answer(right, message, f"route table: {table}" if table else "")


def _normalize_hop_type(name: str) -> str:
    actual = name.lower()
    return {
        "virtualnetwork": "vnetlocal",
        "virtualnetworkpeering": "vnetpeering",
        "hypernetgateway": "virtualnetworkgateway",
        "virtualapplianceecmp": "virtualappliance",
    }.get(actual, actual)


def _list_networks(row: Mapping[str, Any]) -> list[IPv4Network]:
    """Return the IPv4 prefixes of a row, which may also have IPv6 and a service tag's name."""
    return list(parse_ipv4_prefixes(row.get("addressPrefix")))


def _format_route(network: IPv4Network, row: Mapping[str, Any]) -> str:
    hops = " ".join(list_texts(row.get("nextHopIpAddress")))
    return f"{network} via {parse_text(row.get('nextHopType')) or 'an unknown hop'} {hops}".rstrip()


def remove_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a probe's program: without erfailover's and Azure's secrets."""
    return {
        name: value
        for name, value in environment.items()
        if not (OURS.match(name) and SECRET.search(name))
    }


def shorten_output(output: str, environment: Mapping[str, str]) -> str:
    """Return the end of what a program printed, without any secret of the environment."""
    for name, value in environment.items():
        if OURS.match(name) and SECRET.search(name) and len(value) > SHORT:
            output = output.replace(value, "[redacted]")
    text = "".join(item if item.isprintable() or item in "\n\t" else "?" for item in output)
    return text if len(text) <= KEPT else "... " + text[-KEPT:]


def get_last_line(output: str) -> str:
    """Return the last line that is not blank, its first 200 characters."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""
