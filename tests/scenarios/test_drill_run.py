"""A drill: one spoke is switched to the backup path and back, by one command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from erfailover.lab.engine.faults import FOREVER, Fault, FaultKind
from erfailover.model.lease import Holder
from erfailover.runtime.state.local import LocalStore
from erfailover.runtime.state.process import build_holder
from tests.support.clocks import ResumedClock
from tests.support.express_site import make
from tests.support.firewall_stage import FirewallSite, firewall, firewall_worlds
from tests.support.firewall_world import SPOKES
from tests.support.flags import ON_EXPRESSROUTE, ON_IPSEC, flags
from tests.support.pages import check_page
from tests.support.probes import add_probes
from tests.support.processes import SPEED, command, puts, wait_for_puts
from tests.support.schemas import hold
from tests.support.stage import Stage

__all__ = ["firewall", "firewall_worlds"]

RUN = ("drill", "run", "--canary", "vnet1", "--yes")
APP, DATA, WEB = SPOKES
TABLES = "*/virtualNetworkGateways/vng2/getLearnedRoutes"
BACK = "erfailover switch --to expressroute --spoke vnet1"
PEERING = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"


def read_peerings(stage: Stage) -> str:
    """Every peering of the lab as ARM answers it, without etags."""
    stage.lab.catch_up()

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if key != "etag"}
        return [strip(item) for item in value] if isinstance(value, list) else value

    bodies = {str(item.id): strip(item.body) for item in stage.lab.world.iter_by_type(PEERING)}
    return json.dumps(bodies, sort_keys=True)


def list_runs(stage: Stage) -> list[tuple[str, str]]:
    """The command and the outcome of each run since the site was provisioned."""
    rows = stage.json("history")
    assert all("drill" in row for row in rows)
    return [(row["command"], row["outcome"]) for row in rows if row["command"] != "provision"]


def has_written(stage: Stage, since: int) -> bool:
    return any(not write.startswith("POST") for write in stage.writes()[since:])


SLOW = pytest.mark.slow


@pytest.mark.parametrize("prestaged", [False, True], ids=["not prestaged", "prestaged"])
def test_a_drill_leaves_the_site_as_it_was(provisioned: Stage, prestaged: bool) -> None:
    stage = provisioned
    if prestaged:
        stage.do("prestage", "--yes")
    stage.watch("vm1-nic1", "8.8.4.4")
    before = read_peerings(stage)
    result = stage.json(*RUN, "--ticket", "CHG1", "--reason", "monthly")
    assert (result["outcome"], result["verified"]) == ("done", True)
    assert result["places"] == {"vnet1": "expressroute"}
    assert (result["message"], result["hint"]) == (None, None)
    assert (result["ticket"], result["reason"]) == ("CHG1", "monthly")
    assert 0 < result["outage_there_s"] < 60
    assert 0 < result["outage_back_s"] < 60
    for which, target in (("there", "ipsec"), ("back", "expressroute")):
        hold("report", json.dumps(result[which]))
        assert (result[which]["to"], result[which]["verified"]) == (target, True)
        assert (result[which]["to_continue"], result[which]["to_go_back"]) == (None, None)
    assert read_peerings(stage) == before
    assert stage.cuts == []
    status = stage.json("status")
    assert status["spokes"][0]["prestaged"] is prestaged
    assert (status["unfinished"], status["healthy"]) == (None, True)


def test_the_way_back_does_not_wait_for_the_hold_time(stage: Stage) -> None:
    make(stage, "Amsterdam", drill="")
    file = stage.folder / "erfailover.yaml"
    file.write_text(file.read_text() + "timing: {failback_hold_time_s: 3600}\n")
    began_s = stage.clock.now()
    assert stage.json("drill", "run", "--canary", "spoke", "--yes")["verified"] is True
    assert stage.clock.now() - began_s < 600
    assert stage.json("status")["path"] == "expressroute"


def test_history_shows_the_drill_its_outcome_and_both_switches(provisioned: Stage) -> None:
    stage = provisioned
    stage.do(*RUN)
    assert list_runs(stage) == [("drill run", "done"), ("switch", "done"), ("switch", "done")]
    _, drill, there, back = stage.json("history")
    assert [there["drill"], back["drill"], drill["drill"]] == [drill["id"], drill["id"], None]
    whole = stage.json("history", drill["id"])
    assert whole["result"]["there"] == there["id"]
    assert whole["result"]["back"] == back["id"]
    text = stage.do("history", drill["id"])
    assert "erfailover drill run --canary vnet1: done" in text
    assert f"switch there: run {there['id']}" in text
    assert "verified both ways" in text
    assert f"part of drill {drill['id']}" in stage.do("history", there["id"])


@pytest.mark.parametrize(
    "suffix", ["html", pytest.param("txt", marks=SLOW), pytest.param("json", marks=SLOW)]
)
def test_one_report_has_both_switches(provisioned: Stage, suffix: str) -> None:
    stage = provisioned
    stage.do(*RUN, "--report", f"drill.{suffix}")
    content = Path(f"drill.{suffix}").read_text("utf-8")
    if suffix == "json":
        hold("drill-run", content)
        return
    text = check_page(content) if suffix == "html" else content
    assert "Drill of poc done: IPsec carried vnet1; back on ExpressRoute; both verified." in text
    assert "poc is on IPsec; verified." in text
    assert "poc is on ExpressRoute; verified." in text
    assert text.index("poc is on IPsec") < text.index("poc is on ExpressRoute; verified.")


@pytest.mark.slow
def test_continuous_probes_measure_both_ways_and_quiet_leaves_one_line(provisioned: Stage) -> None:
    stage = provisioned
    add_probes("here: {command: ['true'], continuous: true, every_s: 5}")
    result = stage.json(*RUN)
    for which in ("there", "back"):
        assert [outage["how"] for outage in result[which]["outages"]] == ["probe"]
    assert (result["outage_there_s"], result["outage_back_s"]) == (0.0, 0.0)
    assert stage.do(*RUN, "--quiet") == (
        "Drill of poc done: IPsec carried vnet1; back on ExpressRoute; both verified. "
        "Outage: 0 s there, 0 s back.\n"
    )


def test_a_backup_that_does_not_carry_the_spoke_is_left_again(provisioned: Stage) -> None:
    """The backup's table goes on as before the switch: it never originates the spoke."""
    stage = provisioned
    file = stage.folder / "erfailover.yaml"
    deadline = "verify_deadline_s: 60 "
    file.write_text(file.read_text().replace("verify_deadline_s: 420", deadline))
    assert deadline in file.read_text()
    stage.lab.add_faults(Fault(FaultKind.STALE, "POST", TABLES, times=FOREVER, seconds=1e6))
    before = read_peerings(stage)
    assert stage.run(*RUN, "-o", "json", "--report", "r.html") == 6
    result = json.loads(stage.out)
    assert (result["outcome"], result["verified"]) == ("failed", False)
    assert result["places"] == {"vnet1": "expressroute"}
    assert result["there"]["verified"] is False
    last = stage.err.split("erfailover: ")[-1]
    assert last.startswith("IPsec did not carry vnet1: switched to ipsec, but not verified")
    assert "vnet1 is on ExpressRoute" in last
    assert "IPsec did not carry vnet1" in check_page(Path("r.html").read_text("utf-8"))
    stage.lab.faults.clear()
    assert read_peerings(stage) == before
    assert stage.json("status")["unfinished"] is None
    assert list_runs(stage) == [("drill run", "failed"), ("switch", "failed"), ("switch", "done")]


@pytest.mark.slow
def test_a_make_that_is_refused_leaves_the_site_as_it_was(provisioned: Stage) -> None:
    stage = provisioned
    before = read_peerings(stage)
    stage.lab.add_faults(
        Fault(FaultKind.FORBIDDEN, "PUT", "*/vnet1-to-vnet3", nth=2, times=FOREVER)
    )
    assert stage.run(*RUN) == 5
    last = stage.err.split("erfailover: ")[-1]
    assert "rolled back" in last
    assert "vnet1 is on ExpressRoute" in last
    stage.lab.faults.clear()
    assert read_peerings(stage) == before
    assert stage.json("status")["unfinished"] is None


def test_a_way_back_that_is_refused_once_is_made_again(provisioned: Stage) -> None:
    stage = provisioned
    break_ = Fault(FaultKind.FORBIDDEN, "PUT", "*/vnet2-to-vnet1", nth=2, times=1)
    stage.lab.add_faults(break_)
    stage.do(*RUN)
    assert list_runs(stage)[-2:] == [("switch", "failed"), ("switch", "done")]
    assert flags(stage.json("status")) == ON_EXPRESSROUTE


@pytest.mark.slow
def test_a_primary_that_fails_meanwhile_keeps_the_spoke_on_ipsec(provisioned: Stage) -> None:
    """A real failure during the drill: the way back is refused, and the message says what next."""
    stage = provisioned
    moved: list[int] = []

    def cut() -> None:
        if not moved and any(write.endswith("/vnet1-to-vnet2") for write in stage.writes()):
            moved.append(1)
            stage.lab.add_faults(
                Fault(
                    FaultKind.EMPTY,
                    "POST",
                    "*/virtualNetworkGateways/vng1/get*",
                    times=FOREVER,
                )
            )

    stage.lab.listen(cut)
    assert stage.run(*RUN) == 4
    last = stage.err.split("erfailover: ")[-1]
    assert last.startswith("vnet1 is on IPsec; the way back failed: refusing to switch")
    assert last.rstrip().endswith(BACK)
    stage.lab.faults.clear()
    value = stage.json("status")["unfinished"]
    assert value["command"] == "drill run --canary vnet1"
    assert value["to_continue"] == BACK
    assert value["to_go_back"] is None
    assert stage.run("switch", "--undo", "--yes") == 3
    assert "is part of a drill" in stage.err
    stage.do(*BACK.split()[1:], "--yes")
    status = stage.json("status")
    assert (flags(status), status["unfinished"]) == (ON_EXPRESSROUTE, None)


@pytest.mark.parametrize(
    "sent",
    [signal.SIGINT, pytest.param(signal.SIGTERM, marks=SLOW)],
    ids=["ctrl-c", "sigterm"],
)
@pytest.mark.parametrize("write", [pytest.param(1, marks=SLOW), 3, pytest.param(5, marks=SLOW)])
def test_after_ctrl_c_on_the_way_there_the_spoke_goes_back(
    provisioned: Stage, sent: signal.Signals, write: int
) -> None:
    stage = provisioned
    stage.watch("vm1-nic1", "8.8.4.4")
    before = read_peerings(stage)
    code, err = interrupt(stage, write, sent)
    assert code == 130, err
    last = err.split("erfailover: ")[-1]
    assert last.startswith("interrupted")
    assert "vnet1 is on ExpressRoute" in last
    assert read_peerings(stage) == before
    assert stage.json("status")["unfinished"] is None
    assert stage.cuts == []


@SLOW
@pytest.mark.parametrize("write", [6, 7, 8])
def test_after_ctrl_c_on_the_way_back_it_is_completed(provisioned: Stage, write: int) -> None:
    stage = provisioned
    before = read_peerings(stage)
    code, err = interrupt(stage, write, signal.SIGINT)
    assert code == 0, err
    assert read_peerings(stage) == before
    assert stage.json("status")["unfinished"] is None


def interrupt(stage: Stage, write: int, sent: signal.Signals) -> tuple[int, str]:
    """Signal a drill after a PUT: 1 to 5 lead to IPsec, the others back. Exit code and messages."""
    stage.lab.clock = ResumedClock(SPEED, stage.clock.now())
    process = command(*RUN)
    wait_for_puts(stage, process, write)
    process.send_signal(sent)
    out, err = process.communicate(timeout=120)
    stage.clock.sleep(stage.lab.clock.now() - stage.clock.now())
    stage.lab.clock = stage.clock
    assert "Switching back to ExpressRoute." in err
    assert "Traceback" not in out + err
    return process.returncode, err


@SLOW
@pytest.mark.parametrize(
    ("path", "nth", "write"), [("*/vnet3-to-vnet1", 1, 1), ("*/vnet2-to-vnet1", 2, 6)]
)
def test_a_second_ctrl_c_stops_at_once_and_says_what_next(
    provisioned: Stage, path: str, nth: int, write: int
) -> None:
    """While Azure is processing the first write there, or back."""
    stage = provisioned
    stage.lab.add_faults(Fault(FaultKind.STUCK, "PUT", path, nth=nth, seconds=250.0))
    stage.lab.clock = ResumedClock(SPEED, stage.clock.now())
    process = command(*RUN)
    wait_for_puts(stage, process, write)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 130, err
    assert "Azure is still processing" in err
    assert err.count("Switching back to ExpressRoute.") == (0 if write == 1 else 1)
    assert f"Run this next: {BACK}" in err
    again = command(*BACK.split()[1:], "--yes")
    assert again.communicate(timeout=120)
    assert again.returncode == 0
    assert flags(stage.json("status")) == ON_EXPRESSROUTE


@SLOW
@pytest.mark.parametrize("write", [1, 3, 4, 5, 6, 7, 8])
def test_a_killed_drill_is_reported_and_one_command_brings_the_spoke_back(
    provisioned: Stage, write: int
) -> None:
    stage = provisioned
    stage.watch("vm1-nic1", "8.8.4.4")
    before = read_peerings(stage)
    stage.lab.clock = ResumedClock(SPEED, stage.clock.now())
    process = command(*RUN)
    wait_for_puts(stage, process, write)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    stage.clock.sleep(stage.lab.clock.now() - stage.clock.now())
    stage.lab.clock = stage.clock
    value = stage.json("status")["unfinished"]
    assert value["outcome"] == "died"
    assert value["to_continue"] == "erfailover switch --to expressroute"
    assert stage.run(*RUN) == 3
    assert f"Run this first: {value['to_continue']}" in stage.err
    stage.do(*value["to_continue"].split()[1:], "--yes")
    assert read_peerings(stage) == before
    assert stage.json("status")["unfinished"] is None
    assert stage.cuts == []


@pytest.fixture
def other() -> Iterator[Holder]:
    """A process of this machine that holds leases and does nothing."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield replace(build_holder("provision"), pid=process.pid, started="")
    process.communicate()


def refuse(stage: Stage, code: int, *words: str) -> None:
    """Check that a drill is refused and changes nothing."""
    before, runs = len(stage.writes()), stage.json("history")
    assert stage.run(*RUN) == code
    for word in words:
        assert word in " ".join(stage.err.split())
    assert not has_written(stage, before)
    assert stage.json("history") == runs
    if code != 2:
        assert "No report" not in stage.err


def test_refused_while_a_simulated_failure_is_running(provisioned: Stage) -> None:
    provisioned.do("drill", "start", "--yes")
    refuse(provisioned, 3, "A DRILL IS RUNNING", "erfailover drill stop", "Nothing was changed.")


def test_refused_on_ipsec(provisioned: Stage) -> None:
    provisioned.do("switch", "--to", "ipsec", "--yes", "--planned")
    refuse(provisioned, 3, "vnet1 is on IPsec; expected ExpressRoute")
    assert flags(provisioned.json("status")) == ON_IPSEC


def test_refused_after_an_unfinished_run(provisioned: Stage) -> None:
    stage = provisioned
    fault = Fault(FaultKind.FORBIDDEN, "PUT", "*/vnet1-to-vnet3", nth=2, times=FOREVER)
    stage.lab.add_faults(fault)
    assert stage.run("switch", "--to", "ipsec", "--yes", "--planned") == 5
    stage.lab.faults.clear()
    refuse(stage, 3, "is unfinished", "Run this first: erfailover switch --to ipsec")


def test_refused_if_the_backup_is_not_known_to_be_ready(provisioned: Stage) -> None:
    fault = Fault(FaultKind.FORBIDDEN, "POST", "virtualNetworkGateways/vng2/get*", times=FOREVER)
    provisioned.lab.add_faults(fault)
    refuse(provisioned, 4, "on an unknown reading", "vng2")


def test_refused_if_the_primary_is_degraded(stage: Stage) -> None:
    make(stage, "Amsterdam", drill="").tag("c1", edges_down="secondary")
    assert stage.run("drill", "run", "--canary", "spoke", "--yes") == 3
    assert "er is degraded" in stage.err


def test_refused_while_another_run_holds_the_lease(provisioned: Stage, other: Holder) -> None:
    folder = next(provisioned.folder.joinpath("state").rglob("journal.jsonl")).parent
    LocalStore(folder).acquire(other, take_over=False)
    refuse(provisioned, 3, f"{other.name}: erfailover provision, since")


def test_refused_without_a_terminal_unless_yes_was_given(provisioned: Stage) -> None:
    stage = provisioned
    before = len(stage.writes())
    assert stage.run("drill", "run", "--canary", "vnet1", "--report", "r.html") == 3
    said = " ".join(stage.err.split())
    assert "Plan: switch poc to IPsec, leaving a HEALTHY path" in said
    assert "It is cut off from 10.5.0.0/16 for typically" in said
    assert "It is then switched back, which interrupts it once more. Run the drill?" in said
    assert "Use --yes to skip the prompt." in said
    assert "No report was written to r.html" in said
    assert not has_written(stage, before)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--canary", "vnet9"), "--canary vnet9: poc has no such spoke"),
        (("--canary", "vnet1", "--report", "r.doc"), "expected a name that ends in"),
        (("--canary", "vnet1", "--probe", "none"), "no such probe"),
        ((), "Missing option '--canary'"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_read(
    provisioned: Stage, words: tuple[str, ...], message: str
) -> None:
    assert provisioned.run("drill", "run", "--yes", *words) == 2
    assert message in provisioned.err


def test_one_spoke_of_several_is_switched_and_no_other(firewall: FirewallSite) -> None:
    firewall.write_site("overlay")
    routes = firewall.list_routes("udr-dg-web")
    monitor = firewall.monitor()
    result = firewall.stage.json("drill", "run", "--canary", WEB.name, "--yes")
    assert result["verified"] is True
    assert result["spokes"] == [WEB.name]
    assert len(monitor.changes[APP.name]) == len(monitor.changes[DATA.name]) == 1
    assert firewall.list_routes("udr-dg-web") == routes
    assert [monitor.explain(spoke) for spoke in SPOKES] == ["", "", ""]
    commands = [row["spokes"] for row in firewall.stage.json("history")]
    assert commands == [[WEB.name], [WEB.name], [WEB.name]]


def test_spokes_that_share_a_route_table_are_drilled_together(firewall: FirewallSite) -> None:
    firewall.write_site("overlay")
    stage, routes = firewall.stage, firewall.list_routes("udr-dg")
    monitor = firewall.monitor()
    assert stage.run("drill", "run", "--canary", APP.name, "--yes") == 3
    assert f"route table udr-dg is shared with {DATA.name}, which does not move" in stage.err
    assert f"add --canary {DATA.name}" in stage.err
    assert not has_written(stage, 0) or len(monitor.changes[APP.name]) == 1
    both = ("--canary", APP.name, "--canary", DATA.name)
    result = stage.json("drill", "run", *both, "--yes")
    assert result["verified"] is True
    assert result["spokes"] == [APP.name, DATA.name]
    assert len(monitor.changes[WEB.name]) == 1
    assert firewall.list_routes("udr-dg") == routes
    assert monitor.cuts == []


@pytest.mark.parametrize("write", [2, 6])
def test_a_run_that_takes_the_lease_over_decides_where_the_spoke_goes(
    provisioned: Stage, other: Holder, write: int
) -> None:
    stage = provisioned
    folder = next(stage.folder.joinpath("state").rglob("journal.jsonl")).parent
    store, before, stolen = LocalStore(folder), puts(stage), list[int]()

    def steal() -> None:
        if not stolen and puts(stage) == before + write:
            stolen.append(1)
            store.acquire(other, take_over=True)

    stage.lab.listen(steal)
    assert stage.run(*RUN) == 3
    assert stolen
    last = stage.err.split("erfailover: ")[-1]
    assert last.startswith("vnet1 is on ")
    assert "After the run that has the lease, run this next" in last
    assert puts(stage) <= before + write + 1
