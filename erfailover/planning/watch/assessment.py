"""One reading from the detector to the events: state, decision, what to remember. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from erfailover.model.watch import Event, Pause, WatchReading
from erfailover.model.watch_settings import Watch
from erfailover.planning.watch.detector import Step, advance, find_shown_state
from erfailover.planning.watch.events import list_events
from erfailover.planning.watch.history import SwitchHistory
from erfailover.planning.watch.memory import Memory
from erfailover.planning.watch.policy import Decision, decide


@dataclass(frozen=True, slots=True)
class Assessment:
    """What follows from one reading; ``step.memory`` is to be kept before anything is done."""

    step: Step
    decision: Decision
    events: tuple[Event, ...]


def assess(
    site: str,
    memory: Memory,
    reading: WatchReading,
    rules: Watch,
    hold_time_s: float,
    history: SwitchHistory,
    now: float,
    pause: Pause | None = None,
) -> Assessment:
    """Return what follows from one reading.

    Args:
        site: the site's name.
        memory: what is remembered.
        reading: the new reading.
        rules: the watch section of the site.
        hold_time_s: ``timing.failback_hold_time_s``.
        history: the runs of the site, read after the reading.
        now: wall time in seconds since 1970.
        pause: the pause that was last read; it may be over.
    """
    in_force = None if pause is None or pause.is_over(now) else pause
    step = advance(memory, reading, rules, hold_time_s, in_force)
    decision = decide(step, reading, rules, history, now, in_force)
    after = step.memory
    if decision.locks_out and decision.withheld is not None:
        after = after.lock_out(decision.withheld)
    after = replace(
        after,
        lockout_reported=after.locked_out is not None,
        pause_reported=in_force is not None,
        withheld=decision.rule,
    )
    step = replace(step, memory=after, state=find_shown_state(after, now, in_force))
    return Assessment(step, decision, list_events(site, memory, step, reading, decision, in_force))
