"""A site whose primary is an ExpressRoute gateway: what is read of it, and Azure's own drill."""

from __future__ import annotations

import json
from typing import Any

import pytest

from erfailover.lab.engine.faults import Fault, FaultKind
from tests.support.express_site import Maker, make
from tests.support.stage import Stage, below_heading

START = ("drill", "start", "--gateway", "er")


def posts(stage: Stage) -> list[str]:
    """The failover actions that the lab has seen."""
    return [write.rsplit("/", 1)[-1] for write in stage.writes() if "SiteFailoverTest" in write]


def test_a_whole_site_is_healthy_and_its_connections_and_circuits_are_told(stage: Stage) -> None:
    make(stage)
    status = stage.json("status")
    assert (status["path"], status["healthy"], status["ready"]) == ("expressroute", True, True)
    assert status["warnings"] == []
    assert [(item["type"], item["sku"]) for item in status["gateways"]] == [
        ("ExpressRoute", "ErGw1AZ"),
        ("Vpn", "VpnGw1AZ"),
    ]
    assert [item["active_active"] for item in status["gateways"]] == [False, True]
    body = {
        item["name"]: (item["status"], item["circuit"]["peering_location"])
        for item in status["connections"]["primary"]
    }
    assert body == {"to-c1": ("Connected", "Amsterdam"), "to-c2": ("Connected", "Dublin")}
    assert [item["type"] for item in status["connections"]["backup"]] == ["IPsec"]
    assert (status["drill"]["running"], status["drill"]["to_stop"]) == (False, None)


def test_one_edge_down_is_degraded_and_both_of_the_only_circuit_are_an_outage(
    stage: Stage,
) -> None:
    maker = make(stage, "Amsterdam")
    maker.tag("c1", edges_down="secondary")
    out = stage.do("status")
    assert "warning  er is degraded: 1 of 2 edge peers Connected; 10.2.0.5 Connecting" in out
    assert "ExpressRoute; healthy" in out
    maker.tag("c1", edges_down="primary secondary")
    assert stage.run("status") == 6
    assert "degraded" not in stage.out
    assert "10.2.0.4 Connecting, 10.2.0.5 Connecting; expected one Connected" in stage.out


def test_a_disabled_private_peering_is_said_beside_the_outage_it_makes(stage: Stage) -> None:
    maker = make(stage, "Amsterdam")
    maker.private_peering("c1", "Disabled")
    maker.wait(60)
    assert stage.run("status") == 6
    assert "circuit c1 (Amsterdam): its private peering is Disabled" in stage.out


def test_a_switch_there_and_back_with_an_active_active_backup(stage: Stage) -> None:
    make(stage, "Amsterdam")
    assert stage.json("switch", "--to", "ipsec", "--yes", "--planned")["verified"] is True
    status = stage.json("status")
    assert (status["path"], status["healthy"], status["ready"]) == ("ipsec", True, True)
    assert stage.json("switch", "--to", "expressroute", "--yes")["verified"] is True
    assert stage.json("status")["path"] == "expressroute"


def test_a_switch_reads_no_circuit_and_the_connections_it_leaves_once(stage: Stage) -> None:
    make(stage, "Amsterdam")
    count = len(stage.lab.trace)
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    lines = [trace_entry.path.lower() for trace_entry in list(stage.lab.trace)[count:]]
    assert [name for name in lines if "circuits" in name] == []
    connections = [
        name.partition("microsoft.network/")[2] for name in lines if "connections" in name
    ]
    assert sorted(connections) == [
        "connections/there",
        "virtualnetworkgateways/er/connections",
        "virtualnetworkgateways/vpn/connections",
    ]


def test_the_drill_cuts_one_location_off_until_it_is_stopped(stage: Stage) -> None:
    make(stage)
    assert stage.run("drill", "start", "--yes") == 3
    assert "Use --gateway er to skip the prompt (--yes is not enough)" in stage.err
    assert stage.run("drill", "start", "--yes", "--gateway", "ER") == 3
    assert "expected the name er, found 'ER'" in stage.err
    assert posts(stage) == []

    report = stage.json(*START)
    assert (report["peering_location"], report["status"]) == ("Amsterdam", "Running")
    assert report["changed"] is True
    assert "2 of 4 edge peers are Connected" in report["peers"]
    out = stage.do("status")
    verdict, banner = below_heading(out).splitlines()[:2]
    assert verdict.startswith("DRILL: ")
    assert banner.startswith("*** A SITE FAILOVER TEST OF er IS RUNNING")
    assert "*** To stop it: erfailover drill stop" in below_heading(out).splitlines()[:5]
    assert "er is degraded: 2 of 4 edge peers Connected" in out
    drill = stage.json("status")["drill"]
    assert (drill["running"], drill["peering_location"]) == (True, "Amsterdam")
    assert drill["to_stop"] == "erfailover drill stop"
    assert stage.json(*START)["changed"] is False

    report = stage.json("drill", "stop", "--yes")
    assert (report["successful"], report["changed"]) == (True, True)
    assert report["connections"] == [
        {"name": "to-c2", "peering_location": "Dublin", "verified": True}
    ]
    status = stage.json("status")
    assert (status["drill"]["running"], status["warnings"]) == (False, [])
    assert stage.json("drill", "stop", "--yes")["changed"] is False
    assert posts(stage) == ["startSiteFailoverTest", "stopSiteFailoverTest"]
    runs = stage.json("history")
    assert [(run["command"], run["outcome"]) for run in runs] == [
        ("drill start", "done"),
        ("drill stop", "done"),
    ]


def test_what_only_the_lost_location_carries_is_lost_and_filed_as_not_withstood(
    stage: Stage,
) -> None:
    maker = make(stage)
    maker.private_peering("c2", "Disabled")
    stage.do(*START)
    assert stage.run("status") == 6
    assert below_heading(stage.out).splitlines()[1].startswith("*** A SITE FAILOVER TEST")
    report = stage.json("drill", "stop", "--yes")
    assert report["successful"] is False
    assert stage.json("status")["healthy"] is True


def test_a_single_peering_location_has_no_such_drill(stage: Stage) -> None:
    make(stage, "Amsterdam", "Amsterdam")
    assert stage.run(*START) == 3
    assert "er has circuits at 1 peering location (Amsterdam)" in stage.err
    assert "erfailover switch --to ipsec" in stage.err
    assert posts(stage) == []


def test_a_location_without_a_circuit_is_refused_with_those_there_are(stage: Stage) -> None:
    make(stage, drill="drill: {peering_location: Vienna}\n")
    assert stage.run(*START) == 3
    assert "'Vienna'; expected one of: Amsterdam, Dublin" in stage.err


def test_an_unreadable_circuit_is_unknown_and_keeps_only_the_drill_from_starting(
    stage: Stage,
) -> None:
    make(stage)
    stage.lab.add_faults(Fault(FaultKind.FORBIDDEN, "GET", "expressRouteCircuits/c2", times=0))
    out = stage.do("status", "--details")
    assert "unknown  circuit of to-c2" in out
    (_, second) = stage.json("status")["connections"]["primary"]
    assert second["circuit"] is None
    assert "AuthorizationFailed" in second["unknown"][0]
    assert stage.run(*START) == 4
    assert "some peering locations of er are unknown (known: Amsterdam)" in stage.err
    assert posts(stage) == []


def test_connections_that_cannot_be_read_never_decide_a_status(stage: Stage) -> None:
    make(stage, "Amsterdam")
    for path in ("virtualNetworkGateways/vpn/connections", "connections/to-c1", "er/getFailover*"):
        stage.lab.add_faults(Fault(FaultKind.FORBIDDEN, "*", path, times=0))
    out = stage.do("status", "--details")
    assert (
        below_heading(out)
        .splitlines()[1]
        .startswith("Unknown whether a site failover test of er is running: ")
    )
    assert "unknown  connections of vpn: " in out
    assert "unknown  connection to-c1: " in out
    assert stage.run("drill", "stop", "--yes") == 4


def test_a_test_that_somebody_else_started_is_shouted_about_and_stopped(stage: Stage) -> None:
    maker = make(stage, drill="")
    assert stage.run("drill", "start") == 2
    place = "virtualNetworkGateways/er"
    started = maker.act(place, "startSiteFailoverTest", peeringlocation="Dublin")
    assert started.status == 202
    maker.wait(60)
    assert "the circuits at Dublin" in below_heading(stage.do("status")).splitlines()[1]
    (stage.folder / "erfailover.yaml").write_text(
        (stage.folder / "erfailover.yaml").read_text() + "drill: {peering_location: Amsterdam}\n"
    )
    assert stage.run(*START) == 3
    assert "at Dublin is Running; expected none" in stage.err
    stage.do("drill", "stop", "--yes")
    assert stage.json("status")["drill"]["running"] is False


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.DROP_BEFORE])
def test_a_start_whose_answer_is_lost_is_looked_up_before_it_is_repeated(
    stage: Stage, kind: FaultKind
) -> None:
    make(stage)
    stage.lab.add_faults(Fault(kind, "POST", "virtualNetworkGateways/er/startSite*"))
    stage.do(*START)
    gateway = stage.resource("Microsoft.Network/virtualNetworkGateways", "er")
    (test,) = json.loads(gateway.hidden["failoverTests"])
    assert test["status"] == "Running"


def test_a_start_that_azure_fails_at_is_told_and_leaves_nothing_cut_off(stage: Stage) -> None:
    make(stage)
    fault = Fault(
        FaultKind.FAILED, "POST", "virtualNetworkGateways/er/startSite*", code="Oops", times=0
    )
    stage.lab.add_faults(fault)
    assert stage.run(*START) == 5
    assert "Oops" in stage.err
    status = stage.json("status")
    assert (status["healthy"], status["drill"]["running"]) == (True, False)


def test_a_summary_of_the_hub_counts_for_its_spoke(stage: Stage) -> None:
    make(stage, "Amsterdam", summarizedGatewayPrefixes={"addressPrefixes": ["10.0.0.0/14"]})
    status = stage.json("status")
    assert status["healthy"] is True
    assert "er originates 10.0.0.0/14, its hub's summary, which covers 10.1.0.0/16" in json.dumps(
        status
    )


def summarize(stage: Stage, *networks: str) -> None:
    """Have hubs advertise 10.0.0.0/14 instead of narrower prefixes."""
    maker = Maker(stage.lab, stage.clock, "rg-we")
    for network in networks:
        body: Any = maker.ask("GET", f"virtualNetworks/{network}").body
        body["properties"]["summarizedGatewayPrefixes"] = {"addressPrefixes": ["10.0.0.0/14"]}
        maker.put(f"virtualNetworks/{network}", body["properties"])
    maker.wait(60)


def test_a_switch_goes_to_a_hub_that_advertises_a_summary(provisioned: Stage) -> None:
    stage = provisioned
    summarize(stage, "vnet3")
    assert stage.json("switch", "--to", "ipsec", "--yes", "--planned")["verified"] is True
    assert stage.json("status")["healthy"] is True


def test_a_summary_that_both_hubs_advertise_is_refused(provisioned: Stage) -> None:
    stage = provisioned
    summarize(stage, "vnet2", "vnet3")
    assert stage.run("switch", "--to", "ipsec", "--yes", "--planned") == 3
    assert "Remove 10.0.0.0/14 from summarizedGatewayPrefixes of vnet2" in " ".join(
        stage.err.split()
    )
    assert stage.json("status")["path"] == "expressroute"


def test_the_drill_of_a_vpn_stand_in_is_shouted_about_while_it_runs(provisioned: Stage) -> None:
    stage = provisioned
    assert stage.json("status")["drill"]["running"] is False
    stage.do("drill", "start", "--yes")
    assert stage.run("status") == 6
    verdict, banner = below_heading(stage.out).splitlines()[:2]
    assert verdict.startswith("DRILL: ")
    assert banner.startswith("*** A DRILL IS RUNNING: the BGP peering address of lng1")
    drill: Any = stage.json("status")["drill"]
    assert (drill["running"], drill["what"]) == (True, "local network gateway")
    stage.do("drill", "stop", "--yes")
    assert stage.json("status")["drill"]["to_stop"] is None


def test_a_site_failover_test_of_a_vpn_gateway_is_refused(provisioned: Stage) -> None:
    stage = provisioned
    file = stage.folder / "erfailover.yaml"
    head, _, rest = file.read_text().partition("drill:\n")
    rest = rest[rest.index("timing:") : rest.index('# What "provision" creates')]
    file.write_text(f"{head}drill: {{peering_location: Amsterdam}}\n{rest}")
    for words in (("drill", "start", "--gateway", "vng1"), ("drill", "stop", "--yes")):
        assert stage.run(*words) == 3
        assert "vng1 is a gateway of type Vpn" in stage.err
