"""What ``validate`` says of a site file: what was read of it in one line, then warnings. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from erfailover.model.counting import format_count
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import Drill, Site
from erfailover.reporting.words import wrap


def format_text(file: str, site: Site, warnings: Sequence[str]) -> str:
    """Return a valid site file for people."""
    parts = [
        f"site {site.name}",
        format_count(len(site.spokes), "spoke"),
        f"primary hub {get_last_name(site.primary.virtual_network)}",
        f"backup hub {get_last_name(site.backup.virtual_network)}",
        format_count(len(site.remote_prefixes), "remote prefix"),
        *([format_count(len(site.routing), "route table")] if site.routing else []),
        format_count(len(site.probes), "probe"),
        *(["a drill"] if site.drill is not None else []),
        *(["a topology"] if site.topology is not None else []),
    ]
    lines = [f"{file} is valid: {', '.join(parts)}."]
    for warning in warnings:
        lines += wrap(warning, 80, "warning: ", " " * 9)
    return "\n".join(lines)


def build_data(file: str, site: Site, warnings: Sequence[str]) -> dict[str, Any]:
    """Return a valid site file as plain data."""
    drill = None
    if site.drill is not None:
        drill = "vpn_stand_in" if isinstance(site.drill, Drill) else "site_failover_test"
    return {
        "file": file,
        "valid": True,
        "site": site.name,
        "subscription": site.subscription,
        "cloud": site.cloud_name,
        "primary": get_last_name(site.primary.virtual_network),
        "backup": get_last_name(site.backup.virtual_network),
        "spokes": [spoke.name for spoke in site.spokes],
        "remote_prefixes": [str(prefix) for prefix in site.remote_prefixes],
        "probes": list(site.probes),
        "drill": drill,
        "topology": site.topology is not None,
        "state": site.state,
        "warnings": list(warnings),
        "problems": [],
    }


def build_invalid_data(file: str, problems: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is wrong with a site file as plain data."""
    nothing = dict.fromkeys(
        ("site", "subscription", "cloud", "primary", "backup", "drill", "topology", "state")
    )
    return {
        "file": file,
        "valid": False,
        **nothing,
        "spokes": [],
        "remote_prefixes": [],
        "probes": [],
        "warnings": [],
        "problems": list(problems),
    }
