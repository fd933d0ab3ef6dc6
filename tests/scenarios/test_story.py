"""The proof of concept's story: click, the real SDK, the lab over HTTPS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.flags import OFFICE, ON_EXPRESSROUTE, ON_IPSEC, flags
from tests.support.stage import Stage

OBSERVED = Path(__file__).parent.parent / "lab" / "observed_bgp.json"
VARYING = ("connected_duration", "messages_sent", "messages_received")
NAT = "8.8.4.4"


def rows(table: list[dict[str, Any]]) -> set[str]:
    """A table as a set of rows; what varies from read to read is left out."""
    return {
        json.dumps({k: v for k, v in row.items() if k not in VARYING}, sort_keys=True)
        for row in table
    }


def check_tables(status: Any, name: str) -> None:
    """A gateway's tables are exactly those that the real one reported."""
    observations = json.loads(OBSERVED.read_text())["observations"]
    desired = next(observation for observation in observations if observation["name"] == name)
    value = next(item for item in status["gateways"] if item["name"] == desired["gateway"])
    assert rows(value["peers"]) == rows(desired["peers"])
    assert rows(value["learned_routes"]) == rows(desired["routes"])
    for peer in value["peers"]:
        assert (peer["connected_duration"] is None) is (peer["state"] != "Connected")


def test_the_story_with_the_four_observed_tables(provisioned: Stage) -> None:
    stage = provisioned
    status = stage.json("status")
    assert (status["path"], status["healthy"], status["ready"]) == ("expressroute", True, True)
    assert flags(status) == ON_EXPRESSROUTE
    check_tables(status, "vng1-healthy")
    stage.do("verify")

    stage.watch("vm1-nic1", NAT)
    stage.do("drill", "start", "--yes")
    assert stage.run("verify") == 6
    stage.do("verify", "--expect", "office=down,internet=up")
    stage.pass_time(240.0)
    status = stage.json("status")
    assert (status["path"], status["healthy"], status["ready"]) == ("expressroute", False, True)
    check_tables(status, "vng1-expressroute-down")
    check_tables(status, "vng2-before-switch")

    report = stage.json("switch", "--to", "ipsec", "--yes", "--planned")
    assert report["verified"] is True
    assert flags(stage.json("status")) == ON_IPSEC
    check_tables(stage.json("status"), "vng2-after-switch")
    assert stage.json("status")["path"] == "ipsec"
    stage.do("verify")

    stage.do("drill", "stop", "--yes")
    stage.do("switch", "--to", "expressroute", "--yes")
    status = stage.json("status")
    assert (status["path"], status["healthy"]) == ("expressroute", True)
    assert flags(status) == ON_EXPRESSROUTE
    stage.pass_time(240.0)
    check_tables(stage.json("status"), "vng1-healthy")
    stage.do("verify")

    assert stage.cuts == []
    deleted = [write for write in stage.writes() if write.startswith("DELETE")]
    assert [name for name in deleted if "vnet1-to-vnet2" in name or "vnet2-to-vnet1" in name] == []
    stage.do("destroy", "--yes")


@pytest.mark.parametrize("healthy", [True, False], ids=["planned", "unplanned"])
def test_a_switch_there_and_back_never_cuts_the_internet_path(
    provisioned: Stage, healthy: bool
) -> None:
    stage = provisioned
    if not healthy:
        stage.do("drill", "start", "--yes")
    stage.watch("vm1-nic1", NAT)
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    assert stage.reaches("vm1-nic1", OFFICE)
    if not healthy:
        stage.do("drill", "stop", "--yes")
    stage.do("switch", "--to", "expressroute", "--yes")
    assert stage.reaches("vm1-nic1", OFFICE)
    assert flags(stage.json("status")) == ON_EXPRESSROUTE
    assert stage.cuts == []


def test_a_switch_with_nothing_to_do_writes_nothing_and_succeeds(provisioned: Stage) -> None:
    stage = provisioned
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    before = [write for write in stage.writes() if not write.startswith("POST")]
    report = stage.json("switch", "--to", "ipsec")
    assert report["changed"] == []
    assert report["verified"] is True
    assert [write for write in stage.writes() if not write.startswith("POST")] == before


def test_a_dry_run_shows_the_plan_and_writes_nothing(provisioned: Stage) -> None:
    stage = provisioned
    before = len(stage.writes())
    out = stage.do("switch", "--to", "ipsec", "--dry-run")
    assert "3. disconnect vnet1 from the gateway in vnet2" in out
    assert "if rejected: vnet1-to-vnet2" in out
    assert [write for write in stage.writes()[before:] if not write.startswith("POST")] == []
    assert flags(stage.json("status")) == ON_EXPRESSROUTE
