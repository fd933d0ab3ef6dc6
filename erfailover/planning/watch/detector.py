"""The detector of ``erfailover watch``: which state a site is in, reading by reading. Pure.

The state is decided by the table in ``planning.watch.table``. This module makes its facts of the
reading and of what is remembered of earlier ones, and remembers what the next reading needs.

Rules
    1. FAILED needs two signals that are down in the same reading, in two readings at least
       ``confirm_after_s`` apart. Between them, no reading may have refuted it: too few signals
       down even if all unknown ones were. Two such readings further apart than
       ``compute_longest_gap_s`` are unrelated.
    2. What is unknown neither confirms nor refutes: not a failure, and not a recovery.
    3. A watcher that does not reach its witness judges nothing.
    4. Redundancy, Azure's metrics and Resource Health are warnings. They cause DEGRADED and no
       other state: they lag by minutes.
    5. PAUSED and LOCKED_OUT only cover the state. It is still computed, so that what happened
       meanwhile is known at their end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from erfailover.model.durations import format_duration
from erfailover.model.watch import Pause, SignalStatus, WatchReading, WatchState
from erfailover.model.watch_settings import Watch
from erfailover.planning.watch.memory import Memory
from erfailover.planning.watch.table import Facts, Row, decide_row

GAP_INTERVALS, GAP_S = 2, 60.0


def compute_longest_gap_s(rules: Watch) -> float:
    """Return how far apart two readings may be to belong together, in seconds."""
    return GAP_INTERVALS * rules.interval_s + GAP_S


@dataclass(frozen=True, slots=True)
class Step:
    """What one reading leads to.

    Attributes:
        memory: to be given to the next step.
        state: to be shown: the state of the memory, or PAUSED or LOCKED_OUT over it.
        next_reading_in_s: when to read next, after the start of this reading; at once if it took
            longer.
        reason: why, for people.
        row: the name of the row that decided.
        is_ready_for_failback: whether every signal has been up for the hold time.
    """

    memory: Memory
    state: WatchState
    next_reading_in_s: float
    reason: str
    row: str = ""
    is_ready_for_failback: bool = False


def advance(
    memory: Memory,
    reading: WatchReading,
    rules: Watch,
    hold_time_s: float,
    pause: Pause | None = None,
) -> Step:
    """Return what follows from one more reading.

    Args:
        memory: what is remembered. If the reading is earlier than the last (a clock was set back,
            another machine reads), every sequence of readings begins anew.
        reading: the new reading.
        rules: the watch section of the site.
        hold_time_s: how long every signal must be up before a failback, in seconds.
        pause: the pause that was last read; it may be over.
    """
    if memory.at is not None and reading.at < memory.at:
        memory = _forget_sequences(memory, reading.at)
    facts, memory = _build_facts(memory, reading, rules)
    row = decide_row(facts)
    memory = _remember(memory, row, facts, reading, rules)
    held_s = reading.at - memory.up_since if memory.up_since is not None else 0.0
    recovering = row.state is WatchState.RECOVERING
    soon = row.state is WatchState.SUSPECT
    return Step(
        memory,
        find_shown_state(memory, reading.at, pause),
        rules.confirm_after_s if soon else rules.interval_s,
        _explain(row, reading, _describe_hold(held_s, hold_time_s) if recovering else ""),
        row.name,
        recovering and held_s >= hold_time_s,
    )


def find_shown_state(memory: Memory, now: float, pause: Pause | None) -> WatchState:
    """Return the state to show: a lockout or a pause covers that of the memory."""
    if memory.locked_out is not None:
        return WatchState.LOCKED_OUT
    if pause is not None and not pause.is_over(now):
        return WatchState.PAUSED
    return memory.state


def _forget_sequences(memory: Memory, at: float) -> Memory:
    """Return the same without what only successive readings show; the rest began by ``at``."""
    unread, backup = memory.unread_since, memory.backup_since
    return replace(
        memory,
        failing_since=None,
        failing_at=None,
        up_since=None,
        up_at=None,
        unread_since=None if unread is None else min(unread, at),
        backup_since=backup if backup is None or memory.backup_reported else min(backup, at),
    )


def _build_facts(memory: Memory, reading: WatchReading, rules: Watch) -> tuple[Facts, Memory]:
    """Return the facts, and the memory with the sequences that this reading continues or ends."""
    at, gap_s = reading.at, compute_longest_gap_s(rules)
    statuses = [observation.status for observation in reading.signals.values()]
    facts = Facts(
        witness=reading.witness.status,
        is_read=any(spoke.path != "unknown" for spoke in reading.spokes),
        on_backup=reading.is_on_backup and not reading.is_on_primary,
        up=statuses.count(SignalStatus.UP),
        down=statuses.count(SignalStatus.DOWN),
        unknown=statuses.count(SignalStatus.UNKNOWN),
        quick=memory.quick,
        backup=reading.backup.status,
        is_stranded=bool(reading.without_path),
        has_warnings=bool(reading.warnings),
    )
    failing = _continue(
        (memory.failing_since, memory.failing_at),
        at,
        gap_s,
        counts=facts.shows_failure,
        ends=facts.refutes_failure,
    )
    up = _continue(
        (memory.up_since, memory.up_at),
        at,
        gap_s,
        counts=facts.all_up,
        ends=facts.is_usable and facts.down > 0,
    )
    whole = facts.is_usable and not facts.unknown and facts.backup is not SignalStatus.UNKNOWN
    unread = None if whole else _keep_first(memory.unread_since, at)
    memory = replace(
        memory,
        failing_since=failing[0],
        failing_at=failing[1],
        up_since=up[0],
        up_at=up[1],
        unread_since=unread,
    )
    confirmed = failing[0] is not None and at - failing[0] >= rules.confirm_after_s
    blind = unread is not None and at - unread > gap_s
    return replace(facts, is_confirmed=confirmed and facts.shows_failure, is_blind=blind), memory


_Sequence = tuple[float | None, float | None]
"""The first and the last of successive readings that show the same."""


def _continue(
    sequence: _Sequence, at: float, gap_s: float, *, counts: bool, ends: bool
) -> _Sequence:
    """Return a sequence after one more reading; one that neither counts nor ends changes nothing.

    Args:
        sequence: so far.
        at: when the reading ended.
        gap_s: how far apart two readings of a sequence may be.
        counts: whether the reading belongs to it.
        ends: whether the reading refutes it.
    """
    since, last = sequence
    if counts:
        goes_on = since is not None and last is not None and at - last <= gap_s
        return (since if goes_on else at), at
    return (None, None) if ends else sequence


def _keep_first(since: float | None, at: float) -> float:
    return at if since is None else since


def _remember(
    memory: Memory, row: Row, facts: Facts, reading: WatchReading, rules: Watch
) -> Memory:
    at, state = reading.at, row.state
    changed = state is not memory.state or memory.at is None
    since = at if changed else min(memory.since, at)
    quick = memory.quick
    if facts.is_usable and facts.down == 0 and facts.up:
        quick = 0
    elif state is WatchState.SUSPECT and facts.down == 1:
        quick += 1
    backup_since = memory.backup_since
    if facts.is_usable:
        ready = facts.backup is SignalStatus.UP
        backup_since = None if ready else _keep_first(backup_since, at)
    reported = backup_since is not None and (
        memory.backup_reported
        or (facts.is_usable and at - backup_since >= rules.backup_not_ready_s)
    )
    unknown = state is WatchState.UNKNOWN
    return replace(
        memory,
        state=state,
        since=since,
        at=at,
        quick=quick,
        backup_since=backup_since,
        backup_reported=reported,
        unknown_reported=unknown and at - since > compute_longest_gap_s(rules),
        incident=None if state is WatchState.HEALTHY else _keep_first(memory.incident, at),
        operator_at=at if reading.operator_run else memory.operator_at,
    )


def _explain(row: Row, reading: WatchReading, more: str) -> str:
    quoted = "; ".join(dict.fromkeys(row.quote(reading)))
    return "; ".join(filter(None, (f"{row.why}: {quoted}" if quoted else row.why, more)))


def _describe_hold(held_s: float, hold_time_s: float) -> str:
    if held_s >= hold_time_s:
        return f"ready for a switch back: up for {format_duration(held_s)}"
    return f"up for {format_duration(held_s)} of {format_duration(hold_time_s)}"
