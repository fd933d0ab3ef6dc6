"""Spokes that share a route table: planned, all of them move or none; unplanned, each by itself."""

from __future__ import annotations

import json

import pytest

from erfailover.lab.engine.faults import FOREVER, Fault, FaultKind
from tests.support.firewall_packets import Monitor
from tests.support.firewall_stage import FirewallSite, firewall, firewall_worlds
from tests.support.firewall_world import SPOKES, Spoke
from tests.support.schemas import hold

__all__ = ["firewall", "firewall_worlds"]

APP, DATA, WEB = SPOKES
AWAY, HOME = ("switch", "--to", "ipsec"), ("switch", "--to", "expressroute")
PLANNED = (*AWAY, "--yes", "--planned")


def find_paths(site: FirewallSite) -> dict[str, str]:
    site.stage.lab.faults.clear()
    return {item["name"]: item["path"] for item in site.stage.json("status")["spokes"]}


def stand(site: FirewallSite, monitor: Monitor, app: str, data: str, web: str) -> None:
    """All are connected, each by its path."""
    assert find_paths(site) == {APP.name: app, DATA.name: data, WEB.name: web}
    assert [monitor.explain(spoke) for spoke in SPOKES] == ["", "", ""]


def fail(path: str, nth: int = 1, kind: FaultKind = FaultKind.FORBIDDEN) -> Fault:
    return Fault(kind, "PUT", path, nth=nth, times=FOREVER)


@pytest.mark.parametrize("mode", ["overlay", "replace"])
def test_a_make_that_fails_for_good_takes_the_group_back(firewall: FirewallSite, mode: str) -> None:
    firewall.write_site(mode)
    before = firewall.list_routes("udr-dg")
    monitor = firewall.monitor(only_moves=mode == "replace")
    firewall.stage.lab.add_faults(fail(f"*/{DATA.name}-to-hub-dr", nth=2))
    assert firewall.stage.run(*PLANNED) == 5
    assert "NO path" not in firewall.stage.err
    stand(firewall, monitor, "expressroute", "expressroute", "ipsec")
    assert firewall.list_routes("udr-dg") == before
    assert monitor.cuts == []
    firewall.stage.do(*PLANNED)
    stand(firewall, monitor, "ipsec", "ipsec", "ipsec")


def test_a_route_that_is_refused_takes_the_group_back(firewall: FirewallSite) -> None:
    firewall.write_site("overlay")
    monitor = firewall.monitor()
    firewall.stage.lab.add_faults(fail("*/udr-dg/routes/*"))
    assert firewall.stage.run(*PLANNED) == 5
    assert "NO path" not in firewall.stage.err
    stand(firewall, monitor, "expressroute", "expressroute", "ipsec")
    assert monitor.cuts == []


def test_a_route_of_a_single_spoke_that_is_refused_takes_it_back(firewall: FirewallSite) -> None:
    firewall.write_site("overlay")
    monitor = firewall.monitor()
    firewall.stage.lab.add_faults(fail("*/udr-dg-web/routes/*"))
    assert firewall.stage.run(*PLANNED) == 5
    stand(firewall, monitor, "ipsec", "ipsec", "expressroute")


def test_a_spoke_that_is_left_out_keeps_its_group_back(firewall: FirewallSite) -> None:
    firewall.write_site("overlay")
    monitor = firewall.monitor()
    path = f"*/virtualNetworks/{DATA.name}"
    firewall.stage.lab.add_faults(Fault(FaultKind.ANSWER, "GET", path, times=FOREVER, status=500))
    assert firewall.stage.run(*PLANNED) == 4
    said = " ".join(firewall.stage.err.split())
    assert "it shares a route table with vnet-data, which is left out" in said
    stand(firewall, monitor, "expressroute", "expressroute", "ipsec")
    assert len(monitor.changes[APP.name]) == 1


def test_part_of_a_group_is_refused(firewall: FirewallSite) -> None:
    firewall.write_site("overlay")
    monitor = firewall.monitor()
    assert firewall.stage.run(*PLANNED, "--spoke", APP.name) == 3
    assert "route table udr-dg is shared with vnet-data, which does not move" in firewall.stage.err
    assert f"add --spoke {DATA.name}" in firewall.stage.err
    stand(firewall, monitor, "expressroute", "expressroute", "expressroute")


def test_a_canary_brings_its_group_along(firewall: FirewallSite) -> None:
    firewall.write_site("overlay")
    monitor = firewall.monitor()
    firewall.stage.do(*PLANNED, "--canary", APP.name)
    stand(firewall, monitor, "ipsec", "ipsec", "ipsec")
    ends = {name: changes[-1][0] for name, changes in monitor.changes.items()}
    assert max(ends[APP.name], ends[DATA.name]) < monitor.changes[WEB.name][1][0]


def test_unplanned_a_shared_table_moves_with_the_first_that_is_made(
    firewall: FirewallSite,
) -> None:
    firewall.write_site("overlay")
    firewall.cut_expressroute()
    monitor = firewall.monitor()
    firewall.stage.lab.add_faults(fail(f"*/{DATA.name}-to-hub-dr"))
    assert firewall.stage.run(*AWAY, "--yes") == 5
    assert monitor.is_connected(APP)
    assert monitor.is_connected(WEB)
    assert not monitor.is_connected(DATA)
    assert monitor.cuts == []


@pytest.mark.parametrize("spoke", [APP, WEB])
def test_a_hub_that_answers_past_its_appliance_leaves_the_spoke_out(
    firewall: FirewallSite, spoke: Spoke
) -> None:
    firewall.write_site("overlay")
    firewall.delete(f"routeTables/udr-hub-spoke-dr/routes/to-{spoke.name}")
    monitor = firewall.monitor()
    assert firewall.stage.run(*PLANNED) == 3
    assert "answers bypass the appliance" in " ".join(firewall.stage.err.split())
    moved = "ipsec" if spoke is WEB else "expressroute"
    stand(firewall, monitor, moved, moved, "ipsec" if spoke is APP else "expressroute")


def test_status_says_that_the_next_hops_of_a_spoke_are_not_those_of_its_path(
    firewall: FirewallSite,
) -> None:
    firewall.write_site("overlay")
    firewall.stage.do("status")
    firewall.cut_expressroute()
    firewall.stage.do(*AWAY, "--yes")
    firewall.delete("routeTables/udr-dg/routes/erfailover-192.168.0.0-16")
    health = {item["name"]: item for item in firewall.stage.json("status")["spokes"]}
    assert health[WEB.name]["healthy"]
    assert not health[APP.name]["healthy"]
    assert health[APP.name]["reasons"] == [
        "vnet-app: route erfailover-192.168.0.0-16 of udr-dg differs from what ipsec needs"
    ]
    firewall.stage.do(*AWAY, "--yes")
    firewall.stage.do("status")


def test_a_switch_is_undone_with_its_next_hops(firewall: FirewallSite) -> None:
    firewall.write_site("overlay")
    before = firewall.list_routes("udr-dg")
    monitor = firewall.monitor()
    firewall.stage.do(*PLANNED)
    firewall.stage.do("switch", "--undo", "--yes")
    stand(firewall, monitor, "expressroute", "expressroute", "expressroute")
    assert firewall.list_routes("udr-dg") == before
    assert monitor.cuts == []


def test_a_saved_plan_is_refused_after_a_route_has_changed(firewall: FirewallSite) -> None:
    firewall.write_site("overlay")
    file = str(firewall.stage.folder / "plan.json")
    firewall.stage.do(*AWAY, "--dry-run", "--out", file)
    hop = {"nextHopType": "VirtualAppliance", "nextHopIpAddress": "10.5.9.9"}
    firewall.put("routeTables/udr-dg-web/routes/mine", {"addressPrefix": "10.99.0.0/16", **hop})
    assert firewall.stage.run("switch", "--plan", file, "--yes", "--planned") == 3
    assert "udr-dg-web: routes" in firewall.stage.err
    firewall.delete("routeTables/udr-dg-web/routes/mine")
    firewall.stage.do("switch", "--plan", file, "--yes", "--planned")


@pytest.mark.parametrize("language", ["terraform", "bicep"])
def test_an_export_has_the_routes_as_they_are(firewall: FirewallSite, language: str) -> None:
    firewall.write_site("overlay")
    firewall.stage.do(*PLANNED)
    files = firewall.stage.json("export", language)["files"]
    text = "".join(text for name, text in files.items() if name.startswith("routes"))
    assert "erfailover-192.168.0.0-16" in text
    assert "10.15.0.4" in text
    assert "to-premises" in text


def test_code_that_would_undo_the_next_hops_is_named(firewall: FirewallSite) -> None:
    firewall.write_site("overlay")
    file = firewall.stage.folder / "erfailover.yaml"
    file.write_text(file.read_text() + "managed_by: terraform\n")
    firewall.stage.do(*PLANNED)
    warning = firewall.stage.json("status")["as_code"]["warning"]
    assert "peerings and 2 routes differ from on_expressroute" in warning


def test_the_diagram_and_the_report_show_the_next_hop(firewall: FirewallSite) -> None:
    firewall.write_site("overlay")
    report = firewall.stage.folder / "run.html"
    firewall.stage.do(*PLANNED, "--report", str(report))
    assert "next hop 10.15.0.4" in firewall.stage.do("diagram")
    html = report.read_text()
    assert "next hop 10.5.0.4" in html
    assert "move the next hops of vnet-web" in html


def test_the_report_counts_peerings_and_routes(firewall: FirewallSite) -> None:
    firewall.write_site("overlay")
    said = " ".join(firewall.stage.do(*PLANNED).split())
    assert "15 peerings and 2 routes written" in said
    assert "Checked in the gateways' tables and effective routes" in said
    assert "(3, 4, 9)" in " ".join(firewall.stage.err.split())


def test_the_rest_of_a_group_follows_one_that_is_there_already(firewall: FirewallSite) -> None:
    """A run that was stopped after one spoke of an unplanned group is completed with --spoke."""
    firewall.write_site("overlay")
    firewall.cut_expressroute()
    monitor = firewall.monitor()
    firewall.stage.lab.add_faults(fail(f"*/{DATA.name}-to-hub-dr"))
    assert firewall.stage.run(*AWAY, "--yes") == 5
    firewall.stage.lab.faults.clear()
    firewall.stage.do(*AWAY, "--yes", "--spoke", DATA.name)
    stand(firewall, monitor, "ipsec", "ipsec", "ipsec")


def test_unprestaging_touches_no_route(firewall: FirewallSite) -> None:
    firewall.write_site("overlay")
    firewall.stage.do("prestage", "--yes")
    firewall.overlay("udr-dg")
    before = firewall.list_routes("udr-dg")
    firewall.stage.do("unprestage", "--yes")
    assert firewall.list_routes("udr-dg") == before


def test_the_result_as_data_has_the_routes(firewall: FirewallSite) -> None:
    firewall.write_site("overlay")
    result = firewall.stage.json(*PLANNED)
    assert "udr-dg-web/to-premises" in result["changed"]
    run = firewall.stage.json("history")[-1]["id"]
    resources = [step["resource"] for step in firewall.stage.json("history", run)["steps"]]
    assert sum("/routes/" in resource for resource in resources) == 2
    file = firewall.stage.folder / "run.json"
    firewall.stage.do("history", run, "--report", str(file))
    hold("report", file.read_text())
    parts = {step["part"] for step in json.loads(file.read_text())["steps"]}
    assert "next hops" in parts


def test_by_hand_the_gates_of_a_group_come_before_its_first_break(firewall: FirewallSite) -> None:
    firewall.write_site("overlay")
    script = firewall.stage.do(*AWAY, "--dry-run", "-o", "az")
    gates = [script.index(f"Gate of {name}") for name in (APP.name, DATA.name)]
    breaks = [script.index(f"# 3. disconnect {name}") for name in (APP.name, DATA.name)]
    makes = [script.index(f"# 4. connect {name}") for name in (APP.name, DATA.name)]
    route = script.index("az network route-table route create")
    assert max(gates) < min(breaks)
    assert max(makes) < route
    assert script.count("az network route-table route create") == 1
