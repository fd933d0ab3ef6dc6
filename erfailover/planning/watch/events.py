"""Which events follow from a step: what changed, how urgent it is, to which incident it belongs.

Incidents, each with one key from its first event to its last:

- the *path*: from the moment a site leaves HEALTHY until it is HEALTHY again. A failover does not
  end it: a site on its backup has no second path.
- the *backup*: from the moment the backup is found not ready until it is ready. It is reported
  only if it lasts for ``backup_not_ready_s``;
- a *pause* and a *lockout*, from their beginning to their end.

An event's id is made of the site, the moment and what happened, so a repetition has the same. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from erfailover.model.durations import format_duration
from erfailover.model.moments import format_moment
from erfailover.model.site import Path
from erfailover.model.watch import (
    Event,
    EventType,
    Pause,
    Severity,
    SignalStatus,
    WatchReading,
    WatchState,
)
from erfailover.planning.watch.detector import Step
from erfailover.planning.watch.memory import Memory
from erfailover.planning.watch.policy import Decision

SEVERITIES = {
    WatchState.HEALTHY: Severity.INFO,
    WatchState.DEGRADED: Severity.WARNING,
    WatchState.SUSPECT: Severity.INFO,
    WatchState.FAILED: Severity.CRITICAL,
    WatchState.UNKNOWN: Severity.INFO,
    WatchState.ON_BACKUP: Severity.WARNING,
    WatchState.RECOVERING: Severity.INFO,
}
"""How urgent it is that a site has entered a state. UNKNOWN becomes a warning if it lasts."""
REPORTED_APART = ("paused", "locked out")
"""The rules of the policy whose beginning is an event already."""


def list_events(
    site: str,
    before: Memory,
    step: Step,
    reading: WatchReading,
    decision: Decision,
    pause: Pause | None = None,
) -> tuple[Event, ...]:
    """Return the events of one step, in order.

    Args:
        site: the site's name.
        before: the memory before it.
        step: what the detector made of the reading, after the decision.
        reading: the reading.
        decision: what the policy decided.
        pause: the pause in force; None if there is none.
    """
    return tuple(_Changes(site, before, step, reading, decision, pause).iter_events())


def build_event(
    site: str,
    type_: EventType,
    at: float,
    severity: Severity,
    text: str,
    *,
    incident: str,
    resolves: bool = False,
) -> Event:
    """Return an event that does not follow from a reading.

    Args:
        site: the site's name.
        type_: what happened.
        at: wall seconds since 1970.
        severity: how urgent it is.
        text: the event in words.
        incident: the incident's name within the site.
        resolves: whether the incident ends with it.
    """
    id_ = f"{site}/{at:.3f}/{type_}"
    return Event(id_, type_, site, at, severity, text, f"{site}/{incident}", resolves)


def is_sent(event: Event, sent_incidents: Collection[str]) -> bool:
    """Return whether an event is worth a notification.

    A suspicion that the next reading does not confirm is recorded and shown, and is not sent.

    Args:
        event: the event.
        sent_incidents: the incidents of which something was sent before.
    """
    if event.type is EventType.LEADER_CHANGED:
        return False
    if event.resolves and event.type is not EventType.DRILL_ENDED:
        return event.incident in sent_incidents
    return event.severity is not Severity.INFO or event.type is not EventType.STATE_CHANGED


class _Changes:
    """What changed from one memory to the next."""

    def __init__(
        self,
        site: str,
        before: Memory,
        step: Step,
        reading: WatchReading,
        decision: Decision,
        pause: Pause | None,
    ) -> None:
        self._site, self._before, self._step = site, before, step
        self._reading, self._decision, self._pause = reading, decision, pause
        self._after = step.memory

    def iter_events(self) -> Iterator[Event]:
        yield from self._iter_state_events()
        yield from self._iter_backup_events()
        yield from self._iter_control_events()

    def _iter_state_events(self) -> Iterator[Event]:
        before, after = self._before, self._after
        state = after.state
        if before.at is None or state is not before.state:
            first = before.at is None
            was = "the watch begins" if first else f"was {before.state}"
            text = f"{state} ({was}): {self._step.reason}{self._add_notes()}"
            ends = state is WatchState.HEALTHY and before.incident is not None
            yield self._build(EventType.STATE_CHANGED, self._judge_severity(), text, resolves=ends)
        elif after.unknown_reported and not before.unknown_reported:
            lasts = format_duration(self._reading.at - after.since)
            text = f"{state} for {lasts}: {self._step.reason}{self._add_notes()}"
            yield self._build(EventType.STATE_CHANGED, Severity.WARNING, text, suffix="lasting")
        elif after.withheld not in (before.withheld, None, *REPORTED_APART):
            failover = self._decision.target is Path.IPSEC
            severity = Severity.WARNING if failover else Severity.INFO
            text = f"{state}: no switch to {self._decision.target}: {self._decision.withheld}"
            yield self._build(EventType.SWITCH_WITHHELD, severity, text)

    def _judge_severity(self) -> Severity:
        reading, state = self._reading, self._after.state
        statuses = [signal.status for signal in reading.signals.values()]
        nothing_up = SignalStatus.DOWN in statuses and SignalStatus.UP not in statuses
        cut_off = {
            WatchState.DEGRADED: nothing_up or bool(reading.without_path),
            WatchState.ON_BACKUP: reading.backup.status is SignalStatus.DOWN,
        }
        return Severity.CRITICAL if cut_off.get(state) else SEVERITIES[state]

    def _add_notes(self) -> str:
        """Return what covers the state, and why no switch follows; empty if nothing."""
        notes = []
        if self._decision.withheld is not None:
            notes.append(f"No switch to {self._decision.target}: {self._decision.withheld}")
        elif self._after.locked_out is not None:
            notes.append(f"Locked out: {self._after.locked_out}")
        elif self._pause is not None:
            notes.append(f"Paused: {self._pause.reason}")
        return "".join(f". {note}" for note in notes)

    def _iter_backup_events(self) -> Iterator[Event]:
        before, after, reading = self._before, self._after, self._reading
        if after.backup_reported and not before.backup_reported and after.backup_since is not None:
            lasts = format_duration(reading.at - after.backup_since)
            text = f"the backup has not been ready for {lasts}: {reading.backup.reason}"
            severity = Severity.CRITICAL if reading.is_on_backup else Severity.WARNING
            yield self._build(EventType.BACKUP_NOT_READY, severity, text, _name_backup(after))
        elif before.backup_reported and not after.backup_reported:
            yield self._build(
                EventType.BACKUP_READY,
                Severity.INFO,
                "the backup is ready again",
                _name_backup(before),
                resolves=True,
            )

    def _iter_control_events(self) -> Iterator[Event]:
        before, after, pause = self._before, self._after, self._pause
        if after.lockout_reported and not before.lockout_reported:
            text = f"{WatchState.LOCKED_OUT}: {after.locked_out}; to end it: erfailover resume"
            yield self._build(
                EventType.STATE_CHANGED, Severity.CRITICAL, text, "lockout", suffix="lockout"
            )
        elif before.lockout_reported and not after.lockout_reported:
            text = "the lockout has ended"
            yield self._build(
                EventType.RESUMED, Severity.INFO, text, "lockout", resolves=True, suffix="lockout"
            )
        if pause is not None and not before.pause_reported:
            until = f" until {format_moment(pause.until)}" if pause.until is not None else ""
            by = f" by {pause.by}" if pause.by else ""
            text = f"paused{by}{until}: {pause.reason}"
            yield self._build(EventType.PAUSED, Severity.INFO, text, "pause")
        elif before.pause_reported and not after.pause_reported:
            text = "the pause has ended"
            yield self._build(EventType.RESUMED, Severity.INFO, text, "pause", resolves=True)

    def _build(
        self,
        type_: EventType,
        severity: Severity,
        text: str,
        incident: str | None = None,
        *,
        resolves: bool = False,
        suffix: str = "",
    ) -> Event:
        at = self._reading.at
        return Event(
            id="/".join(filter(None, (self._site, f"{at:.3f}", str(type_), suffix))),
            type=type_,
            site=self._site,
            at=at,
            severity=severity,
            text=text,
            incident=f"{self._site}/{incident or self._name_path_incident()}",
            resolves=resolves,
            data=self._collect_data(),
        )

    def _name_path_incident(self) -> str:
        moments = (self._after.incident, self._before.incident, self._reading.at)
        return f"path/{next(at for at in moments if at is not None):.3f}"

    def _collect_data(self) -> dict[str, Any]:
        reading, decision = self._reading, self._decision
        return {
            "state": str(self._step.state),
            "detected": str(self._after.state),
            "before": str(self._before.state),
            "signals": {
                str(signal): {"status": str(seen.status), "reason": seen.reason}
                for signal, seen in reading.signals.items()
            },
            "backup": str(reading.backup.status),
            "target": str(decision.target) if decision.target else None,
            "withheld": decision.withheld,
        }


def _name_backup(memory: Memory) -> str:
    return f"backup/{memory.backup_since or 0:.3f}"
