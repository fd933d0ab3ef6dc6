"""When a drill may begin, what refuses it, and when the next is due."""

from __future__ import annotations

from dataclasses import replace

import pytest

from erfailover.errors import Refused, UnknownReading
from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.durations import DAY_S
from erfailover.model.history import RunRecord
from erfailover.model.plan import SwitchPlan
from erfailover.model.site import Path
from erfailover.model.watch import Pause
from erfailover.planning.drill.due import describe_due, find_last_drill, is_due
from erfailover.planning.drill.readiness import check_plan, check_site, insist
from erfailover.planning.drill.state import DrillState
from erfailover.planning.health import Health, SpokeHealth

HOLDS = Condition("ok", ConditionStatus.HOLDS, "fine")
FAILS = Condition("bad", ConditionStatus.FAILS, "vng2 is down", "Repair it.", spoke="vnet1")
UNKNOWN = Condition("unread", ConditionStatus.UNKNOWN, "vng2 was not read")
GOOD = SpokeHealth("vnet1", "expressroute", True, (HOLDS,))
HEALTHY = Health("expressroute", True, (GOOD,), ConditionStatus.HOLDS, ())
CALM = DrillState(False)
SOON = Pause("carrier works tonight", since=0.0, until=5400.0, by="anna@ops1")
FOREVER = Pause("new firewall", since=0.0)


def list_messages(
    health: Health = HEALTHY,
    state: DrillState = CALM,
    unfinished: RunRecord | None = None,
    problems: tuple[str, ...] = (),
    pause: Pause | None = None,
    now: float = 0.0,
) -> list[str]:
    checks = check_site(health, state, unfinished, problems, pause, now)
    return [check.message for check in checks]


def with_spoke(path: str, healthy: bool | None) -> Health:
    return replace(HEALTHY, spokes=(GOOD, SpokeHealth("vnet2", path, healthy, (UNKNOWN,))))


def test_a_healthy_site_has_nothing_against_a_drill() -> None:
    assert list_messages() == []
    insist([], "drill vnet1")


@pytest.mark.parametrize(
    ("health", "message"),
    [
        (with_spoke("ipsec", True), "vnet2 is on IPsec; expected ExpressRoute"),
        (with_spoke("none", False), "vnet2 has NO path; expected ExpressRoute"),
        (with_spoke("expressroute", False), "vnet2 is not healthy: vng2 was not read"),
        (with_spoke("unknown", None), "vnet2 is not healthy: vng2 was not read"),
        (replace(HEALTHY, warnings=("er is degraded",)), "er is degraded"),
    ],
)
def test_another_spoke_that_is_not_healthy_is_against_it(health: Health, message: str) -> None:
    assert list_messages(health) == [message]


def test_a_spoke_whose_health_is_unknown_is_unknown_and_not_a_failure() -> None:
    (check,) = check_site(with_spoke("expressroute", None), CALM, None)
    assert check.status is ConditionStatus.UNKNOWN


@pytest.mark.parametrize("running", [True, None])
def test_a_drill_that_runs_or_may_run_is_against_it(running: bool | None) -> None:
    assert list_messages(state=DrillState(running, "test", "A DRILL")) == ["A DRILL"]


def test_an_unfinished_run_and_an_unreadable_journal_are_against_it() -> None:
    run = RunRecord("r1", "switch", "2026-01-01T00:00:00Z", target="ipsec")
    (check,) = check_site(HEALTHY, CALM, run)
    assert check.remedy == "Run this first: erfailover switch --to ipsec"
    assert list_messages(problems=("The journal is damaged.",)) == ["The journal is damaged."]


@pytest.mark.parametrize(
    ("pause", "now", "messages"),
    [
        (
            SOON,
            1800.0,
            ["the site is paused by anna@ops1 for another 1 h: carrier works tonight"],
        ),
        (SOON, 5400.0, []),
        (FOREVER, 1e9, ["the site is paused: new firewall"]),
    ],
)
def test_a_pause_is_against_it_until_it_is_over(
    pause: Pause, now: float, messages: list[str]
) -> None:
    assert list_messages(pause=pause, now=now) == messages


PLAN = SwitchPlan("poc", Path.IPSEC, (), (), leaves_healthy=("vnet1",))


def list_plan_messages(plan: SwitchPlan, hazards: tuple[Condition, ...] = ()) -> list[str]:
    return [check.message for check in check_plan(plan, ("vnet1",), hazards)]


def test_the_way_there_and_the_way_back_must_both_be_open() -> None:
    assert list_plan_messages(PLAN) == []
    assert list_plan_messages(replace(PLAN, guards=(HOLDS, FAILS))) == ["vng2 is down"]
    assert list_plan_messages(replace(PLAN, way_back=(UNKNOWN,))) == ["vng2 was not read"]
    assert list_plan_messages(replace(PLAN, left_out={"vnet1": FAILS})) == ["vng2 is down"]
    assert list_plan_messages(PLAN, (FAILS,)) == ["vng2 is down"]


def test_a_spoke_that_is_not_known_to_leave_a_healthy_path_is_not_drilled() -> None:
    (message,) = list_plan_messages(replace(PLAN, leaves_healthy=()))
    assert message == "vnet1 would not be taken off a healthy ExpressRoute path"


def test_a_failure_refuses_and_only_an_unknown_reading_is_unknown() -> None:
    with pytest.raises(Refused, match="refusing to drill vnet1: vng2 is down; vng2 was") as caught:
        insist([FAILS, UNKNOWN, FAILS], "drill vnet1")
    assert caught.value.hint == "Nothing was changed. Repair it."
    with pytest.raises(UnknownReading, match="on an unknown reading"):
        insist([UNKNOWN], "drill vnet1")


def run(
    id_: str, command: str, day: int, outcome: str = "done", *, there: str | None = "a"
) -> RunRecord:
    moment = f"2026-03-{day:02d}T03:00:00.000Z"
    record = RunRecord(id_, command, moment, ended=moment, outcome=outcome, spokes=("vnet1",))
    record.result = {"there": there}
    record.message = None if outcome == "done" else "probe office fails"
    return record


DAY_10 = 1773111600.0
"""2026-03-10 03:00 UTC."""


def test_the_last_drill_is_the_last_that_is_over() -> None:
    runs = [run("d1", "drill run", 8), run("s", "switch", 9), run("d2", "drill stop", 10)]
    last = find_last_drill(runs)
    assert last is not None
    assert (last.run, last.at, last.succeeded) == ("d2", DAY_10, True)
    assert find_last_drill([]) is None
    assert find_last_drill([run("s", "switch", 9), run("d", "drill start", 9)]) is None


@pytest.mark.parametrize(
    "later",
    [
        run("x", "drill run", 12, "open"),
        run("x", "drill run", 12, "interrupted"),
        run("x", "drill run", 12, "failed", there=None),
    ],
)
def test_a_drill_that_did_not_take_place_does_not_count(later: RunRecord) -> None:
    last = find_last_drill([run("d", "drill run", 10), later])
    assert last is not None
    assert last.run == "d"


def test_a_failed_drill_took_place_and_proves_nothing() -> None:
    runs = [run("d", "drill run", 9), run("x", "drill run", 10, "failed")]
    last, proof = find_last_drill(runs), find_last_drill(runs, succeeded=True)
    assert last is not None
    assert proof is not None
    assert (last.run, last.succeeded, proof.run) == ("x", False, "d")
    assert last.describe(DAY_10 + 7200.0) == (
        "drill run --canary vnet1 (run x), 2 h ago, FAILED: probe office fails"
    )


def test_a_record_whose_time_cannot_be_read_does_not_count() -> None:
    record = run("d", "drill run", 9)
    record.ended = "yesterday"
    assert find_last_drill([record]) is None


@pytest.mark.parametrize(
    ("after_s", "days", "due"),
    [(0.0, 1, False), (DAY_S - 1, 1, False), (DAY_S, 1, True), (1e9, 0, False), (DAY_S, 30, False)],
)
def test_a_drill_is_due_so_many_days_after_the_last(after_s: float, days: int, due: bool) -> None:
    assert is_due(find_last_drill([run("d", "drill run", 10)]), DAY_10 + after_s, days) is due


def test_a_site_without_a_drill_is_due_if_drills_are_wanted() -> None:
    assert is_due(None, 0.0, 30)
    assert not is_due(None, 0.0, 0)


def test_what_is_due_names_the_last_proof_and_the_command() -> None:
    text = describe_due(find_last_drill([run("d", "drill run", 10)]), DAY_10 + 31 * DAY_S, 30)
    assert text.startswith("A drill is due every 30 days; the last one that succeeded was drill")
    assert text.endswith("erfailover drill run --canary SPOKE")
    assert "none is recorded" in describe_due(None, 0.0, 1)
