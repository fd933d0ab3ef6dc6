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


def format_text(found: IacDrift) -> str:
    """Return the warning for people."""
    names = join_names([get_last_name(each) for each in found.differing], 4)
    count = format_count(len(found.differing), "peering")
    return (
        f"WARNING: {TOOLS[found.managed_by]} would undo this: {count} "
        f"differ from on_expressroute ({names}). Hold it back{_format_take_over(found)}."
    )


def build_data(found: IacDrift) -> dict[str, Any]:
    """Return the warning as plain data."""
    return {
        "managed_by": found.managed_by,
        "differing": list(found.differing),
        "warning": format_text(found),
        "command": _get_command(found),
    }


def _format_take_over(found: IacDrift) -> str:
    if found.managed_by == NETWORK_MANAGER:
        return ""
    return f", or take over what {_get_command(found)} prints"


def _get_command(found: IacDrift) -> str:
    """Return what prints the peerings as they are."""
    if found.managed_by == NETWORK_MANAGER:
        return "az network manager list-effective-connectivity-config"
    return f"erfailover export {found.managed_by}"
