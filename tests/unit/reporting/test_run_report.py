"""The report of a run, made of its journal alone: of few spokes and many, whole and broken off."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from erfailover.errors import UsageFailure
from erfailover.model.history import RunRecord, collect_runs
from erfailover.model.site import Path
from erfailover.planning.health import judge
from erfailover.reporting.diagram import drawing
from erfailover.reporting.run import data as run_data
from erfailover.reporting.run import history, html, site_state, timeline
from erfailover.reporting.run import text as run_text
from erfailover.reporting.run.report import Part, RunReport
from erfailover.reporting.run.timeline_svg import format_tick, round_step
from erfailover.reporting.topology.build import build_picture
from tests.support.pages import check_page
from tests.support.schemas import hold
from tests.support.sites import make_snapshot, make_state, site

EVIL = "vnet<script>alert(1)</script>&'\""


def format_moment(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"2026-11-23T02:{int(minutes):02d}:{rest:06.3f}Z"


def step(
    task: str, title: str, began_s: float, ended_s: float | None, event: str = "done"
) -> list[dict[str, Any]]:
    """The records of a step; ``ended_s`` None where its end was not recorded."""
    resource = f"/x/virtualNetworkPeerings/{task}"
    records: list[dict[str, Any]] = [
        {
            "event": "intent",
            "task": task,
            "title": title,
            "at": format_moment(began_s),
            "at_s": began_s,
        },
        {"event": "accepted", "correlation_id": f"id-of-{task}", "resource": resource},
    ]
    records[0] |= {"change": "update", "resource": resource}
    if ended_s is not None:
        records.append(
            {"event": event, "task": task, "at": format_moment(ended_s), "at_s": ended_s}
        )
    return records


def run(
    *records: dict[str, Any], result: dict[str, Any] | None = None, outcome: str | None = "done"
) -> RunRecord:
    """A run of a switch with these records; one that died without an outcome."""
    begun = {
        "event": "begun",
        "command": "switch",
        "to": "ipsec",
        "site": "poc",
        "at": format_moment(0),
    }
    whole = [{**begun, "who": "anna", "host": "ops1", "pid": 1, "digest": "d"}, *records]
    if outcome:
        end = {"event": "ended", "outcome": outcome, "at": format_moment(90), "at_s": 90.0}
        whole.append({**end, "result": result or {}})
    (run_record,) = collect_runs({"run": "0123456789ab", **row} for row in whole)
    return run_record


def make_switch_run(names: list[str]) -> RunRecord:
    """A switch of many spokes, each a little slower than the one before."""
    records: list[dict[str, Any]] = []
    gates: dict[str, float] = {}
    by_name: dict[str, float] = {}
    for number, name in enumerate(names):
        records += step(f"{name}/3", f"3. stop using it from {name}", 10.0, 20.0)
        records += step(f"{name}/4", f"4. use it from {name}", 20.0, 30.0 + number / 10)
        gates[name], by_name[name] = 12.0, 40.0 + number / 10
    result = {
        "site": "poc",
        "to": "ipsec",
        "verified": True,
        "spokes": names,
        "gates_s": gates,
        "spokes_s": by_name,
        "failed": {},
        "decision_s": 9.0,
        "control_plane_s": 45.0,
        "data_plane_s": 55.0,
        "verified_s": 80.0,
        "routes": [{"spoke": name, "verdict": "HOLDS", "seen": f"{name} ok"} for name in names],
        "probes": [],
        "gateway": "vng2",
    }
    return run(*records, result=result)


def test_of_many_spokes_the_slowest_are_drawn_and_all_are_in_a_table() -> None:
    names = [f"spoke{number:03d}" for number in range(100)]
    report = RunReport(make_switch_run(names))
    assert report.headline == "poc is on IPsec; verified."
    page = html.render_page(report)
    text = check_page(page)
    assert "<details><summary>All 100 spokes</summary>" in page
    drawn = {
        name for name in names if f"from {name}: from" in (timeline.draw_timeline(report) or "")
    }
    assert drawn == set(names[-timeline.MOST :])
    assert "80 more in the tables below" in text
    assert all(name in text for name in names)
    message = run_text.format_text(report)
    assert "Longest without a path, of 100 spokes" in message
    assert "spoke099 (2 s to 40 s)" in message
    assert len(message.splitlines()) < 60
    assert max(map(len, message.splitlines())) < 80
    (outage,) = report.outages
    assert (outage.what, outage.longest_s) == ("spoke099", 37.9)


def test_names_and_messages_are_escaped_wherever_they_stand() -> None:
    page = html.render_page(RunReport(make_switch_run([EVIL])))
    assert EVIL in check_page(page).replace("\xa0", " ")
    assert "<script" not in page


def test_a_run_that_died_is_told_from_its_steps_alone() -> None:
    records = [
        *step("vnet1/2", "2. have it ready", 1.0, 5.0),
        *step("vnet1/3", "3. stop using it from vnet1", 5.0, 9.0),
        *step("vnet1/4", "4. use it from vnet1", 9.0, None),
    ]
    report = RunReport(run(*records, outcome=None))
    assert report.headline == (
        "poc was NOT switched to IPsec; 1 NO PATH (disconnected from both gateways). Its "
        "end was not recorded."
    )
    text = run_text.format_text(report)
    assert "Outage: unknown. vnet1 was disconnected 4 s after the first write" in text
    assert "NOT FINISHED: 4. use it from vnet1" in text
    assert "To resume:  erfailover switch --to ipsec" in text
    assert "To go back: erfailover switch --undo" in text
    check_page(html.render_page(report))
    data = run_data.build_data(report)
    hold("report", json.dumps(data))
    assert (data["outcome"], data["ended"], data["changed"]) == ("open", None, ["2", "3"])
    assert [item["ended_s"] for item in data["steps"]] == [5.0, 9.0, None]


def test_a_journal_without_seconds_is_read_by_its_dates() -> None:
    old = [
        {key: value for key, value in row.items() if key != "at_s"}
        for row in step("vnet1/3", "3. stop using it", 5.0, 9.5)
    ]
    (result,) = RunReport(run(*old)).steps
    assert (result.began_s, result.ended_s) == (5.0, 9.5)


@pytest.mark.parametrize(
    ("label", "part"),
    [
        *(("1", "prepare"), ("2", "prepare"), ("3", "break"), ("4", "make")),
        *(("5", "afterwards"), ("6", "afterwards"), ("7", "afterwards")),
        ("12", "afterwards"),  # of a version with more steps
        *(("back1", "take back"), ("prepared", "other")),
    ],
)
def test_what_a_step_was_for_is_read_from_its_number_in_the_journal(label: str, part: str) -> None:
    (result,) = RunReport(run(*step(f"vnet1/{label}", "a step", 5.0, 9.5))).steps
    assert str(result.part) == part


@pytest.mark.parametrize(
    "words",
    [
        "refused; rolled back: vnet1 uses its previous gateway again",
        "refused; taken back: it uses the gateway of the path it was on again",
    ],
)
def test_a_rollback_is_reported_whatever_words_the_journal_has_for_it(words: str) -> None:
    """Older journals say "taken back", and have one end for the make and what took it back."""
    *make, failed = step("vnet1/4", "4. connect vnet1", 9.0, 20.0)
    records = [
        *step("vnet1/3", "3. disconnect vnet1", 5.0, 9.0),
        *make,
        step("vnet1/back1", "take back 3. disconnect vnet1", 12.0, 20.0)[0],
        {**failed, "event": "failed", "note": words},
    ]
    result = {"spokes": ["vnet1"], "failed": {"vnet1": words}}
    report = RunReport(run(*records, result=result, outcome="failed"))
    (spoke,) = report.spokes
    assert (spoke.state, spoke.back_s) == ("rolled back to ExpressRoute", 20.0)
    (back,) = [item for item in report.steps if item.part is Part.ROLLBACK]
    assert (back.record.outcome, back.ended_s) == ("done", 20.0)


def test_a_run_that_is_no_switch_has_a_page_of_its_steps() -> None:
    runs = collect_runs(
        {"run": "0123456789ab", **row}
        for row in (
            {"event": "begun", "command": "provision", "site": "poc", "at": format_moment(0)},
            *step("a", "gateway vng1", 1.0, 60.0),
            {"event": "ended", "outcome": "done", "at": format_moment(61)},
        )
    )
    hold("run-report", json.dumps(run_data.build_data(RunReport(runs[0]))))
    text = check_page(html.render_page(RunReport(runs[0])))
    assert "provision of poc: done." in text
    assert "gateway vng1" in text
    assert "erfailover destroy" in text


def test_a_run_without_steps_has_a_page_without_a_picture() -> None:
    report = RunReport(run(result={"spokes": ["vnet1"], "verified": True}))
    assert timeline.draw_timeline(report) is None
    text = check_page(html.render_page(report))
    assert "poc is on IPsec; verified." in text
    assert "No changes were needed." in run_text.format_text(report)


def test_the_timeline_tells_without_colours_what_each_bar_is() -> None:
    picture = timeline.draw_timeline(RunReport(make_switch_run(["vnet1"]))) or ""
    labels = re.findall(r'class="in">([^<]+)<', picture)
    assert labels == ["3", "4"]
    assert "without a path from 2.0 s, for 28.0 s" in picture
    for text in (
        "3 break",
        "4 make",
        "without a path",
        "plan confirmed 0 s",
        "verified 1 min 10 s",
    ):
        assert text in picture


@pytest.mark.parametrize(("desired", "step_s"), [(0.1, 0.5), (3, 5), (11, 15), (61, 120)])
def test_the_axis_has_round_steps(desired: float, step_s: float) -> None:
    assert round_step(desired) == step_s


@pytest.mark.parametrize(
    ("at_s", "text"),
    [(0.0, "0 s"), (2.5, "2.5 s"), (75.0, "1 min 15 s"), (120.0, "2 min"), (-90.0, "-1 min 30 s")],
)
def test_a_moment_on_the_axis_is_a_duration_like_any_other(at_s: float, text: str) -> None:
    assert format_tick(at_s) == text


def test_the_plan_is_confirmed_before_the_first_step_although_its_time_is_rounded() -> None:
    records = step("vnet1/1", "1. allow vnet1 to use the gateway in vnet3", 5.97, 9.0)
    records += step("vnet1/3", "3. disconnect vnet1", 9.2, 11.0)
    result = {"spokes": ["vnet1"], "decision_s": 6.0, "gates_s": {"vnet1": 9.2}, "verified": True}
    lines = run_text.format_text(RunReport(run(*records, result=result))).splitlines()
    begin = lines.index("Timeline (since the first write, 6 s after the command began)") + 1
    assert "plan confirmed" in lines[begin]
    assert "1. allow vnet1" in lines[begin + 1]
    assert "disconnected" in lines[begin + 2]
    assert "3. disconnect vnet1" in lines[begin + 3]


def test_times_count_from_the_first_write_and_the_answer_is_not_part_of_the_decision() -> None:
    records = [
        *step("vnet1/2", "2. prepare it", 310.04, 315.0),
        *step("vnet1/3", "3. break", 320.0, 325.0),
        *step("vnet1/4", "4. make", 325.0, 330.0),
    ]
    result = {
        "spokes": ["vnet1"],
        "verified": True,
        "decision_s": 310.1,
        "answer_s": 300.0,
        "control_plane_s": 330.0,
        "data_plane_s": 340.0,
        "verified_s": 410.0,
        "gates_s": {"vnet1": 319.0},
        "spokes_s": {"vnet1": 340.0},
    }
    report = RunReport(run(*records, result=result))
    assert report.first_write_s == 310.04
    assert report.decided_in_s == pytest.approx(10.1)
    page = html.render_page(report)
    tiles = re.findall(r"<div><b>([^<]+)</b>([^<:,]+)", page)
    assert [(number, what.strip()) for number, what in tiles] == [
        ("21 s", "outage"),
        ("1 of 1", "spokes switched"),
        ("10 s", "decision"),
        ("20 s", "control plane"),
        ("30 s", "data plane"),
        ("1 min 40 s", "verified"),
    ]
    text = check_page(page)
    assert "are measured from the first write, 5 min 10 s after the command began." in text
    assert "The operator's answer took 5 min." in text
    lines = run_text.format_text(report).splitlines()
    began = lines.index("Timeline (since the first write, 5 min 10 s after the command began)")
    moments = [line.strip() for line in lines[began + 1 :]]
    assert moments[:2] == ["0 s  plan confirmed", "0 s  2. prepare it  (5 s)"]
    assert moments[2].startswith("9 s  vnet1 disconnected")
    data = run_data.build_data(report)
    hold("report", json.dumps(data))
    assert (data["decision_s"], data["answer_s"], data["first_write_s"]) == (310.1, 300.0, 310.04)
    assert data["steps"][0]["began_s"] == 310.0


def test_of_a_run_without_a_write_times_count_from_the_decision() -> None:
    result = {"spokes": ["vnet1"], "verified": True, "decision_s": 70.0, "verified_s": 95.0}
    report = RunReport(run(result=result))
    assert report.first_write_s is None
    assert "<b>25 s</b>verified" in html.render_page(report)


def make_run_with_states(names: list[str]) -> RunRecord:
    """A switch of spokes, with the states before and after it as the journal keeps them."""
    of = site(*names)
    pictures = {}
    for when, path in (("before", Path.EXPRESSROUTE), ("after", Path.IPSEC)):
        snapshot = make_snapshot(of, make_state(path, of))
        picture = build_picture(of, snapshot, judge(of, snapshot), {})
        pictures[when] = json.loads(json.dumps(site_state.record(picture)))
    run_record = make_switch_run(names)
    run_record.before, run_record.after = pictures["before"], pictures["after"]
    return run_record


def test_a_report_draws_the_site_before_and_after_with_ids_of_their_own() -> None:
    report = RunReport(make_run_with_states(["vnet1"]))
    page = html.render_page(report)
    text = check_page(page)
    assert page.count('class="diagram"') == 2
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids)) > 8
    for when, verdict in (("before", "vnet1 is on ExpressRoute"), ("after", "vnet1 is on IPsec")):
        assert f"The site {when} the run {verdict}" in text
    data = run_data.build_data(report)
    hold("report", json.dumps(data))
    assert data["after"]["verdict"].startswith("vnet1 is on IPsec")
    assert "in use" in data["after"]["text"]
    whole = run_text.format_full_text(report)
    assert whole.index("The site before the run") < whole.index("The site after the run")
    assert data["before"]["text"] in whole


def test_a_state_of_a_damaged_or_forged_journal_harms_no_report() -> None:
    run_record = make_run_with_states([EVIL.replace("/", "")])
    page = html.render_page(RunReport(run_record))
    check_page(page)
    assert "<script" not in page
    for broken in ({}, {"sheet": 3}, {"taken_at": "x", "verdict": "v", "text": "t", "sheet": {}}):
        run_record.before = broken
        report = RunReport(run_record)
        assert report.before is None
        check_page(html.render_page(report))


def test_without_graphviz_a_report_has_the_picture_as_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(sheet: object, prefix: str) -> str:
        raise UsageFailure("pygraphviz is not installed")

    monkeypatch.setattr(drawing, "render_inline", missing)
    page = html.render_page(RunReport(make_run_with_states(["vnet1"])))
    assert 'class="diagram"' not in page
    assert "primary hub" in check_page(page)


def test_reason_and_ticket_are_in_every_format_and_escaped() -> None:
    run_record = make_switch_run(["vnet1"])
    run_record.reason, run_record.ticket = EVIL, "INC-2231"
    report = RunReport(run_record)
    page = html.render_page(report)
    assert EVIL in check_page(page)
    assert "<script" not in page
    assert "INC-2231" in page
    text = run_text.format_text(report)
    assert "Ticket INC-2231" in text
    assert f"Reason: {EVIL}" in text
    data = run_data.build_data(report)
    assert (data["reason"], data["ticket"]) == (EVIL, "INC-2231")


def test_no_table_or_picture_of_a_page_is_wider_than_its_own_scroll_area() -> None:
    page = html.render_page(
        RunReport(make_run_with_states([f"spoke{number}" for number in range(30)]))
    )
    for tag in ("<table>", '<svg class="timeline"', '<svg class="diagram"'):
        rows = [match.start() for match in re.finditer(re.escape(tag.split(" class")[0]), page)]
        assert rows
        for at in rows:
            assert page[:at].rstrip().endswith('<div class="wide">'), page[at - 60 : at + 40]


def test_the_last_line_of_a_switch_is_its_outcome() -> None:
    text = run_text.format_text(RunReport(make_switch_run(["vnet1", "vnet2", "vnet3"])))
    assert text.splitlines()[-1].startswith("poc is on IPsec and healthy; longest time without a")
    assert "(vnet3)." in text.splitlines()[-1]


def test_the_last_line_of_a_run_that_died_is_its_outcome() -> None:
    report = RunReport(run(*step("vnet1/3", "lend", 5.0, None), outcome=None))
    assert run_text.format_text(report).splitlines()[-1] == report.headline


def test_hundreds_of_steps_that_are_alike_are_one_line_of_the_history() -> None:
    record = make_switch_run([f"vnet{number}" for number in range(300)])
    text = history.format_run(record, lambda holder: None)
    assert len(text.splitlines()) < 30
    assert "and 299 more like this" in text
    assert f"To see every step: erfailover history {record.id} --details" in text
    whole = history.format_run(record, lambda holder: None, details=True)
    assert whole.count("correlation id") == sum(len(s.correlation_ids) for s in record.steps)


def test_of_failed_steps_the_first_are_told_in_full() -> None:
    records = [
        record
        for number in range(20)
        for record in step(f"vnet{number}/3", f"vnet{number} is moved", 5.0, 6.0, "failed")
    ]
    text = history.format_run(run(*records, outcome="failed"), lambda holder: None)
    assert text.count("correlation id") == 3
    assert "vnet3 is moved, and 16 more like this" in text
