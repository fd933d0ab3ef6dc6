"""Resources of the provisioned lab."""

from __future__ import annotations

from tests.support.stage import Stage


def group(stage: Stage) -> str:
    return f"/subscriptions/{stage.lab.identity.subscription}/resourceGroups/rg-we"


def network(stage: Stage, path: str) -> str:
    return f"{group(stage)}/providers/Microsoft.Network/{path}"


def shared_keys(stage: Stage) -> dict[str, str]:
    names = ("vng1-to-vng3", "vng2-to-vng3", "vng3-to-vng1", "vng3-to-vng2")
    resources = {name: stage.resource("Microsoft.Network/connections", name) for name in names}
    return {name: str(resource.hidden["sharedKey"]) for name, resource in resources.items()}
