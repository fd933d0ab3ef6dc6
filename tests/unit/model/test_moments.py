"""A moment in the past as people type it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from erfailover.model.moments import is_before, parse_moment

NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T22:30", datetime(2026, 11, 1, 22, 30, tzinfo=UTC)),
        ("2026-11-01 22:30:05", datetime(2026, 11, 1, 22, 30, 5, tzinfo=UTC)),
        ("2026-11-01T22:30:00Z", datetime(2026, 11, 1, 22, 30, tzinfo=UTC)),
        ("2026-11-02T00:30+02:00", datetime(2026, 11, 1, 22, 30, tzinfo=UTC)),
        ("30m", NOW - timedelta(minutes=30)),
        ("24h", NOW - timedelta(hours=24)),
        (" 7d ", NOW - timedelta(days=7)),
        ("2W", NOW - timedelta(weeks=2)),
    ],
)
def test_a_date_a_time_or_how_long_ago_is_a_moment(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW) == moment


@pytest.mark.parametrize(
    "text",
    [
        *("", "7", "7x", "-7d", "d", "1.5h", "yesterday", "20261101", "2026-W44-1", "26-11-01"),
        *("2026-13-01", "2026-11-31", "2026-11-01T25:00", "2026-11-01T", "999999999w", "9999999d"),
        *("0001-01-01T00:00+05:00", "\u0667d", "\x00", "2026-11-01; rm"),
    ],
)
def test_anything_else_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a date \(2026-11-01\).*24h, 7d"):
        parse_moment(text, NOW)


def test_a_run_is_compared_by_its_time_and_is_never_dropped_for_want_of_one() -> None:
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    assert is_before("2026-10-31T23:59:59.999Z", moment)
    assert not is_before("2026-11-01T00:00:00.000Z", moment)
    assert not is_before("", moment)
    assert not is_before("a damaged time", moment)
