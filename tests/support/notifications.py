"""Events and notifications for tests."""

from __future__ import annotations

from typing import Any

from erfailover.model.watch import Event, EventType, Notification, Severity
from erfailover.reporting.watch.notification import build_notification

AT = 1_790_000_000.0
SECRET = "s3cr3t-t0k3n"


def build_event(name: str = "e1", incident: str = "site1/1", **more: Any) -> Event:
    """Return an event; ``more`` replaces its parts."""
    parts: dict[str, Any] = {
        "type": EventType.STATE_CHANGED,
        "site": "site1",
        "at": AT,
        "severity": Severity.CRITICAL,
        "text": "The primary path has failed.",
        "data": {"state": "FAILED"},
    }
    return Event(id=name, incident=incident, **{**parts, **more})


def notify(name: str = "e1", **more: Any) -> Notification:
    """Return a notification of an event."""
    return build_notification(build_event(name, **more))
