"""Whether ``erfailover watch`` is alive and ready, and why not. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from erfailover.model.durations import format_duration
from erfailover.model.watch import SiteView

INTERVALS = 3
"""So many readings may be late."""
STALE_S = 60.0
"""How late the last reading of the leader may be besides, in seconds."""
STALLED_S = 300.0
"""How long a loop may do nothing besides, in seconds: an orchestrator ends a process that is not
alive, so this is long."""


def list_stalled(views: Sequence[SiteView], now: float) -> list[str]:
    """Return why the watch is not alive, one sentence for each site whose loop does nothing.

    A run that is under way has its own deadlines; the site's loop waits for it.
    """
    return [
        f"{view.site}: the watch loop has done nothing for {format_duration(idle_s)}."
        for view in views
        if view.heartbeat_at is not None
        and view.run is None
        and (idle_s := now - view.heartbeat_at) > INTERVALS * view.interval_s + STALLED_S
    ]


def list_unready(views: Sequence[SiteView], started: float, now: float) -> list[str]:
    """Return why the watch is not ready, one sentence for each reason.

    Args:
        views: the watched sites.
        started: when the watch began: until a first reading is due, none is missed.
        now: the present.
    """
    return [reason for view in views for reason in _list_reasons(view, started, now)]


def compute_stale_after(view: SiteView) -> float:
    """Return the age at which a site's last reading is too old to rely on, in seconds."""
    return INTERVALS * view.interval_s + STALE_S


def _list_reasons(view: SiteView, started: float, now: float) -> Iterator[str]:
    if view.store_problem:
        yield f"{view.site}: the shared store cannot be used: {view.store_problem}"
    at = view.reading.at if view.reading else started
    if view.is_leader and view.run is None and now - at > compute_stale_after(view):
        age = f"is {format_duration(now - view.reading.at)} old" if view.reading else "never ended"
        yield (
            f"{view.site}: the last reading {age}; one is due every "
            f"{format_duration(view.interval_s)}."
        )
