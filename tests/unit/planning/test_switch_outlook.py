"""How far a run is and how long the rest takes: counts of spokes, batches, the pace so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from erfailover.model.outlook import RunState, SpokeCounts
from erfailover.model.plan import Phase, Purpose, SwitchPlan
from erfailover.model.site import Path, Site
from erfailover.model.tasks import State
from erfailover.planning.switch import prestage, procedure
from erfailover.planning.switch.estimate import estimate_plan
from erfailover.planning.switch.outlook import SwitchOutlook
from erfailover.planning.switch.schedule import BATCH
from tests.support import sites


def make_site_and_plan(count: int, target: Path = Path.IPSEC) -> tuple[Site, SwitchPlan]:
    site = sites.site(*(f"vnet{100 + n}" for n in range(count)))
    snapshot = sites.make_snapshot(site, sites.make_state(target.other, site))
    return site, procedure.plan(site, snapshot, target)


def state(
    done: Iterable[str] = (),
    elapsed_s: float = 0.0,
    in_flight: dict[str, float] | None = None,
    others: dict[str, State] | None = None,
) -> RunState:
    return RunState(elapsed_s, dict.fromkeys(done, State.DONE) | (others or {}), in_flight or {})


def ids(plan: SwitchPlan, *phases: Phase, spokes: Iterable[str] = ()) -> list[str]:
    names = set(spokes)
    return [
        step.id
        for step in plan.writes
        if step.phase in phases and (not names or step.spoke in names)
    ]


def test_at_the_beginning_all_that_the_plan_said_is_left() -> None:
    for count in (1, 12, 300):
        site, plan = make_site_and_plan(count)
        whole = estimate_plan(site, plan)
        outlook = SwitchOutlook.from_plan(site, plan)(state())
        assert whole
        assert whole.moved
        assert outlook.done_s == pytest.approx(whole.done.usually_s, abs=0.1)
        assert outlook.moved_s == pytest.approx(whole.moved.usually_s, abs=0.1)
        assert outlook.spokes == SpokeCounts(0, 0, 0, count)


def test_a_spoke_is_prepared_then_moved_and_cleanup_does_not_count() -> None:
    site, plan = make_site_and_plan(3)
    outlook = SwitchOutlook.from_plan(site, plan)
    first = ids(plan, Phase.PREPARE, spokes=["vnet100"])
    assert outlook(state(first[:1])).spokes == SpokeCounts(0, 0, 0, 3)
    assert outlook(state(first)).spokes == SpokeCounts(0, 1, 0, 3)
    disconnected = [*first, "vnet100/3"]
    assert outlook(state(disconnected)).spokes == SpokeCounts(0, 1, 0, 3)
    assert outlook(state([*disconnected, "vnet100/4"])).spokes == SpokeCounts(1, 0, 0, 3)
    all_moved = outlook(state(ids(plan, Phase.PREPARE, Phase.SWITCH), 50.0))
    assert all_moved.spokes == SpokeCounts(3, 0, 0, 3)
    assert all_moved.moved_s is None
    assert all_moved.done_s is not None
    assert 5 < all_moved.done_s < 30, "three writes on one hub"


def test_a_spoke_with_a_step_that_failed_has_failed_unless_it_was_moved() -> None:
    site, plan = make_site_and_plan(2)
    outlook = SwitchOutlook.from_plan(site, plan)
    skipped = dict.fromkeys(("vnet100/3", "vnet100/4", "vnet100/5"), State.SKIPPED)
    failed = state(others={"vnet100/2": State.FAILED, **skipped})
    assert outlook(failed).spokes == SpokeCounts(0, 0, 1, 2)
    moved = ids(plan, Phase.PREPARE, Phase.SWITCH, spokes=["vnet100"])
    assert outlook(state(moved, others={"vnet100/5": State.FAILED})).spokes == SpokeCounts(
        1, 0, 0, 2
    )


def test_the_batch_is_the_first_of_which_a_spoke_is_still_to_be_moved() -> None:
    site, plan = make_site_and_plan(2 * BATCH)
    outlook = SwitchOutlook.from_plan(site, plan)
    assert outlook(state()).batch == (1, 2)
    first = [f"vnet{100 + n}" for n in range(BATCH)]
    assert outlook(state(ids(plan, Phase.PREPARE, Phase.SWITCH, spokes=first))).batch == (2, 2)
    assert outlook(state(ids(plan, Phase.PREPARE, Phase.SWITCH))).batch is None
    canary = SwitchOutlook.from_plan(site, plan, "vnet150")
    assert canary(state()).batch == (1, 3), "a canary goes first, alone"
    one_site, one = make_site_and_plan(1)
    assert SwitchOutlook.from_plan(one_site, one)(state()).batch is None


def left_s(count: int, done: int, elapsed_s: float) -> float:
    """How long is left when some spokes have been prepared, moved and cleaned up."""
    site, plan = make_site_and_plan(count)
    names = [f"vnet{100 + n}" for n in range(done)]
    ended = ids(plan, *Phase, spokes=names) if names else []
    value = SwitchOutlook.from_plan(site, plan)(state(ended, elapsed_s)).done_s
    assert value is not None
    return value


def test_what_has_ended_is_left_out_and_its_pace_counts_for_the_rest() -> None:
    whole = left_s(100, 0, 0.0)
    usual = left_s(100, 50, whole / 2)
    assert usual == pytest.approx(whole / 2, rel=0.1)
    assert left_s(100, 50, whole) > 1.4 * usual, "twice as slow as usual so far"
    assert left_s(100, 50, whole / 4) < 0.8 * usual, "twice as fast as usual so far"
    assert left_s(100, 90, 2 * whole) < left_s(100, 50, whole)


def test_one_slow_write_at_the_beginning_does_not_make_an_hour_of_a_minute() -> None:
    whole = left_s(12, 0, 0.0)
    site, plan = make_site_and_plan(12)
    value = SwitchOutlook.from_plan(site, plan)(state(["vnet100/1"], 60.0)).done_s
    assert value is not None
    assert value < 3 * whole


def test_what_is_in_flight_counts_down_and_never_below_what_is_not_begun() -> None:
    site, plan = make_site_and_plan(1)
    outlook = SwitchOutlook.from_plan(site, plan)
    at_start, later, late, last = (
        outlook(state(ended, elapsed_s, {task: elapsed_s}))
        for ended, task, elapsed_s in (
            ((), "vnet100/1", 0.0),
            ((), "vnet100/1", 2.0),
            ((), "vnet100/1", 500.0),
            (ids(plan, Phase.PREPARE, Phase.SWITCH), "vnet100/5", 100.0),
        )
    )
    assert at_start.done_s
    assert later.done_s == pytest.approx(at_start.done_s - 2.0, abs=0.1)
    assert late.done_s
    assert 10.0 < late.done_s < at_start.done_s, "four steps are not begun"
    assert last.done_s == 0.0, "the last step takes longer than usual"


def test_of_a_run_that_moves_nothing_what_is_done_is_counted() -> None:
    site = sites.site("vnet100", "vnet101")
    snapshot = sites.make_snapshot(site, sites.make_state(Path.EXPRESSROUTE, site))
    plan = prestage.prestage(site, snapshot)
    assert plan.purpose is Purpose.PRESTAGE
    outlook = SwitchOutlook.from_plan(site, plan)
    result = outlook(state(ids(plan, Phase.PREPARE, spokes=["vnet101"])))
    assert result.spokes == SpokeCounts(None, 1, 0, 2)
    assert result.moved_s is None
    assert result.done_s
    only_cleanup = replace(
        plan, steps=tuple(s for s in make_site_and_plan(2)[1].steps if s.number == 5)
    )
    assert SwitchOutlook.from_plan(site, only_cleanup)(state()).spokes == SpokeCounts(None, 0, 0, 2)
