"""``erfailover pause`` and ``erfailover resume``: whether the watch of a site may switch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

from erfailover.commands.context import Context
from erfailover.model.moments import format_rfc3339
from erfailover.model.watch import Pause
from erfailover.model.watch_documents import PauseRecord
from erfailover.reporting.status.pause import RESUME, build_data, describe_pause
from erfailover.runtime.state.process import describe_user
from erfailover.runtime.state.watch_records import change_pause


def pause(context: Context, for_s: float | None, wall: Callable[[], float] = time.time) -> None:
    """Pause the watch of the site; a pause that ends later is kept instead.

    Args:
        context: the invocation; its reason is that of the pause.
        for_s: how long, in seconds of Azure's time; None until ``erfailover resume``.
        wall: wall time, in seconds since 1970.

    Raises:
        StateFailure: the pause could not be recorded.
    """
    now = wall()
    until = None if for_s is None else now + for_s / getattr(context.clock, "speed", 1.0)
    new = Pause(context.reason or "", now, until, describe_user())

    def change(record: PauseRecord) -> PauseRecord:
        current = record.find_pause(now)
        if current is not None and _get_end(current) > _get_end(new):
            return record
        return replace(record, pause=new)

    before, after = change_pause(context.watch_store, change)
    previous, applied = before.find_pause(now), after.pause or new
    site = context.site.name
    if after is before:
        text = f"{site} stays paused {describe_pause(applied)}. To end that pause: {RESUME}"
    else:
        text = f"{site} is paused {describe_pause(applied)}."
        if previous is not None:
            text += f" This replaces the pause {describe_pause(previous)}."
    data = {
        "site": site,
        "pause": build_data(applied),
        "changed": after is not before,
        "replaced": build_data(previous) if after is not before else None,
    }
    _warn_if_local(context)
    context.output.print_result(text, data)


def resume(context: Context, wall: Callable[[], float] = time.time) -> None:
    """End a pause and a lock-out of the site's watch.

    Args:
        context: the invocation; its reason is recorded.
        wall: wall time, in seconds since 1970.

    Raises:
        StateFailure: it could not be recorded.
    """
    now, by = wall(), describe_user()
    new = PauseRecord(None, now, by, context.reason or "")
    before, _ = change_pause(context.watch_store, lambda record: new)
    ended = before.find_pause(now)
    site = context.site.name
    text = f"{site} was not paused. If the watch had locked itself out, it may switch again."
    if ended is not None:
        text = f"{site} is resumed. It was paused {describe_pause(ended)}."
    data = {
        "site": site,
        "resumed_at": format_rfc3339(now),
        "resumed_by": by,
        "reason": context.reason,
        "ended": build_data(ended),
    }
    _warn_if_local(context)
    context.output.print_result(text, data)


def _get_end(pause: Pause) -> float:
    return math.inf if pause.until is None else pause.until


def _warn_if_local(context: Context) -> None:
    """Say that other machines do not see what is recorded here."""
    if context.site_file.site.state is None:
        context.output.print_info(
            f"{context.site_file} has no state:, so only the watch on this machine obeys."
        )
