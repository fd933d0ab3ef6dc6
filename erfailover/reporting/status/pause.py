"""The pause of a site's watch, as text and as plain data. Pure."""

from __future__ import annotations

from typing import Any

from erfailover.model.moments import format_moment, format_rfc3339
from erfailover.model.watch import Pause

RESUME = "erfailover resume"
"""The command that ends a pause."""


def format_text(pause: Pause) -> str:
    """Return the text below the verdict of a status while the site is paused."""
    return f"*** PAUSED {describe_pause(pause)}\n*** To resume: {RESUME}"


def describe_pause(pause: Pause) -> str:
    """Return until when, by whom and why a site is paused: ``until resumed, by anna@ops1: why``."""
    until = "resumed" if pause.until is None else format_moment(pause.until)
    return f"until {until}, by {pause.by}: {pause.reason}"


def build_data(pause: Pause | None) -> dict[str, Any] | None:
    """Return a pause as plain data, documented by the schema of ``status``; None for none."""
    if pause is None:
        return None
    return {
        "reason": pause.reason,
        "by": pause.by,
        "since": format_rfc3339(pause.since),
        "until": None if pause.until is None else format_rfc3339(pause.until),
    }
