"""Writes of peerings: read, change the flags, write the whole body back.

What others set on a peering stays as it is, fields that the SDK does not know included.
"""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import Any

from erfailover.azure.client.polling import WRITES, PollSchedule
from erfailover.azure.readers.cache import ReadingCache
from erfailover.azure.readers.network import parse_peering
from erfailover.azure.writer import Writer
from erfailover.errors import AzureErrorKind, AzureFailure, Refused
from erfailover.model.arm_json import get_section
from erfailover.model.observed import Peering
from erfailover.model.peering_flags import Flags
from erfailover.model.plan import Change, PeeringWrite
from erfailover.model.resource_ids import canonicalize, get_network_id

log = logging.getLogger("erfailover.azure.cloud")

STALE_S = 60.0
"""How long a read may show what was before a write, in seconds (assumed)."""


def write(
    writer: Writer,
    change: PeeringWrite,
    deadline_s: float,
    readings: ReadingCache,
    max_age_s: float = 0.0,
    cadence: PollSchedule = WRITES,
    contention_s: float = math.inf,
) -> str:
    """Write a peering as planned; return what was done, as text.

    The operation's own end says that it was done: no reading comes after, which may be stale.
    A write that also syncs and fails is repeated without the sync: what is lost then is a prefix,
    not a path.

    Args:
        writer: sends the write.
        change: what to write.
        deadline_s: how long that may take, in seconds.
        readings: where the peering's present body comes from.
        max_age_s: how long ago it may have been read, in seconds.
        cadence: how often to look whether it is done.
        contention_s: how long another operation is waited for, in seconds.

    Raises:
        AzureFailure: Azure refused.
        Refused: the existing peering differs from the one in the plan.
    """
    existing = readings.get_peering_body(change.peering_id, max_age_s)
    peering = parse_peering(existing, get_network_id(change.peering_id)) if existing else None
    if change.change is Change.DELETE:
        peering = _wait_until_unused(change, peering, readings)
        if peering is None:
            return "already removed"
    elif change.after is None:
        raise ValueError(f"{change.name}: a write without flags")
    elif (
        peering
        and peering.sound
        and peering.flags == change.after
        and not _needs_sync(change, peering)
    ):
        return "no change"
    try:
        if change.after is None or change.change is Change.DELETE:
            writer.delete(change.peering_id, deadline_s)
            return "removed"
        put(writer, change, existing, deadline_s, cadence, contention_s)
        return "written"
    except AzureFailure as failure:
        if not change.sync or failure.kind is AzureErrorKind.AUTHENTICATION:
            raise
        unsynced = failure.message
    finally:
        network_id = get_network_id(change.peering_id)
        readings.invalidate(change.peering_id, network_id, change.remote_virtual_network)
    log.warning("%s was not synced: %s", change.name, unsynced)
    plain = replace(change, sync=False)
    done = write(writer, plain, deadline_s, readings, max_age_s, cadence)
    return f"{done}; not synced: {unsynced}"


def _needs_sync(change: PeeringWrite, peering: Peering) -> bool:
    return change.sync and peering.needs_sync


def put(
    writer: Writer,
    change: PeeringWrite,
    existing: dict[str, Any] | None,
    deadline_s: float,
    cadence: PollSchedule = WRITES,
    contention_s: float = math.inf,
) -> None:
    """Write a peering's flags over the body that was read, without reading it again.

    Args:
        writer: sends the write.
        change: what to write; not a deletion.
        existing: the peering as ARM JSON; None if it does not exist.
        deadline_s: how long that may take, in seconds.
        cadence: how often to poll.
        contention_s: how long another operation is waited for, in seconds.

    Raises:
        AzureFailure: Azure refused, or the outcome is unknown.
    """
    if change.after is None:
        raise ValueError(f"{change.name}: a write without flags")
    body = _build_body(existing, change.remote_virtual_network, change.after)
    arguments = {"sync_remote_address_space": "true"} if change.sync else {}
    writer.write(change.peering_id, body, deadline_s, cadence, contention_s, **arguments)


def _wait_until_unused(
    change: PeeringWrite, peering: Peering | None, readings: ReadingCache
) -> Peering | None:
    """Return a peering to be removed once it carries nothing; a reading may be stale at first."""
    clock = readings.reader.clock
    deadline = clock.now() + STALE_S
    while peering is not None and peering.flags.use_remote_gateways and clock.now() < deadline:
        clock.sleep(3.0)
        existing = readings.get_peering_body(change.peering_id, 1.0)
        peering = parse_peering(existing, get_network_id(change.peering_id)) if existing else None
    if peering is not None:
        refuse_if_in_use(peering, change.name)
    return peering


def refuse_if_in_use(peering: Peering, name: str) -> None:
    """Refuse to remove a peering that carries a path: it was changed since the plan."""
    if peering.flags.use_remote_gateways:
        raise Refused(
            f"{name} uses remote gateways; the plan was to remove it while unused",
            "It has changed since the plan was made. Run the command again.",
        )


def _build_body(existing: dict[str, Any] | None, remote: str, flags: Flags) -> dict[str, Any]:
    properties = get_section(existing, "properties")
    value = get_section(properties, "remoteVirtualNetwork").get("id")
    leads_to = {} if value else {"remoteVirtualNetwork": {"id": canonicalize(remote)}}
    return {**(existing or {}), "properties": {**properties, **leads_to, **flags.to_arm()}}
