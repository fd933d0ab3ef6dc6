"""The ``watch`` section of a site file: what ``erfailover watch`` does. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from erfailover.model.site_file import ChosenByKeys, Section

WatchMode = Literal["observe", "approve", "automatic"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


@dataclass(frozen=True, slots=True)
class MaintenanceWindow(Section):
    """A recurring time in which nothing is switched automatically."""

    start: str
    """When it begins, in UTC: ``"22:00"``."""
    end: str
    """When it ends, in UTC; on the next day if it is not later than ``start``."""
    days: tuple[Weekday, ...] = ()
    """The days on which it begins. Default: every day."""


@dataclass(frozen=True, slots=True)
class AppriseTarget(Section):
    """A notification through Apprise: Slack, Teams, PagerDuty, mail and others."""

    apprise: str
    """Where Apprise's URL is: ``env:NAME``, ``file:PATH``, or the URL of a Key Vault secret."""


@dataclass(frozen=True, slots=True)
class WebhookTarget(Section):
    """A notification as a CloudEvents 1.0 message, sent by POST."""

    webhook: str
    """Where the URL is: ``env:NAME``, ``file:PATH``, or the URL of a Key Vault secret."""


@dataclass(frozen=True, slots=True)
class CommandTarget(Section):
    """A program that is run for each notification; the event is its standard input, as JSON."""

    command: tuple[str, ...]
    """The program and its arguments, as a list; no shell."""
    timeout_s: float = 30.0
    """How long it may run, in seconds; then it is ended and counts as failed."""


NotificationTarget = Annotated[AppriseTarget | WebhookTarget | CommandTarget, ChosenByKeys()]


@dataclass(frozen=True, slots=True)
class Watch(Section):
    """What ``erfailover watch`` does. Times are in seconds of Azure's time."""

    mode: WatchMode = "observe"
    """``observe`` only notifies; ``approve`` switches after one person's approval; ``automatic``
    switches by itself."""
    interval_s: float = 30.0
    """The time from the start of one reading to the next."""
    confirm_after_s: float = 5.0
    """How soon a reading that shows a failure is repeated; at least 5."""
    edge_sessions: bool = False
    """Whether the circuit's edge sessions are a signal: needs an ExpressRoute primary gateway and
    the right to read the circuit."""
    probes: tuple[str, ...] = ()
    """The probes that are a signal: down if none of them succeeds."""
    witness: str | None = None
    """``host:port`` of an independent address that the watcher must reach to trust its readings.
    Default: the management endpoint."""
    cooldown_s: float = 1800.0
    """How long nothing is switched after a switch, the operator's included."""
    max_switches_per_day: int = 2
    """After so many automatic switches in 24 hours nothing is switched until
    ``erfailover resume``."""
    maintenance: tuple[MaintenanceWindow, ...] = ()
    """When nothing is switched automatically."""
    failback: Literal["manual", "automatic"] = "manual"
    """Whether ``automatic`` and ``approve`` also switch back, after
    ``timing.failback_hold_time_s``."""
    approval_expires_s: float = 3600.0
    """How long a requested approval can be given."""
    backup_not_ready_s: float = 900.0
    """How long the backup may be unready before a notification is sent."""
    drill_due_days: int = 0
    """How many days after the last drill a notification is sent; 0 for never."""
    notifications: tuple[NotificationTarget, ...] = ()
    """Where notifications are sent."""
