"""Whether the last run of a watch is resumed: one that was cut off, or that failed. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from erfailover.model.history import RunRecord, find_owed, find_unfinished, is_cut_off
from erfailover.model.site import Path
from erfailover.model.watch import Signal, SignalStatus, WatchReading, WatchState
from erfailover.planning.watch.history import is_by_watch
from erfailover.planning.watch.memory import Memory

REPEATED_IN = (WatchState.FAILED, WatchState.ON_BACKUP, WatchState.RECOVERING)
"""The states in which a failover that failed begins again."""


def find_run_to_resume(
    runs: Sequence[RunRecord],
    reading: WatchReading,
    memory: Memory,
    tries: int,
    failed: int,
) -> RunRecord | None:
    """Return the last run if a watch made it and it is to be resumed.

    Args:
        runs: of the site, oldest first.
        reading: the last reading.
        memory: what is remembered.
        tries: how often a failover may fail in a row; 0 if none may begin again.
        failed: how often one has failed in a row, as ``count_failed_failovers`` tells.
    """
    last = find_unfinished(runs)
    if last is None or not all(map(is_by_watch, (last, runs[-1]))):
        return None
    if find_owed(runs) is not None or (is_cut_off(runs) and not _may_wait(last, reading)):
        return last
    is_down = memory.state in REPEATED_IN or reading.shows_only_failure
    return last if is_down and memory.locked_out is None and 0 < failed < tries else None


def _may_wait(run: RunRecord, reading: WatchReading) -> bool:
    """Return whether the path that a failover leaves carries the spokes that are still on it.

    The switch would be refused; they are moved once that path fails.
    """
    carries = reading.signals[Signal.GATEWAY].status is SignalStatus.UP
    return run.target == Path.IPSEC and carries and reading.is_on_primary
