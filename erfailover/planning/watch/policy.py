"""Whether ``erfailover watch`` may switch now, and if not, why. Pure.

What keeps it from switching is in one table, ``RULES``; the first that applies is the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from erfailover.model.counting import format_count
from erfailover.model.durations import DAY_S, format_duration
from erfailover.model.site import Path
from erfailover.model.watch import Pause, SignalStatus, WatchReading, WatchState
from erfailover.model.watch_settings import Watch
from erfailover.planning.watch.detector import Step
from erfailover.planning.watch.history import SwitchHistory
from erfailover.planning.watch.memory import Memory
from erfailover.planning.watch.windows import find_window


class Action(StrEnum):
    """What is to be done now."""

    NOTHING = "nothing"
    REQUEST_APPROVAL = "request approval"
    SWITCH = "switch"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done.

    Attributes:
        target: the path that the state calls for; None if the spokes stay where they are.
        withheld: why nothing is done although a switch is called for; None if it is done, or
            none is called for.
        rule: the name of the rule that withheld it.
        locks_out: whether nothing is to be switched from now on until an operator resumes.
    """

    target: Path | None = None
    action: Action = Action.NOTHING
    withheld: str | None = None
    rule: str | None = None
    locks_out: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """What a rule decides on. ``now`` is wall time in seconds since 1970."""

    target: Path
    memory: Memory
    reading: WatchReading
    rules: Watch
    history: SwitchHistory
    now: float
    pause: Pause | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason not to switch.

    Attributes:
        name: what events and tests call it.
        explain: returns the reason in words; None if the rule does not apply.
        locks_out: whether nothing is switched from then on until an operator resumes.
    """

    name: str
    explain: Callable[[Case], str | None]
    locks_out: bool = False


def _explain_mode(case: Case) -> str | None:
    if case.rules.mode != "observe":
        return None
    return f"the mode is observe; to switch: erfailover switch --to {case.target}"


def _explain_failback(case: Case) -> str | None:
    if case.target is Path.IPSEC or case.rules.failback == "automatic":
        return None
    return f"failback is manual; to switch back: erfailover switch --to {case.target}"


def _explain_pause(case: Case) -> str | None:
    if case.pause is None or case.pause.is_over(case.now):
        return None
    by = f" by {case.pause.by}" if case.pause.by else ""
    return f"paused{by}: {case.pause.reason}"


def _explain_lockout(case: Case) -> str | None:
    if case.memory.locked_out is None:
        return None
    return f"locked out: {case.memory.locked_out}; to end it: erfailover resume"


def _explain_operator(case: Case) -> str | None:
    run = case.reading.operator_run
    return f"another run holds the site's lease: {run}" if run else None


def _explain_unfinished(case: Case) -> str | None:
    run = case.reading.unfinished_run
    return f"run {run} is unfinished and is completed first" if run else None


def _explain_age(case: Case) -> str | None:
    age_s = case.now - case.reading.at
    if age_s <= case.rules.interval_s:
        return None
    return f"the reading is {format_duration(age_s)} old"


def _explain_cooldown(case: Case) -> str | None:
    ends = (
        (case.history.last_end, case.history.last_run),
        (case.memory.operator_at, "another run"),
    )
    over_s, run = max(
        ((end + case.rules.cooldown_s, run) for end, run in ends if end is not None),
        default=(case.now, ""),
    )
    if over_s <= case.now:
        return None
    return f"the cooldown after {run} lasts {format_duration(max(over_s - case.now, 1))} more"


def _explain_window(case: Case) -> str | None:
    window = find_window(case.rules.maintenance, case.now)
    return f"a maintenance window lasts until {window.end} UTC" if window else None


def _explain_count(case: Case) -> str | None:
    since = max(case.now - DAY_S, case.memory.counted_from)
    switches = case.history.count_automatic(since)
    if switches < case.rules.max_switches_per_day:
        return None
    count = format_count(switches, "automatic switch")
    return f"{count} in 24 hours, and max_switches_per_day is {case.rules.max_switches_per_day}"


def _explain_backup(case: Case) -> str | None:
    backup = case.reading.backup
    if case.target is Path.EXPRESSROUTE or backup.status is SignalStatus.UP:
        return None
    known = "not ready" if backup.status is SignalStatus.DOWN else "not known to be ready"
    return f"the backup is {known}: {backup.reason}"


RULES = (
    Rule("mode", _explain_mode),
    Rule("failback", _explain_failback),
    Rule("paused", _explain_pause),
    Rule("locked out", _explain_lockout),
    Rule("operator's run", _explain_operator),
    Rule("unfinished run", _explain_unfinished),
    Rule("old reading", _explain_age),
    Rule("cooldown", _explain_cooldown),
    Rule("maintenance", _explain_window),
    Rule("switches per day", _explain_count, locks_out=True),
    Rule("backup", _explain_backup),
)
"""The first rule that applies withholds the switch."""


def decide(
    step: Step,
    reading: WatchReading,
    rules: Watch,
    history: SwitchHistory,
    now: float,
    pause: Pause | None = None,
) -> Decision:
    """Return what is to be done after a step of the detector.

    Args:
        step: what the reading led to.
        reading: that reading.
        rules: the watch section of the site.
        history: the runs of the site, read after the reading.
        now: wall time in seconds since 1970.
        pause: the pause that was last read; it may be over.
    """
    target = find_target(step)
    if target is None:
        return Decision()
    case = Case(target, step.memory, reading, rules, history, now, pause)
    for rule in RULES:
        if (why := rule.explain(case)) is not None:
            return Decision(target, Action.NOTHING, why, rule.name, rule.locks_out)
    action = Action.SWITCH if rules.mode == "automatic" else Action.REQUEST_APPROVAL
    return Decision(target, action)


def find_target(step: Step) -> Path | None:
    """Return the path that a state calls for; None if the spokes stay where they are."""
    if step.memory.state is WatchState.FAILED:
        return Path.IPSEC
    return Path.EXPRESSROUTE if step.is_ready_for_failback else None
