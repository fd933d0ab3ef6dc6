"""The tool's arithmetic, and a short run of each row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from erfailover.lab.engine.cloud import TraceEntry
from erfailover.model.history import RunRecord
from tests.support.watched import STARTED
from tests.tools.bench.worlds import Worlds
from tests.tools.watch_numbers import day as days
from tests.tools.watch_numbers import report
from tests.tools.watch_numbers.__main__ import main
from tests.tools.watch_numbers.day import Day, Failure, draw_failures, draw_troubles, judge
from tests.tools.watch_numbers.outages import Outage, measure_outage
from tests.tools.watch_numbers.report import Measured, compute_percentile, judge_targets, place
from tests.tools.watch_numbers.request_counts import (
    Requests,
    count_most,
    measure_requests,
    summarize,
)
from tests.tools.watch_numbers.singles import CASES, Single, measure_single

NETWORK = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/x"


def build_outage(seconds: float, seed: int = 1, interval_s: float = 30.0) -> Outage:
    return Outage(seed, interval_s, 180.0, seconds, 10.0, 20.0, 0.0, seconds - 30.0)


def build_switch(at: float, target: str, outcome: str = "done") -> RunRecord:
    began = datetime.fromtimestamp(STARTED + at, UTC).isoformat()
    return RunRecord(f"r{at}", "switch", began, target=target, outcome=outcome)


@pytest.mark.parametrize(
    ("seconds", "holds"),
    [([50.0] * 50, True), ([61.0] * 50, False), ([50.0] * 47 + [91.0] * 3, False)],
)
def test_the_outage_has_a_median_and_a_percentile_to_hold(
    seconds: list[float], holds: bool
) -> None:
    outages = [build_outage(value, seed) for seed, value in enumerate(seconds)]
    (target,) = judge_targets(Measured(outages))
    assert target.holds is holds
    assert ("MISSED" in target.line) is not holds


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert compute_percentile(range(1, 101), 0.95) == 95
    assert compute_percentile([7.0], 0.95) == 7.0


def test_the_most_requests_of_any_five_minutes_count() -> None:
    assert count_most([0.0, 100.0, 299.0, 300.0, 301.0, 900.0]) == 4
    assert count_most([]) == 0
    entries = [
        TraceEntry(1.0, "POST", f"{NETWORK}/getLearnedRoutes", 202, "", False),
        TraceEntry(2.0, "GET", NETWORK, 200, "", False),
        TraceEntry(3.0, "POST", "/providers/Microsoft.Compute/x/runCommand", 202, "", False),
    ]
    row = summarize("a site", 1.0, entries)
    assert (row.writes, row.reads, row.others) == (1, 1, 1)


@pytest.mark.parametrize(
    ("writes", "standby", "held"), [(50, 0, [True, True]), (51, 1, [False, False])]
)
def test_too_many_requests_are_a_missed_target(writes: int, standby: int, held: list[bool]) -> None:
    row = Requests("a site", 30.0, writes, 10, 0, standby)
    assert [target.holds for target in judge_targets(Measured(requests=[row]))] == held


FAILURE = Failure(1000.0, 5000.0)


@pytest.mark.parametrize(
    ("switches", "wrong", "missed"),
    [
        ([(1100.0, "ipsec"), (5300.0, "expressroute")], 0, 0),
        ([(900.0, "ipsec")], 1, 1),
        ([(1100.0, "ipsec"), (4000.0, "expressroute")], 1, 0),
        ([(1100.0, "ipsec"), (6000.0, "ipsec")], 1, 0),
        ([(2900.0, "ipsec")], 0, 1),
        ([], 0, 1),
    ],
)
def test_a_day_knows_what_was_wrong_and_missed(
    switches: list[tuple[float, str]], wrong: int, missed: int
) -> None:
    day = judge([FAILURE], [build_switch(*switch) for switch in switches], 2.0)
    assert (len(day.wrong), len(day.missed)) == (wrong, missed)
    assert judge_targets(Measured(days=[day]))[0].holds is not bool(wrong or missed)


def test_memory_that_grows_is_a_missed_target() -> None:
    day = Day(1, 24.0, memory=[100.0, 105.0, 111.0])
    assert [target.holds for target in judge_targets(Measured(days=[day]))] == [True, False]


@pytest.mark.parametrize("hours", [1.0, 6.0, 24.0])
def test_the_script_of_a_day_fits_into_it(hours: float) -> None:
    for seed in range(20):
        chance = Random(seed)
        failures, troubles = draw_failures(chance, hours), draw_troubles(chance, hours)
        end = 0.0
        for failure in failures:
            assert end < failure.began < failure.repaired < hours * 3600.0
            end = failure.repaired
        assert all(trouble.ended <= hours * 3600.0 for trouble in troubles)
        assert all(days.build_faults(trouble.name) for trouble in troubles)


@pytest.mark.parametrize(("switches", "recovers"), [(1, True), (0, False)])
def test_a_switch_for_one_signal_is_a_missed_target(switches: int, recovers: bool) -> None:
    single = Single("the probes fail", 1.0, ("SUSPECT",), switches, recovers)
    assert not judge_targets(Measured(singles=[single]))[0].holds


def test_tables_go_between_their_marks(tmp_path: Path) -> None:
    page = tmp_path / report.DOCUMENT
    measured = Measured([build_outage(50.0)], requests=[Requests("a site", 30.0, 50, 10, 0, 0)])
    report.write(measured, tmp_path)
    first = page.read_text()
    assert first.startswith("# Watching\n")
    assert first.count("<!-- watch-outages -->") == first.count("<!-- watch-requests -->") == 1
    report.write(Measured([build_outage(40.0)]), tmp_path)
    assert "| 40 s |" in page.read_text()
    assert "| 50 s |" not in page.read_text()
    assert "| a site |" in page.read_text()


def test_a_mark_without_its_end_is_not_written_over() -> None:
    with pytest.raises(ValueError, match="expected <!-- /x -->"):
        place("<!-- x -->\nand more", "x", "table")


def test_totals_are_read_from_the_metrics() -> None:
    text = '# HELP a_total x\na_total{site="s",result="r"} 2.0\na_total{site="t"} 3.0\nb 4.0\n'
    assert days.parse_totals(text) == {"a_total": 5}


def test_memory_is_what_is_held() -> None:
    before = days.read_memory_mb()
    held = [bytes(1000) for _ in range(50_000)]
    assert days.read_memory_mb() - before > 40.0
    held.clear()
    assert days.read_memory_mb() - before < 10.0


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    result = Worlds()
    yield result
    result.close()


@pytest.mark.slow
def test_an_outage_is_the_sum_of_its_parts(worlds: Worlds) -> None:
    outage = measure_outage(worlds, 3, 10.0)
    parts = outage.wait_s + outage.reading_s + outage.plan_s + outage.write_s
    assert outage.outage_s == pytest.approx(parts)
    assert outage.hidden_s == pytest.approx(180.0, abs=1.0)
    assert 15.0 < outage.outage_s < 60.0
    assert outage.states[-1] == "FAILED"


@pytest.mark.slow
def test_requests_of_five_minutes(worlds: Worlds) -> None:
    rows = measure_requests(worlds, 5.0)
    assert [row.writes <= 50 and row.standby == 0 for row in rows] == [True, True, True]
    assert [row.writes for row in rows] == sorted(row.writes for row in rows)


@pytest.mark.slow
def test_a_single_signal_for_ten_minutes(worlds: Worlds) -> None:
    single = measure_single(worlds, CASES[3], 1 / 6)
    assert (single.switches, single.recovers) == (0, True)
    assert single.states == ("SUSPECT", "DEGRADED")


@pytest.mark.slow
def test_every_single_signal(worlds: Worlds) -> None:
    for case in CASES:
        single = measure_single(worlds, case, 0.25)
        assert (single.switches, single.recovers) == (0, True), single


@pytest.mark.slow
def test_two_hours_of_the_whole_process(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rows", "day", "--hours", "2", "--first-seed", "5"]) == 0
    assert "0 wrong switches, 0 missed failures" in capsys.readouterr().out
