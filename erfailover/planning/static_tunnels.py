"""What a VPN gateway reaches without BGP, through connections with static prefixes. Pure.

Such a gateway is judged by ``connectionStatus`` and by the address space of each local network
gateway, which is what Azure routes into the tunnel (published: about-site-to-site-connections).
Whether the far end routes back depends on its own configuration: only a probe can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import Gateway, Tunnel
from erfailover.model.prefix_table import PrefixTable, format_prefixes
from erfailover.planning.once import once_per_reading

UP = "Connected"
"""The ``connectionStatus`` of a tunnel that is up."""


def list_static_tunnels(gateway: Gateway | None) -> tuple[Tunnel, ...]:
    """Return the gateway's connections without BGP; none if they are unknown or were not read."""
    reading = gateway.static_tunnels if gateway else None
    return (reading.value or ()) if reading else ()


def list_connected_tunnels(gateway: Gateway) -> list[Tunnel]:
    """Return the gateway's connections without BGP that are up."""
    return [
        static_tunnel
        for static_tunnel in list_static_tunnels(gateway)
        if static_tunnel.status == UP
    ]


def check_tunnel_up(gateway: Gateway, name: str) -> Condition:
    """At least one connection of a gateway without BGP is Connected."""
    reading = gateway.static_tunnels
    if reading is None or reading.value is None:
        why = (reading.unknown if reading else None) or "they were not read"
        return Condition(
            name,
            ConditionStatus.UNKNOWN,
            f"{gateway.name} has no BGP; its tunnels are unknown: {why}",
        )
    states = ", ".join(f"connection {tunnel.name} is {tunnel.status}" for tunnel in reading.value)
    message = f"{gateway.name} has no BGP; {states or 'it has no connections'}"
    if list_connected_tunnels(gateway):
        return Condition(name, ConditionStatus.HOLDS, message)
    if any(tunnel.status == "Unknown" for tunnel in reading.value):
        return Condition(
            name, ConditionStatus.UNKNOWN, f"{message}: Azure does not know whether it is up"
        )
    return Condition(name, ConditionStatus.FAILS, f"{message}; expected one Connected")


def find_tunnels(gateway: Gateway, prefixes: Iterable[IPv4Network]) -> dict[IPv4Network, str]:
    """Return the connected static tunnel that leads to each prefix, by name."""
    table = _build_prefix_table(gateway)
    rows = ((prefix, next(table.iter_covering(prefix), None)) for prefix in prefixes)
    return {prefix: name for prefix, name in rows if name is not None}


@once_per_reading
def _build_prefix_table(gateway: Gateway) -> PrefixTable[IPv4Network, str]:
    """Return the names of the connected static tunnels, by the prefixes that they lead to."""
    return PrefixTable(
        (prefix, tunnel.name)
        for tunnel in list_connected_tunnels(gateway)
        for prefix in tunnel.prefixes
    )


def describe_tunnels(tunnels: Mapping[IPv4Network, str]) -> str:
    """Which connection leads to which prefix, in words."""
    return format_prefixes(
        f"{prefix} through connection {tunnel}" for prefix, tunnel in tunnels.items()
    )


def check_tunnels_cover(gateway: Gateway, name: str, prefixes: Sequence[IPv4Network]) -> Condition:
    """Every prefix lies in the address space of a connected tunnel's local network gateway."""
    up = check_tunnel_up(gateway, name)
    if up.status is not ConditionStatus.HOLDS:
        return up
    static = find_tunnels(gateway, prefixes)
    missing = [prefix for prefix in prefixes if prefix not in static]
    if missing:
        return Condition(
            name,
            ConditionStatus.FAILS,
            f"{gateway.name} has no BGP, and the local network gateway of no connected tunnel has "
            f"{format_prefixes(missing)}",
        )
    message = f"{gateway.name} has no BGP; it reaches {describe_tunnels(static)}"
    return Condition(name, ConditionStatus.HOLDS, message)
