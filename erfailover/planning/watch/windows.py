"""Recurring maintenance windows in UTC. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from erfailover.model.watch_settings import MaintenanceWindow

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def find_window(windows: Iterable[MaintenanceWindow], now: float) -> MaintenanceWindow | None:
    """Return the first window that is open at a wall time, in seconds since 1970; None if none is.

    A window lasts from its start to just before its end, on the next day if its end is not later
    than its start; its days are those on which it begins.
    """
    moment = datetime.fromtimestamp(now, UTC)
    today, yesterday = (DAYS[(moment - timedelta(days=ago)).weekday()] for ago in (0, 1))
    time = moment.strftime("%H:%M")
    for window in windows:
        days = window.days or DAYS
        overnight = window.end <= window.start
        began_today = today in days and window.start <= time and (overnight or time < window.end)
        began_yesterday = overnight and yesterday in days and time < window.end
        if began_today or began_yesterday:
            return window
    return None
