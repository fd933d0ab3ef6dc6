"""Notifications say what happened, why, what to do, and how the site is watched."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from erfailover.model.watch import Event, EventType, Pause, Severity, WatchState
from erfailover.reporting.watch.notification import (
    add_circumstances,
    build_body,
    build_notification,
    build_test_event,
    build_title,
)
from tests.support.notifications import AT, build_event

PAUSE = Pause("maintenance of the edge", AT - 60, AT + 7200, "ann@jump")


def test_the_body_has_every_fact() -> None:
    event = build_event(data={"state": "FAILED", "reason": "no BGP peer is connected"})
    assert build_title(event) == "CRITICAL: site1: The primary path has failed."
    assert build_body(add_circumstances(event, "approve", PAUSE)) == (
        "The primary path has failed.\n"
        "Why: no BGP peer is connected\n"
        "Next: erfailover status shows both paths. To switch by hand: erfailover switch --to "
        "ipsec\n"
        "\n"
        "Site: site1\n"
        "Time: 2026-09-21T14:13:20Z\n"
        "State: FAILED\n"
        "Mode: approve (switches after an approval)\n"
        "Paused: until 2026-09-21T16:13:20Z, nothing is switched; by ann@jump; maintenance of the "
        "edge\n"
        "Incident: site1/1"
    )


def test_the_end_of_an_incident_asks_for_nothing() -> None:
    event = build_event(resolves=True, severity=Severity.INFO, text="All is well.")
    body = build_body(add_circumstances(event, "observe", None))
    assert build_title(event) == "RESOLVED: site1: All is well."
    assert "Next:" not in body
    assert "Paused: no\nIncident: site1/1, ended" in body


def test_an_approval_names_its_command() -> None:
    event = build_event(type=EventType.APPROVAL_REQUESTED, data={"approval": "k7"})
    assert "Next: To approve: erfailover approve k7\n" in build_body(event)


@pytest.mark.parametrize(
    ("mode", "withheld", "step"),
    [
        ("automatic", None, "Next: Nothing: erfailover now switches to ipsec by itself."),
        ("automatic", "a maintenance window", "To switch by hand: erfailover switch --to ipsec"),
        ("approve", None, "Next: Wait for the plan"),
        ("observe", None, "To switch by hand: erfailover switch --to ipsec"),
    ],
)
def test_the_next_step_is_nothing_if_the_watch_itself_takes_it(
    mode: str, withheld: str | None, step: str
) -> None:
    event = build_event(data={"state": "FAILED", "target": "ipsec", "withheld": withheld})
    assert step in build_body(add_circumstances(event, mode, None))


@pytest.mark.parametrize("state", [state for state in WatchState if state != WatchState.HEALTHY])
def test_every_state_but_healthy_and_paused_has_a_next_step(state: WatchState) -> None:
    body = build_body(build_event(data={"state": state.value}))
    assert ("Next: " in body) is (state is not WatchState.PAUSED)


@pytest.mark.parametrize("kind", list(EventType))
def test_every_type_is_a_cloudevent_in_json_and_a_text(kind: EventType) -> None:
    event = build_event(type=kind, data={"spokes": ["a", "b"], "paused": None})
    notification = build_notification(event)
    check_cloud_event(json.loads(json.dumps(notification.cloud_event)))
    assert notification.cloud_event["type"] == f"io.erfailover.watch.{kind.value}"
    assert notification.title
    assert "{" not in notification.body


def check_cloud_event(message: dict[str, Any]) -> None:
    """Check a message against CloudEvents 1.0.2, sections "Required" and "Optional Attributes"."""
    for name in ("id", "source", "specversion", "type"):
        assert isinstance(message[name], str)
        assert message[name]
    assert message["specversion"] == "1.0"
    assert " " not in message["source"]
    assert message["subject"]
    assert datetime.fromisoformat(message["time"]).tzinfo is not None
    assert message["datacontenttype"] == "application/json"
    assert all(name.isalnum() and name.islower() for name in message), "names of attributes"


def test_long_and_hostile_texts_are_cut_and_escaped() -> None:
    event = build_event(text="\x1b[31mred\x07\n" + "x" * 9000, site="a\x1bb")
    assert build_title(event) == "CRITICAL: a\\x1bb: \\x1b[31mred\\x07"
    assert len(build_title(build_event(text="x" * 9000))) == 150
    body = build_body(event)
    assert len(body) < 3500
    assert "\x1b" not in body


def test_a_test_asks_for_nothing_and_ends_its_incident() -> None:
    event = build_test_event("site1", AT)
    assert isinstance(event, Event)
    assert event.resolves
    assert build_title(event).startswith("RESOLVED: site1: This is a test of notifications.")
