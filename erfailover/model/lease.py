"""Who may write to a site: the record of a lease, and the decision who holds it.

Pure: values in, decision out. Keeping the record, and making its change atomic, is a store's
(``state``); which of a machine's processes live is known to ``state.process``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from erfailover.errors import escape_controls
from erfailover.model.durations import format_duration
from erfailover.model.moments import format_moment

TAKE_OVER = "--take-over"
MOST_CHARACTERS = 4096
LAST_TIME = 253_402_300_800.0
"""The end of the year 9999, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Holder:
    """One run of erfailover, as it is reported to others.

    Attributes:
        user: who started it.
        host: the machine's name.
        pid: the process's id.
        command: what it does: ``switch --to ipsec``.
        machine: tells machines of one name apart, and containers of one machine.
        started: tells processes of one id apart; empty if the system does not say.
    """

    user: str
    host: str
    pid: int
    command: str
    machine: str = ""
    started: str = ""

    @property
    def name(self) -> str:
        """Who it is: ``anna@ops1, process 4242``."""
        return f"{self.user}@{self.host}, process {self.pid}"


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """A lease, as its store keeps it. All times are wall time, in seconds since 1970.

    Attributes:
        since: when it was taken.
        expires: until when it is held unless renewed; None if the store itself knows.
    """

    holder: Holder
    since: float
    expires: float | None = None

    def describe(self, now: float) -> str:
        """Who holds it, what they do, and since when, for people."""
        age = max(0.0, now - self.since)
        how_long = format_duration(age)
        what = f"erfailover {self.holder.command}"
        return f"{self.holder.name}: {what}, since {self.since_text} ({how_long})"

    @property
    def since_text(self) -> str:
        """When it was taken: ``2026-11-20 03:14:07 UTC``."""
        return format_moment(self.since)

    def to_data(self) -> dict[str, Any]:
        """Return the record as plain JSON data."""
        holder = self.holder
        return {
            "user": holder.user,
            "host": holder.host,
            "pid": holder.pid,
            "command": holder.command,
            "machine": holder.machine,
            "started": holder.started,
            "since": self.since,
            "expires": self.expires,
        }

    @classmethod
    def from_data(cls, data: Any) -> LeaseRecord:
        """Return the record in plain JSON data.

        Raises:
            ValueError: it is not a lease record.
        """
        try:
            texts = [data[name] for name in ("user", "host", "command", "machine", "started")]
            pid, since, expires = data["pid"], data["since"], data["expires"]
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"not a lease record: {error!r}") from None
        times = [since] if expires is None else [since, expires]
        if (
            not all(isinstance(text, str) and len(text) <= MOST_CHARACTERS for text in texts)
            or type(pid) is not int
            or not all(type(time) in (int, float) and 0 <= time < LAST_TIME for time in times)
        ):
            raise ValueError("not a lease record: a value is invalid")
        user, host, command, machine, started = map(escape_controls, texts)
        return cls(Holder(user, host, pid, command, machine, started), since, expires)


class LeaseStanding(StrEnum):
    """What a lease that is asked for is found to be."""

    FREE = "free"
    EXPIRED = "expired"
    ORPHANED = "orphaned"
    """Its holder ran on this machine, and that process is gone."""
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a lease may be taken, and what it was found to be."""

    take: bool
    standing: LeaseStanding

    @property
    def over(self) -> bool:
        """Whether another run's lease is taken over, which is to be recorded."""
        return self.take and self.standing is not LeaseStanding.FREE


def decide(
    record: LeaseRecord | None,
    now: float,
    alive: bool | None,
    *,
    take_over: bool,
    running: bool = False,
) -> Decision:
    """Decide whether a lease may be taken.

    Args:
        record: the lease there is; None for none.
        now: wall time, in seconds since 1970.
        alive: whether its holder's process lives; None if that cannot be known from here.
        take_over: whether the operator said to take over a live lease.
        running: whether its holder's process is known to live and not to be stopped.

    Returns:
        What was found. A process that is known to be gone does not write, so its lease is
        orphaned before it expires. One that is known to run keeps its lease whatever the clock
        says: it may have been set, or the machine suspended. One that is stopped (Ctrl-Z), or of
        which nothing is known, keeps it while it renews it.
    """
    if record is None:
        return Decision(True, LeaseStanding.FREE)
    if alive is False:
        return Decision(True, LeaseStanding.ORPHANED)
    if not running and record.expires is not None and record.expires <= now:
        return Decision(True, LeaseStanding.EXPIRED)
    return Decision(take_over, LeaseStanding.LIVE)


def explain_refusal(where: str, record: LeaseRecord | None, now: float) -> tuple[str, str]:
    """Return the message and the hint for a run that may not write."""
    who = record.describe(now) if record else "an unknown holder"
    return (
        f"another run is changing the site: {who}",
        "Wait until that run has ended, then run the same command again. If it hangs or its "
        f"machine is lost, add {TAKE_OVER}: the other run then stops before its next change. "
        f"Lease: {where}",
    )


@dataclass(frozen=True, slots=True)
class AcquiredLease:
    """How a lease was come by.

    Attributes:
        record: the lease, now ours.
        standing: what it was found to be.
        previous: whose lease was taken over; None if it was free.
        where: the store that holds it.
    """

    record: LeaseRecord
    standing: LeaseStanding
    previous: LeaseRecord | None
    where: str


@dataclass(frozen=True, slots=True)
class LeaseState:
    """The state of a lease, read without acquiring it.

    Attributes:
        record: whose it is or was; None if it is free, or its holder did not say.
    """

    standing: LeaseStanding
    record: LeaseRecord | None = None
