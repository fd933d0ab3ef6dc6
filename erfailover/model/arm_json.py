"""Fields of ARM JSON, read whatever they hold. Pure.

Azure leaves fields out, sends null for them, numbers as text and enumerations in other letter
cases. A field that cannot be understood counts as absent: nothing here raises.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from typing import Any

Body = dict[str, Any]


def get_section(value: Any, *names: str) -> Body:
    """Return the object below some names; an empty one if there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def list_objects(value: Any) -> list[Body]:
    """Return the objects of a list; rows that are none are left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def list_texts(value: Any) -> list[str]:
    """Return the texts of a list; what is none is left out."""
    result = (parse_text(item) for item in value) if isinstance(value, list) else ()
    return [name for name in result if name]


def parse_text(value: Any, names: Collection[str] = ()) -> str:
    """Return a text, or a number as text; empty for anything else.

    Args:
        value: what was read.
        names: values of an enumeration, in the letter case to return them in.
    """
    if type(value) is str and (not names or value in names):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    actual = str(value)
    return next((name for name in names if name.lower() == actual.lower()), actual)


def parse_number(value: Any) -> float | None:
    """Return a finite number, also one that is written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        seconds = float(value)
    except (OverflowError, ValueError):
        return None
    return seconds if math.isfinite(seconds) else None


def parse_int(value: Any) -> int | None:
    """Return a whole number, also one that is written as text; None for anything else."""
    if type(value) is int:
        return value
    number = parse_number(value)
    return None if number is None else int(number)


def is_truth(value: Any) -> bool:
    """Return whether a value is a truth value, or one that is written as text."""
    return isinstance(value, bool) or (
        isinstance(value, str) and value.strip().lower() in ("true", "false")
    )


def parse_bool(value: Any, *, default: bool = False) -> bool:
    """Return a truth value, also one that is written as text; the default for anything else."""
    return str(value).strip().lower() == "true" if is_truth(value) else default


def parse_ipv4_address(value: Any) -> IPv4Address | None:
    """Return an IPv4 address; None for IPv6 and anything else."""
    try:
        return IPv4Address(value) if isinstance(value, str) else None
    except ValueError:
        return None


def parse_ipv4_prefix(value: Any) -> IPv4Network | None:
    """Return an IPv4 prefix, whatever its host bits; None for IPv6 and anything else."""
    try:
        prefix = ip_network(value, strict=False) if isinstance(value, str) else None
    except ValueError:
        return None
    return prefix if isinstance(prefix, IPv4Network) else None


def parse_ipv6_prefix(value: Any) -> IPv6Network | None:
    """Return an IPv6 prefix; None for anything else."""
    try:
        return IPv6Network(value, strict=False) if isinstance(value, str) else None
    except ValueError:
        return None


def parse_ipv4_prefixes(value: Any) -> tuple[IPv4Network, ...]:
    """Return the IPv4 prefixes of a list."""
    result = map(parse_ipv4_prefix, value) if isinstance(value, list) else ()
    return tuple(prefix for prefix in result if prefix is not None)


UNDER_WAY = ("Updating", "Deleting", "Creating")
"""Provisioning states of what an operation is changing (recorded; ``Creating``: the SDK's enum)."""
PROVISIONING_STATES = ("Succeeded", "Failed", "Canceled", *UNDER_WAY)


def get_provisioning_state(properties: Any) -> str:
    """Return the provisioning state among a resource's properties; settled if it has none."""
    value = get_section(properties).get("provisioningState")
    return parse_text(value, PROVISIONING_STATES) or "Succeeded"
