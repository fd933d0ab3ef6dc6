"""How many failovers of a watch failed in a row."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from erfailover.model.history import RunRecord
from erfailover.planning.watch.history import AUTOMATIC_REASON, count_failed_failovers

NOW = datetime(2026, 11, 29, tzinfo=UTC).timestamp()


def make_run(ago_s: float, outcome: str, reason: str = AUTOMATIC_REASON) -> RunRecord:
    began = datetime.fromtimestamp(NOW - ago_s, UTC).isoformat()
    return RunRecord("r", "switch", began, target="ipsec", outcome=outcome, reason=reason)


def test_failed_runs_count_back_to_the_last_success_and_to_the_moment() -> None:
    runs = [make_run(1200, "failed"), make_run(600, "failed"), make_run(300, "failed")]
    assert count_failed_failovers(runs, NOW - 1800) == 3
    assert count_failed_failovers(runs, NOW - 900) == 2
    assert count_failed_failovers([*runs, make_run(60, "done")], NOW - 1800) == 0
    assert count_failed_failovers([*runs, make_run(60, "failed", "by hand")], NOW - 1800) == 0
    completing = replace(make_run(60, "done"), completes="r")
    assert count_failed_failovers([*runs, completing], NOW - 1800) == 3
    assert count_failed_failovers([make_run(90, "done"), make_run(60, "failed")], 0.0) == 1
