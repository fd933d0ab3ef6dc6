"""A moment in the past as people type it: a date, a time, or how long ago. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

EXPECTED = (
    "a date (2026-11-01), a time (2026-11-01T22:30, UTC by default), or how long "
    "ago (30m, 24h, 7d, 2w)"
)
_AGO = re.compile(r"(\d{1,9})\s*(m|h|d|w)", re.ASCII | re.IGNORECASE)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].+)?", re.ASCII | re.IGNORECASE)


def parse_moment(text: str, now: datetime) -> datetime:
    """Return the moment that a text names, in UTC.

    Args:
        text: what was typed.
        now: what a text such as ``7d`` counts back from.

    Raises:
        ValueError: it names none.
    """
    typed = text.strip()
    try:
        if ago := _AGO.fullmatch(typed):
            return now - timedelta(**{_UNITS[ago[2].lower()]: int(ago[1])})
        if not _DATE.fullmatch(typed):
            raise ValueError(typed)
        moment = datetime.fromisoformat(typed)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"expected {EXPECTED}") from None


def is_before(text: str, moment: datetime) -> bool:
    """Return whether a time of the journal precedes a moment; one that cannot be read does not."""
    try:
        result = datetime.fromisoformat(text)
    except ValueError:
        return False
    return (result if result.tzinfo else result.replace(tzinfo=UTC)) < moment
