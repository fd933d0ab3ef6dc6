"""The warning that the next apply of code would undo a switch, as text and as plain data. Pure."""

from __future__ import annotations

from typing import Any

from erfailover.model.counting import format_count, join_names
from erfailover.model.resource_ids import get_last_name
from erfailover.planning.iac.drift import IacDrift

NETWORK_MANAGER = "network-manager"
TOOLS = {
    "terraform": "Terraform's next apply",
    "bicep": "The next deployment of the Bicep files",
    NETWORK_MANAGER: "Virtual Network Manager's next deployment",
}


def format_text(drift: IacDrift) -> str:
    """Return the warning for people."""
    names = join_names([get_last_name(name) for name in drift.differing], 4)
    routes = sum("/routeTables/" in name for name in drift.differing)
    count = format_count(len(drift.differing) - routes, "peering")
    if routes:
        count += f" and {format_count(routes, 'route')}"
    differ = "differs" if len(drift.differing) == 1 else "differ"
    return (
        f"WARNING: {TOOLS[drift.managed_by]} would undo this: {count} {differ} from "
        f"on_expressroute ({names}). Postpone it{_format_take_over(drift)}."
    )


def build_data(drift: IacDrift) -> dict[str, Any]:
    """Return the warning as plain data."""
    return {
        "managed_by": drift.managed_by,
        "differing": list(drift.differing),
        "warning": format_text(drift),
        "command": _get_command(drift),
    }


def _format_take_over(drift: IacDrift) -> str:
    if drift.managed_by == NETWORK_MANAGER:
        return ""
    return f", or update your code from the output of {_get_command(drift)}"


def _get_command(drift: IacDrift) -> str:
    """Return the command that prints the peerings as they are."""
    if drift.managed_by == NETWORK_MANAGER:
        return "az network manager list-effective-connectivity-config"
    return f"erfailover export {drift.managed_by}"
