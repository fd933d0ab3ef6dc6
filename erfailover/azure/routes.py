"""Writes of user-defined routes: read, change the next hop, write the whole route back.

What others set on a route stays as it is, fields that the SDK does not know included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from erfailover.azure.client.polling import WRITES, PollSchedule
from erfailover.azure.readers.cache import ReadingCache
from erfailover.azure.readers.route_tables import parse_route
from erfailover.azure.writer import Writer
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.model.arm_json import Body, get_section, list_objects, parse_text
from erfailover.model.plan import RouteWrite
from erfailover.model.route_tables import UserRoute
from erfailover.runtime.clock import run_all

Sending = Callable[[RouteWrite], None]
READ_S = 30.0
"""How long a route table is read before its routes are written, in seconds."""


def write(
    writer: Writer,
    changes: Sequence[RouteWrite],
    deadline_s: float,
    readings: ReadingCache,
    cadence: PollSchedule = WRITES,
    sending: Sending = lambda change: None,
) -> None:
    """Make routes as a plan says: of several tables at once, of one table one after the other.

    A write of a route changes the table as a whole, so the next one waits for it. A route that is
    as it should be is not written: another spoke that shares the table may have moved it.

    Args:
        writer: sends the writes.
        changes: what to write.
        deadline_s: how long that may take, in seconds.
        readings: shared with the rest of the run; what they have of the tables is discarded.
        cadence: how often to look whether a write is done.
        sending: called before each route is written.

    Raises:
        AzureFailure: Azure refused one, or its outcome is unknown.
    """
    by_table: dict[str, list[RouteWrite]] = {}
    for change in changes:
        by_table.setdefault(change.table_id, []).append(change)
    deadline = readings.reader.clock.now() + deadline_s
    run_all(
        readings.reader.clock,
        [
            partial(_write_table, writer, table_id, rows, deadline, readings, cadence, sending)
            for table_id, rows in by_table.items()
        ],
    )


def _write_table(
    writer: Writer,
    table_id: str,
    changes: Sequence[RouteWrite],
    deadline: float,
    readings: ReadingCache,
    cadence: PollSchedule,
    sending: Sending,
) -> None:
    clock = readings.reader.clock
    table = readings.reader.get(table_id, max(1.0, min(READ_S, deadline - clock.now())))
    if table is None:
        raise AzureFailure(AzureErrorKind.NOT_FOUND, f"{table_id} does not exist")
    rows = {
        parse_text(row.get("name")).lower(): row
        for row in list_objects(get_section(table, "properties").get("routes"))
    }
    try:
        for change in changes:
            existing = rows.get(change.name.lower())
            if _is_done(change, existing):
                continue
            sending(change)
            left_s = max(1.0, deadline - clock.now())
            _write_route(writer, change, existing, left_s, cadence)
    finally:
        readings.invalidate(table_id)


def _is_done(change: RouteWrite, existing: Body | None) -> bool:
    if existing is None:
        return change.after is None
    state = parse_text(get_section(existing, "properties").get("provisioningState"))
    return state != "Failed" and parse_route(existing) == change.after


def _write_route(
    writer: Writer,
    change: RouteWrite,
    existing: Body | None,
    deadline_s: float,
    cadence: PollSchedule,
) -> None:
    if change.after is None:
        writer.delete(change.route_id, deadline_s)
        return
    writer.write(change.route_id, _build_body(existing, change.after), deadline_s, cadence)


def _build_body(existing: Body | None, route: UserRoute) -> dict[str, Any]:
    properties = {
        **get_section(existing, "properties"),
        "addressPrefix": route.prefix,
        "nextHopType": route.next_hop_type,
        "nextHopIpAddress": route.next_hop,
    }
    properties.pop("provisioningState", None)
    return {"name": route.name, "properties": properties}
