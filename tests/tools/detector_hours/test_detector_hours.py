"""Modelled hours of the detector, and whether the tool notices a detector that is wrong."""

from __future__ import annotations

from random import Random, SystemRandom

import pytest

from erfailover.planning.watch import detector, policy, table
from erfailover.planning.watch.table import Facts
from tests.tools.detector_hours.__main__ import format_summary, main
from tests.tools.detector_hours.simulation import run_hours
from tests.tools.detector_hours.spans import Spans, find_longest_free
from tests.tools.detector_hours.world import build_world

SEED = 5
HOURS = 50


def test_fifty_hours_of_a_known_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--hours", str(HOURS), "--seed", str(SEED)]) == 0
    summary = capsys.readouterr().out
    assert "50 modelled hours, " in summary
    assert f"seed {SEED}" in summary


def test_fifty_hours_of_a_fresh_seed() -> None:
    seed = SystemRandom().randrange(10**9)
    outcome = run_hours(seed, HOURS)
    assert outcome.is_clean, format_summary(seed, outcome)


def test_the_same_seed_repeats_the_same_hours() -> None:
    assert vars(run_hours(SEED, 25)) == vars(run_hours(SEED, 25))


def test_a_known_seed_has_switches_both_ways_and_failures_of_all_kinds() -> None:
    outcome = run_hours(SEED, HOURS)
    assert outcome.switches >= 3
    assert outcome.failbacks >= 2
    assert outcome.failures > outcome.long_failures > 3


def test_one_signal_that_suffices_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "SIGNALS_TO_FAIL", 1)
    assert run_hours(SEED, HOURS).wrong


def test_a_watcher_without_a_witness_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "ROWS", table.ROWS[1:])
    monkeypatch.setattr(Facts, "is_usable", property(lambda facts: facts.is_read))
    assert run_hours(SEED, HOURS).wrong


def test_an_unknown_signal_that_counts_as_down_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        table,
        "ROWS",
        tuple(
            row if row.name != "failure confirmed" else _count_unknown(row) for row in table.ROWS
        ),
    )
    monkeypatch.setattr(
        Facts, "shows_failure", property(lambda facts: facts.down + facts.unknown >= 2)
    )
    assert run_hours(SEED, HOURS).wrong


def _count_unknown(row: table.Row) -> table.Row:
    return table.Row(
        row.name,
        row.when,
        lambda facts: facts.down + facts.unknown >= 2 and facts.is_confirmed,
        row.state,
        row.why,
    )


def test_a_detector_that_never_confirms_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "compute_longest_gap_s", lambda rules: -1.0)
    outcome = run_hours(SEED, HOURS)
    assert outcome.missed
    assert not outcome.switches


@pytest.mark.parametrize(
    ("rule", "seed"), [("cooldown", 1), ("switches per day", 1), ("maintenance", 2), ("paused", 1)]
)
def test_a_limit_that_is_not_kept_is_noticed(
    rule: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "RULES", tuple(r for r in policy.RULES if r.name != rule))
    assert run_hours(seed, 2 * HOURS).forbidden


def test_no_two_signals_lie_at_the_same_moment() -> None:
    for seed in range(20):
        world = build_world(Random(seed), 25)
        for signal, lies in world.lies.items():
            for other, others in world.lies.items():
                if other is not signal:
                    assert not any(others.touches(a - 30, b + 30) for a, b in lies.spans)


def test_spans() -> None:
    spans = Spans([(5, 7), (1, 2), (2, 3), (9, 9)])
    assert spans.spans == [(1, 3), (5, 7)]
    assert [spans.holds(at) for at in (0.9, 1, 2.9, 3, 5)] == [False, True, True, False, True]
    assert spans.touches(3.5, 5)
    assert not spans.touches(3, 4.9)
    assert spans.clip(2, 6) == [(2, 3), (5, 6)]
    assert find_longest_free((0, 10), [spans, Spans([(8, 9)])]) == (3, 5)
    assert find_longest_free((1, 3), [spans]) in [(1, 1), (3, 3)]
