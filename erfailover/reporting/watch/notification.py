"""An event of the watch as a notification: a text for people, and a CloudEvents message. Pure.

The text is plain, since each service has other markup. It says what happened and why, what to do
next, and how the site is watched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from erfailover.errors import escape_controls
from erfailover.model.moments import format_rfc3339
from erfailover.model.watch import Event, EventType, Notification, Pause, Severity, WatchState

CLOUD_EVENT_TYPE = "io.erfailover.watch."
SOURCE = "urn:erfailover:watch"
TITLE_LENGTH, TEXT_LENGTH = 150, 3000
"""In characters: pagers cut titles, and chat services refuse long texts."""

MODES = MappingProxyType(
    {
        "observe": "observe (switches nothing)",
        "approve": "approve (switches after an approval)",
        "automatic": "automatic (switches by itself)",
    }
)

NEXT_STEPS: Mapping[EventType, str] = MappingProxyType(
    {
        EventType.BACKUP_NOT_READY: "erfailover doctor shows what is wrong with the backup path.",
        EventType.APPROVAL_REQUESTED: "To approve: erfailover approve {approval}",
        EventType.SWITCH_WITHHELD: "erfailover status shows both paths. To switch by hand: "
        "erfailover switch --to ipsec",
        EventType.RUN_ENDED: "erfailover history shows the run, erfailover status both paths.",
        EventType.DRILL_DUE: "Choose a spoke and a quiet hour: erfailover drill run --canary SPOKE",
        EventType.DRILL_ENDED: "erfailover history shows the drill, erfailover status both paths.",
        EventType.PAUSED: "To go on: erfailover resume",
        EventType.STORE_LOST: "Until the store can be reached again, no switch is begun. Check "
        "the network and the rights of this machine on the storage account.",
    }
)
"""What to do next, by the type of the event, unless the event itself has another step."""

STATE_STEPS: Mapping[str, str] = MappingProxyType(
    {
        WatchState.DEGRADED: "erfailover status shows what is wrong.",
        WatchState.SUSPECT: "Nothing yet: the reading is repeated.",
        WatchState.FAILED: "erfailover status shows both paths. To switch by hand: erfailover "
        "switch --to ipsec",
        WatchState.UNKNOWN: "erfailover doctor shows what cannot be read.",
        WatchState.ON_BACKUP: "Have the primary path repaired; erfailover status shows when it is "
        "healthy.",
        WatchState.RECOVERING: "To switch back after the hold time: erfailover switch --to "
        "expressroute",
        WatchState.LOCKED_OUT: "Find the cause with erfailover history and erfailover status, then "
        "use erfailover resume.",
    }
)
"""The same for a change of state, by the new state."""

SWITCH_STEPS: Mapping[str, str] = MappingProxyType(
    {
        "automatic": "Nothing: erfailover now switches to {target} by itself.",
        "approve": "Wait for the plan, which erfailover now makes: it needs one approval.",
    }
)
"""The same if the state calls for a switch that nothing withholds, by the mode."""


def build_notification(event: Event) -> Notification:
    """Return an event as it is sent.

    The facts ``mode``, ``paused``, ``state``, ``reason``, ``next``, ``approval``, ``target`` and
    ``withheld`` of its data are used if they are there.
    """
    return Notification(event, build_title(event), build_body(event), build_cloud_event(event))


def add_circumstances(event: Event, mode: str, pause: Pause | None) -> Event:
    """Return an event whose data says in which mode it happened, and whether paused."""
    paused = pause and {"reason": pause.reason, "until": pause.until, "by": pause.by}
    return replace(event, data={**event.data, "mode": mode, "paused": paused})


def build_title(event: Event) -> str:
    """Return the title: how urgent, which site, and what happened, in one line."""
    word = "RESOLVED" if event.resolves else event.severity.value.upper()
    first, *_ = event.text.split("\n", 1)
    return _shorten(_clean(f"{word}: {event.site}: {first.strip()}"), TITLE_LENGTH)


def build_body(event: Event) -> str:
    """Return the text: what happened, why, what to do next, and the circumstances."""
    data = event.data
    lines = [_shorten(_clean(event.text), TEXT_LENGTH)]
    if reason := data.get("reason"):
        lines.append(f"Why: {_shorten(_clean(str(reason)), TEXT_LENGTH)}")
    if step := _find_next_step(event):
        lines.append(f"Next: {_clean(step)}")
    lines += ["", f"Site: {_clean(event.site)}", f"Time: {format_rfc3339(event.at)}"]
    if state := data.get("state"):
        lines.append(f"State: {_clean(str(state))}")
    if mode := data.get("mode"):
        lines.append(f"Mode: {_clean(MODES.get(str(mode), str(mode)))}")
    if "paused" in data:
        lines.append(_describe_pause(data["paused"]))
    lines.append(f"Incident: {_clean(event.incident)}{', ended' if event.resolves else ''}")
    return "\n".join(lines)


def build_cloud_event(event: Event) -> dict[str, Any]:
    """Return an event as a CloudEvents 1.0 message in JSON (published: CloudEvents 1.0.2)."""
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": SOURCE,
        "type": f"{CLOUD_EVENT_TYPE}{event.type.value}",
        "subject": event.site,
        "time": format_rfc3339(event.at),
        "datacontenttype": "application/json",
        "data": {
            "site": event.site,
            "severity": event.severity.value,
            "text": event.text,
            "incident": event.incident,
            "resolves": event.resolves,
            "facts": dict(event.data),
        },
    }


def build_test_event(site: str, at: float) -> Event:
    """Return the event by which an operator tests that notifications arrive."""
    return Event(
        id=f"test-{at:.3f}",
        type=EventType.NOTIFICATION_TEST,
        site=site,
        at=at,
        severity=Severity.INFO,
        text="This is a test of notifications. Nothing has happened.",
        incident=f"{site}/test",
        resolves=True,
        data={"next": "None."},
    )


def _find_next_step(event: Event) -> str:
    if "next" in event.data:
        return str(event.data["next"] or "")
    if event.resolves:
        return ""
    if event.type is EventType.STATE_CHANGED:
        target, mode = event.data.get("target"), str(event.data.get("mode", ""))
        if target and not event.data.get("withheld") and mode in SWITCH_STEPS:
            return SWITCH_STEPS[mode].replace("{target}", str(target))
        return STATE_STEPS.get(str(event.data.get("state", "")), "")
    if event.type in (EventType.RUN_ENDED, EventType.DRILL_ENDED) and (
        event.severity is Severity.INFO
    ):
        return ""
    step = NEXT_STEPS.get(event.type, "")
    return step.replace("{approval}", str(event.data.get("approval", "ID")))


def _describe_pause(paused: Any) -> str:
    if not paused:
        return "Paused: no"
    if not isinstance(paused, Mapping):
        return "Paused: yes, nothing is switched"
    until, by, reason = (paused.get(name) for name in ("until", "by", "reason"))
    end = f"until {format_rfc3339(until)}" if isinstance(until, int | float) else "until resumed"
    text = f"Paused: {end}, nothing is switched"
    if by:
        text += f"; by {by}"
    if reason:
        text += f"; {reason}"
    return _clean(text)


def _clean(text: str) -> str:
    return escape_controls(text).strip()


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."
