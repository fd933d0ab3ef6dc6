"""What ``erfailover watch`` reads, remembers and reports of a site. Pure.

All moments are wall time in seconds since 1970, so that replicas on several machines agree on them;
on a lab whose clock runs faster they are that clock's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from erfailover.model.site import Path


class Signal(StrEnum):
    """An independent observation of whether the primary path carries traffic."""

    GATEWAY = "gateway"
    """The primary gateway's BGP peers, and the remote prefixes that it has learned."""
    EDGE = "edge"
    """The sessions of the circuit's edge routers with the customer edge."""
    PROBES = "probes"
    """The end-to-end probes that ``watch.probes`` names."""


class SignalStatus(StrEnum):
    """The state of a signal at one moment."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


class WatchState(StrEnum):
    """The states of the detector. See ``planning.watch.detector`` for the transitions."""

    HEALTHY = "HEALTHY"
    """The spokes are on the primary path, every signal is up, and the backup is ready."""
    DEGRADED = "DEGRADED"
    """Traffic passes, but something is wrong: one signal, a redundant session, the backup."""
    SUSPECT = "SUSPECT"
    """A signal is down but not confirmed: readings start ``confirm_after_s`` apart."""
    FAILED = "FAILED"
    """Two signals were down in two readings at least ``confirm_after_s`` apart."""
    UNKNOWN = "UNKNOWN"
    """The primary path could not be judged, or the watcher is cut off itself."""
    ON_BACKUP = "ON_BACKUP"
    """The spokes are on the backup path, and the primary path is not healthy."""
    RECOVERING = "RECOVERING"
    """The spokes are on the backup path, and every signal of the primary path is up."""
    PAUSED = "PAUSED"
    """Readings continue; nothing is switched."""
    LOCKED_OUT = "LOCKED_OUT"
    """A limit was reached or a switch failed; nothing is switched until ``erfailover resume``."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A signal at one moment, with the reason in words."""

    status: SignalStatus
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SpokeState:
    """A spoke as the last reading saw it.

    Attributes:
        path: ``expressroute``, ``ipsec``, ``none`` or ``unknown``.
        healthy: whether that path carries it; None if unknown.
    """

    name: str
    path: str
    healthy: bool | None = None


@dataclass(frozen=True, slots=True)
class WatchReading:
    """One reading of a site.

    Attributes:
        at: when it ended.
        signals: of the primary path; only the signals that the site file enables.
        backup: whether the backup path would carry the spokes.
        spokes: every spoke of the site; empty if the site could not be read.
        warnings: what else is wrong; causes DEGRADED, never more: a lost redundant session, drift,
            Resource Health, metrics.
        witness: whether the watcher itself reaches the witness.
        operator_run: who holds the site's lease, if it is not this watcher.
        unfinished_run: the id of the last run of a watcher, if it has not ended.
    """

    at: float
    signals: Mapping[Signal, Observation]
    backup: Observation
    spokes: tuple[SpokeState, ...] = ()
    warnings: tuple[str, ...] = ()
    witness: Observation = Observation(SignalStatus.UP)
    operator_run: str | None = None
    unfinished_run: str | None = None

    @property
    def is_on_primary(self) -> bool:
        """Whether a spoke is on the primary path."""
        return any(spoke.path == Path.EXPRESSROUTE for spoke in self.spokes)

    @property
    def is_on_backup(self) -> bool:
        """Whether a spoke is on the backup path."""
        return any(spoke.path == Path.IPSEC for spoke in self.spokes)

    @property
    def shows_only_failure(self) -> bool:
        """Whether a signal of the primary path is down, and none is up."""
        statuses = {observation.status for observation in self.signals.values()}
        return SignalStatus.DOWN in statuses and SignalStatus.UP not in statuses

    @property
    def without_path(self) -> tuple[str, ...]:
        """The spokes that are on neither path."""
        return tuple(spoke.name for spoke in self.spokes if spoke.path == "none")


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause that an operator asked for, or that follows an operator's run.

    Attributes:
        until: when it ends by itself; None if only ``erfailover resume`` ends it.
        by: who asked for it.
    """

    reason: str
    since: float
    until: float | None = None
    by: str = ""

    def is_over(self, now: float) -> bool:
        """Return whether it has ended by itself."""
        return self.until is not None and now >= self.until


class Severity(StrEnum):
    """How urgent an event is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class EventType(StrEnum):
    """What can happen; the end of a CloudEvents type: ``io.erfailover.watch.state_changed``."""

    STATE_CHANGED = "state_changed"
    BACKUP_NOT_READY = "backup_not_ready"
    BACKUP_READY = "backup_ready"
    APPROVAL_REQUESTED = "approval_requested"
    APPROVAL_ENDED = "approval_ended"
    SWITCH_WITHHELD = "switch_withheld"
    RUN_STARTED = "run_started"
    RUN_ENDED = "run_ended"
    DRILL_DUE = "drill_due"
    DRILL_ENDED = "drill_ended"
    PAUSED = "paused"
    RESUMED = "resumed"
    LEADER_CHANGED = "leader_changed"
    STORE_LOST = "store_lost"
    STORE_BACK = "store_back"
    NOTIFICATION_TEST = "notification_test"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a site, as it is recorded, shown and sent.

    Attributes:
        id: unique; a repeated delivery has the same.
        incident: the deduplication key: all events of one incident have the same.
        resolves: whether the incident ends with it.
        data: more facts, as plain JSON data; no secrets.
    """

    id: str
    type: EventType
    site: str
    at: float
    severity: Severity
    text: str
    incident: str
    resolves: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notification:
    """An event as it is sent.

    Attributes:
        title: for people, in one line.
        body: for people, as plain text.
        cloud_event: for programs: the event as a CloudEvents 1.0 message in JSON.
    """

    event: Event
    title: str
    body: str
    cloud_event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Approval:
    """A switch that waits for one person's approval.

    Attributes:
        id: what ``erfailover approve`` is given.
        target: the path to switch to.
        text: the plan as text.
        plan: the plan as ``switch --dry-run --out`` saves it.
        approved_by: who approved it; None while it waits.
    """

    id: str
    target: Path
    created: float
    expires: float
    text: str
    plan: Mapping[str, Any]
    approved_by: str | None = None
    approved_at: float | None = None


@dataclass(frozen=True, slots=True)
class SiteView:
    """A watched site as the page, the metrics and the health endpoints show it.

    Attributes:
        leader: who leads, as ``user@host, process N``; None if it is not known.
        is_leader: whether this process leads.
        state: the state of the detector, or UNKNOWN before the first reading.
        since: when that state began.
        reading: the last reading; None before the first.
        next_reading_at: when the next is due.
        withheld: why a switch that the state calls for is not made; None if none is called for.
        svg: the site as a diagram; empty before the first reading.
        events: the last events, newest first.
        store_problem: why the shared store cannot be used; None if it can.
        counters: totals since the start: ``readings``, ``failed_readings``, ``switches``,
            ``failed_switches``, ``notifications``, ``failed_notifications``, ``writes``.
        reading_s: how long the last reading took.
        interval_s: the time from the start of one reading to the next.
        heartbeat_at: when the loop of the site last did anything; None before it has begun.
    """

    site: str
    mode: str
    leader: str | None = None
    is_leader: bool = False
    state: WatchState = WatchState.UNKNOWN
    since: float = 0.0
    reading: WatchReading | None = None
    next_reading_at: float | None = None
    pause: Pause | None = None
    approval: Approval | None = None
    withheld: str | None = None
    svg: str = ""
    events: tuple[Event, ...] = ()
    store_problem: str | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    reading_s: float | None = None
    run: str | None = None
    """The run that is under way, in words; None if none is."""
    interval_s: float = 30.0
    heartbeat_at: float | None = None
