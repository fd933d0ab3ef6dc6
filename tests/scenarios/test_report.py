"""The report of a run: on standard output, in a file, from the journal afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from erfailover.lab.engine.faults import Fault, FaultKind
from tests.support.pages import check_page
from tests.support.stage import Stage, below_heading


def report_in(file: Path) -> Any:
    return json.loads(file.read_text("utf-8"))


def test_a_switch_is_told_outcome_first_with_its_timeline_and_the_way_back(
    provisioned: Stage,
) -> None:
    stage = provisioned
    stage.do("drill", "start", "--yes")
    out = stage.do("switch", "--to", "ipsec", "--yes", "--planned", "--report", "night.html")
    assert below_heading(out).startswith(
        "poc is on IPsec; verified.\n5 peerings written: vnet3-to-vnet1, "
    )
    assert "Outage: at most" in out
    assert "3. disconnect vnet1 from the gateway in vnet2" in out
    assert "vng2 originates vnet1" in out
    assert "ok  office: vm1 pings 10.5.0.4: expected up, is up" in out
    assert "To go back: erfailover switch --to expressroute" in out
    assert "Report written: night.html" in stage.err
    text = check_page((stage.folder / "night.html").read_text("utf-8"))
    assert "poc is on IPsec; verified." in text

    stage.do("history", "--report", "later.json")
    report = report_in(stage.folder / "later.json")
    assert report["format"] == "erfailover-report/1"
    assert (report["verified"], report["outcome"], report["to"]) == (True, "done", "ipsec")
    steps = {item["step"]: item for item in report["steps"]}
    assert [item["part"] for item in report["steps"]][2:] == ["break", "make", "afterwards"]
    assert all(len(item["correlation_ids"]) == 1 for item in report["steps"])
    (spoke,) = report["spokes"]
    assert steps["2"]["ended_s"] <= spoke["off_s"] < steps["3"]["ended_s"] < spoke["make_s"]
    assert spoke["without_s"] == pytest.approx(spoke["shown_s"] - spoke["off_s"])
    assert report["outages"][0]["how"] == "steps"
    assert report["took_s"] == pytest.approx(report["verified_s"], abs=0.2)


def test_json_on_standard_output_is_the_report_that_the_journal_gives_afterwards(
    provisioned: Stage,
) -> None:
    stage = provisioned
    value = stage.json("switch", "--to", "ipsec", "--yes", "--planned")
    stage.do("history", value["run"][:6], "--report", "later.json")
    assert report_in(stage.folder / "later.json") == value
    assert {"site", "changed", "decision_s", "spokes_s", "routes", "probes"} <= value.keys()


def test_provision_and_drill_report_their_steps_as_well(provisioned: Stage) -> None:
    stage = provisioned
    stage.do("drill", "start", "--yes", "--report", "drill.json")
    report = report_in(stage.folder / "drill.json")
    assert report["headline"] == "drill start of poc: done."
    assert [item["outcome"] for item in report["steps"]] == ["done"]
    assert report["to_go_back"] == "erfailover drill stop"


def test_a_report_that_could_not_be_written_is_refused_before_anything_is_done(
    provisioned: Stage,
) -> None:
    stage = provisioned
    for wrong in ("night.pdf", "nowhere/night.html", "."):
        assert stage.run("switch", "--to", "ipsec", "--yes", "--planned", "--report", wrong) == 2
        assert "--report" in stage.err
    assert stage.json("history")[-1]["command"] == "provision"


def test_a_refused_switch_leaves_no_report_and_says_so(provisioned: Stage) -> None:
    stage = provisioned
    assert stage.run("switch", "--to", "ipsec", "--report", "night.html") == 3
    assert "No report was written to night.html: the run did not start." in stage.err
    assert not (stage.folder / "night.html").exists()


REFUSED = Fault(
    FaultKind.ANSWER,
    "PUT",
    "*/vnet1-to-vnet3",
    nth=2,
    status=400,
    code="RemoteVnetHasNoGateways",
    message="<b>No</b> gateways.",
)


def test_a_switch_that_was_taken_back_is_reported_as_such(provisioned: Stage) -> None:
    stage = provisioned
    stage.lab.add_faults(REFUSED)
    assert stage.run("switch", "--to", "ipsec", "--yes", "--planned", "--report", "night.html") == 5
    first = "poc was NOT switched to IPsec; 1 rolled back to ExpressRoute. FAILED."
    assert below_heading(stage.out).splitlines()[0] == first
    assert "from the break until it was rolled back" in " ".join(stage.out.split())
    assert "To resume:  erfailover switch --to ipsec" in stage.out
    page = (stage.folder / "night.html").read_text("utf-8")
    assert first in check_page(page)
    assert "<b>No</b>" not in page
    assert "&lt;b&gt;No&lt;/b&gt;" in page

    stage.do("history", "--report", "later.json")
    report = report_in(stage.folder / "later.json")
    assert (report["outcome"], report["verified"]) == ("failed", False)
    assert report["hint"].startswith("The spoke is on its previous path.")
    (spoke,) = report["spokes"]
    assert spoke["state"] == "rolled back to ExpressRoute"
    back = [item for item in report["steps"] if item["part"] == "take back"]
    assert back
    assert all(item["outcome"] == "done" for item in back)
    assert spoke["back_s"] == max(item["ended_s"] for item in back)


def test_what_was_tried_again_is_told_with_its_attempts(provisioned: Stage) -> None:
    stage = provisioned
    busy = Fault(FaultKind.ANSWER, "PUT", "*/vnet3-to-vnet1", status=409, code="RetryableError")
    stage.lab.add_faults(busy)
    report = stage.json("switch", "--to", "ipsec", "--yes", "--planned")
    assert [item["attempts"] for item in report["steps"]] == [2, 1, 1, 1, 1]
