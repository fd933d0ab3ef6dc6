"""Writes of peerings: read, change the flags, write the whole body back.

What others set on a peering stays as it is, fields that the SDK does not know included.
"""

from __future__ import annotations

from typing import Any

from erfailover.azure.cloud import Azure
from erfailover.azure.observing import peering
from erfailover.errors import AzureFailure, Kind, Refused
from erfailover.model import Change, Peering, PeeringWrite
from erfailover.site import Flags, network_of

STALE_S = 60.0
"""How long a read may show what was before a write, in seconds (assumed)."""


def write(azure: Azure, change: PeeringWrite, deadline_s: float) -> str:
    """Make a peering as a plan says; returns what was done, in words.

    Raises:
        AzureFailure: Azure refused, or the peering is not as written afterwards.
        Refused: what stands there now is not what the plan saw.
    """
    network_id = network_of(change.peering_id)
    found = azure.get(change.peering_id)
    seen = peering(found, network_id) if found else None
    if change.change is Change.DELETE:
        if seen is None:
            return "already gone"
        refuse_if_in_use(seen, change.name)
        azure.delete(change.peering_id, deadline_s)
        return "removed"
    if change.after is None:
        raise ValueError(f"{change.name}: a write without flags")
    sound = seen is not None and seen.state != "Disconnected" and not seen.failed
    if seen and sound and seen.flags == change.after:
        return "already so"
    body = _with_flags(found, change.remote_virtual_network, change.after)
    after = azure.put(change.peering_id, body, deadline_s)
    return _as_written(azure, change, after, network_id).state


def _as_written(
    azure: Azure, change: PeeringWrite, after: dict[str, Any], network_id: str
) -> Peering:
    """The peering as it was written; a read that shows what was before is made again."""
    deadline = azure.clock.now() + STALE_S
    while True:
        seen = peering(after, network_id) if after.get("id") else None
        if seen is not None and seen.flags == change.after:
            return seen
        if azure.clock.now() >= deadline:
            raise AzureFailure(
                Kind.REFUSED,
                f"{change.name} was written and accepted, but is not as written",
                "Somebody else may be changing it. Look at it, then run the command again.",
            )
        azure.clock.sleep(3.0)
        after = azure.get(change.peering_id) or {}


def refuse_if_in_use(seen: Peering, name: str) -> None:
    """Refuse to remove a peering that carries a path: somebody changed it since the plan."""
    if seen.flags.use_remote_gateways:
        raise Refused(
            f"{name} uses remote gateways; it was planned to be removed unused",
            "Somebody changed it since. Run the command again to plan anew.",
        )


def _with_flags(found: dict[str, Any] | None, remote: str, flags: Flags) -> dict[str, Any]:
    body = dict(found or {})
    body["properties"] = {
        "remoteVirtualNetwork": {"id": remote},
        **body.get("properties", {}),
        "allowVirtualNetworkAccess": flags.allow_virtual_network_access,
        "allowForwardedTraffic": flags.allow_forwarded_traffic,
        "allowGatewayTransit": flags.allow_gateway_transit,
        "useRemoteGateways": flags.use_remote_gateways,
    }
    return body
