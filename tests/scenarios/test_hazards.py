"""Every hazard of ``tests.support.provoked``: found by the plan, refused with 3, then forced."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from erfailover.commands.switch.options import FORCEABLE
from erfailover.lab.engine.faults import Fault, FaultKind
from erfailover.planning.hazards.scene import NAMES
from tests.support.flags import OFFICE, ON_IPSEC, flags
from tests.support.provoked import PROVOKED, appliance, arm_of, gateway_subnet
from tests.support.stage import Stage

FORCED = ("no_user_route_leads_to_the_hub_being_left", "spokes_lose_no_route_of_a_route_server")
"""Those that are gone through with as well; the first test proves that all can be."""


def test_every_hazard_can_be_forced() -> None:
    assert set(PROVOKED) == set(NAMES) <= FORCEABLE


@pytest.mark.parametrize("name", PROVOKED)
def test_a_hazard_is_told_refused_and_forced(provisioned: Stage, name: str) -> None:
    stage = provisioned
    provoke, words = PROVOKED[name]
    arm = arm_of(stage)
    provoke(arm, stage)
    stage.pass_time(60.0)
    plan = stage.json("switch", "--to", "ipsec", "--dry-run")
    failing = [item for item in plan["hazards"] if item["verdict"] != "HOLDS"]
    assert [(item["condition"], item["verdict"]) for item in failing] == [(name, "FAILS")]
    assert words in failing[0]["seen"]
    assert failing[0]["remedy"]
    before = writes(stage)
    assert stage.run("switch", "--to", "ipsec", "--yes", "--planned") == 3
    assert words in stage.err.replace("\n             ", " ")
    assert "remedy:" in stage.err
    assert writes(stage) == before
    arm.pool.clear()
    if name not in FORCED:
        return
    verify_briefly()
    assert stage.run("switch", "--to", "ipsec", "--yes", "--planned", "--force") in {0, 6}
    assert f"Overridden by --force: {name}" in stage.err
    assert flags(stage.json("status")) == ON_IPSEC


def writes(stage: Stage) -> list[str]:
    return [write for write in stage.writes() if not write.startswith("POST")]


def verify_briefly() -> None:
    """Whether a forced switch shows is another matter: it is not waited for."""
    file = Path("erfailover.yaml")
    text, count = re.subn(r"verify_deadline_s: \d+", "verify_deadline_s: 20", file.read_text())
    assert count == 1
    file.write_text(text)


def test_what_the_hazards_say_of_the_lab_is_what_packets_do_there(provisioned: Stage) -> None:
    """A forced switch past a route by the hub being left does not bring the office back."""
    stage = provisioned
    arm = arm_of(stage)
    gateway_subnet(arm, stage)
    verify_briefly()
    stage.run("switch", "--to", "ipsec", "--yes", "--planned", "--force")
    assert not stage.reaches("vm1-nic1", OFFICE)
    table = arm.get("routeTables/inward")["properties"]
    arm.put("routeTables/inward", {**table, "routes": []})
    stage.pass_time(60.0)
    assert stage.reaches("vm1-nic1", OFFICE)
    arm.pool.clear()


def test_tables_that_may_not_be_read_are_said_and_refuse_nothing(provisioned: Stage) -> None:
    stage = provisioned
    stage.lab.add_faults(Fault(FaultKind.FORBIDDEN, method="GET", path="routeTables/*", times=0))
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    assert "unknown  vnet1/vnet1-sub1: route table vnet1-sub1-routes" in stage.err
    assert stage.reaches("vm1-nic1", OFFICE)


def test_a_plan_costs_few_requests_and_one_read_of_each_table(provisioned: Stage) -> None:
    stage = provisioned
    before = len(stage.lab.trace)
    stage.do("switch", "--to", "ipsec", "--dry-run")
    lines = [
        trace_entry.path.rsplit("/providers/", 1)[-1]
        for trace_entry in list(stage.lab.trace)[before:]
    ]
    assert sum("routeTables" in name for name in lines) == 1
    around = ("routeTables", "localNetworkGateways", "/connections")
    # One table; both gateways' connections and their far ends; the backup's connection itself.
    assert sum(any(word in name for word in around) for name in lines) == 6
    assert sum(name.startswith("Microsoft.Network/virtualNetworks/") for name in lines) == 3


def test_doctor_finds_a_hazard_before_anybody_switches(provisioned: Stage) -> None:
    stage = provisioned
    arm = arm_of(stage)
    appliance(arm, stage)
    arm.pool.clear()
    lines = stage.json("doctor")["checks"]
    names = {name.replace("_", "-") for name in NAMES}
    body = {line["name"]: line for line in lines if line["name"] in names}
    assert set(body) == names
    failing = [name for name, item in body.items() if item["verdict"] != "ok"]
    assert failing == ["no-user-route-leads-to-the-hub-being-left"]
    assert "10.2.2.4 in vnet2" in body[failing[0]]["seen"]
    assert body[failing[0]]["remedy"].startswith("Remove the route")
