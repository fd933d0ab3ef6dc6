"""Moments and periods as people type and read them. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

EXPECTED = (
    "a date (2026-11-01), a time (2026-11-01T22:30, UTC by default), or how long "
    "ago (30m, 24h, 7d, 2w)"
)
LONGEST_PERIOD = timedelta(days=365)
_PERIOD = re.compile(r"(\d{1,9})\s*(m|h|d|w)", re.ASCII | re.IGNORECASE)
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
        if ago := _PERIOD.fullmatch(typed):
            return now - _build_period(ago)
        if not _DATE.fullmatch(typed):
            raise ValueError(typed)
        moment = datetime.fromisoformat(typed)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"expected {EXPECTED}") from None


def parse_period(text: str) -> float:
    """Return the period that a text such as ``2h`` names, in seconds.

    Raises:
        ValueError: it names none, or one of 0 or of more than ``LONGEST_PERIOD``.
    """
    match = _PERIOD.fullmatch(text.strip())
    try:
        period = _build_period(match) if match else timedelta()
    except OverflowError:
        period = timedelta()
    if not timedelta() < period <= LONGEST_PERIOD:
        raise ValueError(
            f"expected a time such as 30m, 2h or 7d, of {LONGEST_PERIOD.days}d at most"
        )
    return period.total_seconds()


def format_moment(moment: float) -> str:
    """Return a moment, in seconds since 1970, for people: ``2026-11-20 03:14:07 UTC``."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def format_rfc3339(moment: float) -> str:
    """Return a moment, in seconds since 1970, for programs: ``2026-11-20T03:14:07Z``."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _build_period(match: re.Match[str]) -> timedelta:
    return timedelta(**{_UNITS[match[2].lower()]: int(match[1])})


def is_before(text: str, moment: datetime) -> bool:
    """Return whether a time of the journal precedes a moment; one that cannot be read does not."""
    try:
        result = datetime.fromisoformat(text)
    except ValueError:
        return False
    return (result if result.tzinfo else result.replace(tzinfo=UTC)) < moment
