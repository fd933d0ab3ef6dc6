"""Leaving a path that works: the plan says so, and ``--yes`` alone does not do it."""

from __future__ import annotations

from pathlib import Path

import pytest

from erfailover.lab.engine.faults import FOREVER, Fault, FaultKind
from tests.support.stage import Stage, below_heading

QUESTION = "Leave a HEALTHY path?"
TABLES = "virtualNetworkGateways/vng1/get*"


def test_a_healthy_path_is_left_only_as_planned(provisioned: Stage) -> None:
    stage = provisioned
    before = stage.writes()
    assert stage.run("switch", "--to", "ipsec", "--yes") == 3
    assert stage.err.count("leaving a HEALTHY path") == 1
    assert "vnet1 is healthy on ExpressRoute, and this switch interrupts it" in stage.err
    assert "--yes --planned" in stage.err
    assert stage.run("switch", "--to", "ipsec", "--planned") == 3
    assert stage.writes() == before
    report = stage.json("switch", "--to", "ipsec", "--yes", "--planned", "--report", "r.txt")
    assert report["planned"] is True
    assert "Planned switch: the previous path was healthy." in Path("r.txt").read_text("utf-8")


def test_the_first_line_of_the_plan_says_it_and_the_next_for_how_long(provisioned: Stage) -> None:
    stage = provisioned
    text = below_heading(stage.do("switch", "--to", "ipsec", "--dry-run"))
    title, interrupted, *_ = text.splitlines()
    assert title == "Plan: switch poc to IPsec, leaving a HEALTHY path"
    assert interrupted.startswith(
        "vnet1 is healthy on ExpressRoute. It is cut off from 10.5.0.0/16"
    )
    assert stage.json("switch", "--to", "ipsec", "--dry-run")["leaves_healthy"] == ["vnet1"]


def test_a_path_that_failed_is_left_without_that_question(provisioned: Stage) -> None:
    stage = provisioned
    stage.do("drill", "start", "--yes")
    assert "HEALTHY" not in stage.do("switch", "--to", "ipsec", "--dry-run")
    report = stage.json("switch", "--to", "ipsec", "--yes")
    assert report["planned"] is False
    stage.do("history", report["run"], "--report", "r.txt")
    assert "Unplanned switch" in Path("r.txt").read_text("utf-8")


@pytest.mark.parametrize("kind", [FaultKind.EMPTY, FaultKind.FORBIDDEN])
def test_unknown_is_not_healthy(provisioned: Stage, kind: FaultKind) -> None:
    stage = provisioned
    stage.lab.add_faults(Fault(kind, "POST", TABLES, times=FOREVER))
    assert stage.json("switch", "--to", "ipsec", "--dry-run")["leaves_healthy"] == []
    stage.do("switch", "--to", "ipsec", "--yes")


def test_a_failback_needs_no_flag_and_says_that_ipsec_works(provisioned: Stage) -> None:
    stage = provisioned
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    stage.pass_time(300.0)
    plan = stage.do("switch", "--to", "expressroute", "--dry-run")
    assert (
        below_heading(plan)
        .splitlines()[1]
        .startswith("vnet1 is healthy on IPsec. It is cut off from")
    )
    assert stage.json("switch", "--to", "expressroute", "--yes")["planned"] is True


def test_a_plan_that_undoes_a_run_names_it(provisioned: Stage) -> None:
    stage = provisioned
    run = stage.json("switch", "--to", "ipsec", "--yes", "--planned")["run"]
    plan = stage.do("switch", "--undo", "--dry-run")
    first = " ".join(below_heading(plan).split("\n\n", maxsplit=1)[0].split())
    assert first.startswith(f"Plan: undo switch --to ipsec (run {run}): switch poc to ExpressRoute")
