"""The hold time before a switch back, on a site whose primary is an ExpressRoute gateway."""

from __future__ import annotations

import re

import pytest

from erfailover.lab.auth.rbac import Access, Assignment
from erfailover.lab.engine import customer_edges
from erfailover.lab.engine.customer_edges import SessionLoss
from erfailover.lab.engine.faults import Fault, FaultKind
from tests.support.express_site import Maker, make
from tests.support.stage import Stage

BACK = ("switch", "--to", "expressroute", "--yes")
SUMMARY = "expressRouteCircuits/*/routeTablesSummary/*"


def lose(stage: Stage, *paths: str, circuit: str = "c1", **more: float) -> None:
    stage.lab.catch_up()
    resource = customer_edges.find_circuit(stage.lab, circuit)
    customer_edges.lose_sessions(stage.lab, resource, SessionLoss(paths, **more))  # type: ignore[arg-type]


@pytest.fixture
def away(stage: Stage) -> Maker:
    """The site on IPsec, its only circuit long since up."""
    maker = make(stage, "Amsterdam", drill="")
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    maker.wait(3600)
    return maker


def list_requested_names(stage: Stage, since: int) -> list[str]:
    return [trace_entry.path.rsplit("/", 1)[-1] for trace_entry in list(stage.lab.trace)[since:]]


def test_a_prefix_that_is_back_for_seconds_does_not_hold_although_the_gateways_peers_are_old(
    stage: Stage, away: Maker
) -> None:
    lose(stage, "primary", "secondary")
    away.wait(60)
    lose(stage)
    away.wait(15)
    peers = stage.json("status")["gateways"][0]["peers"]
    assert {peer["state"] for peer in peers} == {"Connected"}
    assert all(peer["connected_duration"] > "01:00:00" for peer in peers)
    assert stage.run(*BACK, "--no-hold-wait") == 3
    assert "er: every remote prefix seen for 0 s of 2 min" in stage.err
    assert re.search(r"session of circuit c1 with AS 65020 has been up for [234]\d s", stage.err)
    began = stage.clock.now()
    assert stage.json(*BACK)["verified"] is True
    assert stage.clock.now() - began > 120
    assert stage.err.count("Waiting for the hold time") == 1
    assert "er: every remote prefix seen for 2 min" in stage.err


def test_a_circuit_that_flaps_is_not_gone_back_to(stage: Stage, away: Maker) -> None:
    lose(stage, "primary", "secondary", seconds=20, every=60, times=0)
    away.wait(40)
    began = stage.clock.now()
    assert stage.run(*BACK) == 3
    assert stage.clock.now() - began > 240
    assert "the count restarted" in stage.err
    assert "er has not learned 10.5.0.0/16 by BGP" in stage.err
    session = re.findall(r"AS 65020 (?:has been up for (\d+) s|is down)", stage.err)
    assert session
    assert all(int(item or 0) <= 60 for item in session)
    lines = [line for line in stage.err.splitlines() if line.startswith("Waiting for the hold")]
    assert 2 <= len(lines) <= 12
    assert stage.json("status")["path"] == "ipsec"


def test_a_session_that_flapped_unseen_by_the_gateway_counts(stage: Stage, away: Maker) -> None:
    """A flap shorter than the gateway's delay shows in the summary alone."""
    lose(stage, "primary", "secondary", seconds=1)
    away.wait(30)
    assert stage.run(*BACK, "--no-hold-wait") == 3
    assert re.search(r"session of circuit c1 with AS 65020 has been up for \d\d s", stage.err)


def test_one_edge_router_that_keeps_the_customer_edge_is_enough(stage: Stage, away: Maker) -> None:
    lose(stage, "primary")
    away.wait(60)
    assert stage.json(*BACK)["verified"] is True
    assert re.search(r"session of circuit c1 with AS 65020 has been up for 1 h \d\d min", stage.err)


def test_where_the_summary_may_not_be_read_what_is_seen_decides_and_the_plan_says_so(
    stage: Stage, away: Maker
) -> None:
    stage.lab.faults.add(Fault(FaultKind.FORBIDDEN, "POST", SUMMARY, times=0))
    plan = stage.json("switch", "--to", "expressroute", "--dry-run")
    assert (
        "measured by how long erfailover itself has seen every remote prefix" in plan["hold_time"]
    )
    assert "AuthorizationFailed" in plan["hold_time"]
    text = stage.do("switch", "--to", "expressroute", "--dry-run")
    assert "so only erfailover's own readings count" in " ".join(text.split())
    began = stage.clock.now()
    assert stage.json(*BACK)["verified"] is True
    assert stage.clock.now() - began > 120


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.EMPTY, "POST", SUMMARY, times=0),
        Fault(
            FaultKind.ANSWER,
            "POST",
            SUMMARY,
            times=0,
            status=200,
            body={
                "value": [{"neighbor": "1", "as": 65020, "upDown": "a while", "statePfxRcd": "2"}]
            },
        ),
        Fault(FaultKind.ANSWER, "POST", SUMMARY, times=0, status=200, body={"value": [None, {}]}),
        Fault(FaultKind.ANSWER, "POST", SUMMARY, times=0, status=200, body={"value": None}),
        Fault(FaultKind.ANSWER, "POST", SUMMARY, times=0, status=404, code="NotFound"),
    ],
)
def test_what_cannot_be_parsed_is_unknown_and_never_a_long_session(
    stage: Stage, away: Maker, fault: Fault
) -> None:
    stage.lab.faults.add(fault)
    plan = stage.json("switch", "--to", "expressroute", "--dry-run")
    assert "so only erfailover's own readings count" in plan["hold_time"]
    assert stage.run(*BACK, "--no-hold-wait") == 3
    assert "seen for 0 s" in stage.err


def test_an_empty_table_now_and_then_neither_counts_nor_starts_again(
    stage: Stage, away: Maker
) -> None:
    path = "virtualNetworkGateways/er/getLearnedRoutes"
    stage.lab.faults.add(Fault(FaultKind.EMPTY, "POST", path, nth=4, every=4, times=5))
    assert stage.json(*BACK)["verified"] is True
    assert "restarted" not in stage.err


def test_the_plan_and_the_question_say_what_the_hold_time_rests_on(
    stage: Stage, away: Maker
) -> None:
    text = " ".join(stage.do("switch", "--to", "expressroute", "--dry-run").split())
    assert "Hold time before a switch back: 2 min, measured by the shorter of" in text
    assert "circuit c1 with AS 65020: up for 1 h" in text
    assert stage.run("switch", "--to", "expressroute") == 3
    assert "has been up for 1 h" in stage.err.splitlines()[-2] + stage.err.splitlines()[-1]
    assert "Switch express to expressroute?" in stage.err


def test_a_switch_to_ipsec_asks_no_circuit_and_names_no_hold_time(stage: Stage) -> None:
    make(stage, "Amsterdam")
    count = len(stage.lab.trace)
    assert stage.json("switch", "--to", "ipsec", "--dry-run")["hold_time"] is None
    assert not any(
        "circuits" in trace_entry.path.lower() for trace_entry in list(stage.lab.trace)[count:]
    )


def test_the_role_grants_the_summary_by_its_published_name(stage: Stage, away: Maker) -> None:
    role = stage.json("permissions", "--role-definition", "switch")
    name = "Microsoft.Network/expressRouteCircuits/peerings/routeTablesSummary/read"
    assert name in role["Actions"]
    stage.lab.access = Access((Assignment(away.group, tuple(role["Actions"]), ()),))
    assert "up for 1 h" in stage.json("switch", "--to", "expressroute", "--dry-run")["hold_time"]
    less = tuple(item for item in role["Actions"] if item != name)
    stage.lab.access = Access((Assignment(away.group, less, ()),))
    value = stage.json("switch", "--to", "expressroute", "--dry-run")["hold_time"]
    assert "AuthorizationFailed" in value
