"""When the last drill was, and whether the next is due. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from erfailover.model.durations import DAY_S, format_duration
from erfailover.model.history import DRILL_RUN, RunRecord

OVER = (DRILL_RUN, "drill stop")
"""The commands with whose end a drill is over."""


@dataclass(frozen=True, slots=True)
class LastDrill:
    """A drill that is over.

    Attributes:
        at: when it ended, in seconds since 1970.
        run: the id of its run; for ``drill stop``, of that one.
        command: what was run: ``drill run --canary vnet1``, ``drill stop``.
        succeeded: for ``drill run``, whether the backup path carried the spokes and the way back
            was verified; for ``drill stop``, whether the primary path was repaired.
        message: why it failed; empty if it succeeded.
    """

    at: float
    run: str
    command: str
    succeeded: bool
    message: str = ""

    def describe(self, now: float) -> str:
        """Return when it was and how it ended, for a notification.

        Args:
            now: in seconds since 1970.
        """
        age = format_duration(max(0.0, now - self.at))
        end = "succeeded" if self.succeeded else f"FAILED: {self.message or 'no reason recorded'}"
        return f"{self.command} (run {self.run}), {age} ago, {end}"


def find_last_drill(runs: Iterable[RunRecord], *, succeeded: bool = False) -> LastDrill | None:
    """Return the last drill that is over; None if there is none.

    A drill that was refused left no run. One that died, or that moved no spoke and failed, is
    not over or did not take place.

    Args:
        runs: the runs of the site, oldest first.
        succeeded: only a drill that succeeded.
    """
    last = None
    for run in runs:
        at = _parse_moment(run.ended)
        is_over = run.command in OVER and run.outcome in ("done", "failed") and at is not None
        has_moved = run.command != DRILL_RUN or bool(run.result.get("there"))
        if not is_over or not has_moved or (succeeded and run.outcome != "done"):
            continue
        last = LastDrill(at or 0.0, run.id, run.brief, run.outcome == "done", run.message or "")
    return last


def is_due(last: LastDrill | None, now: float, days: int) -> bool:
    """Return whether a drill is due.

    Args:
        last: the last drill that counts; None if there was none: then one is due.
        now: in seconds since 1970.
        days: how many days after a drill the next is due; 0 for never.
    """
    return days > 0 and (last is None or now - last.at >= days * DAY_S)


def describe_due(last: LastDrill | None, now: float, days: int) -> str:
    """Return that a drill is due, with the command, for a notification.

    Args:
        last: the last drill that succeeded; None if there was none.
        now: in seconds since 1970.
        days: how many days after a drill the next is due.
    """
    which = f"the last one that succeeded was {last.describe(now)}" if last else "none is recorded"
    return (
        f"A drill is due every {'day' if days == 1 else f'{days} days'}; {which}. To prove the "
        "backup path: erfailover drill run --canary SPOKE"
    )


def _parse_moment(text: str | None) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except ValueError:
        return None
