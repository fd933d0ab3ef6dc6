"""The estimated times agree with runs that are played through with drawn durations."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from statistics import quantiles

import pytest

from erfailover.model.durations import PEERING_WRITES
from erfailover.model.plan import Phase, SwitchPlan
from erfailover.model.site import Path, Site
from erfailover.planning.switch import procedure
from erfailover.planning.switch.estimate import estimate_plan, estimate_prestaging_gain
from erfailover.planning.switch.prestage import prestage
from erfailover.planning.switch.schedule import BATCH
from tests.support import sites

PLAYS = 400


def make_site_and_plan(count: int, *, prestaged: bool) -> tuple[Site, SwitchPlan]:
    site = sites.site(*(f"vnet{100 + n}" for n in range(count)))
    state = sites.make_state(Path.EXPRESSROUTE, site)
    plan = procedure.plan(site, sites.make_snapshot(site, state), Path.IPSEC)
    if prestaged:
        for step in plan.writes:
            if step.phase is Phase.PREPARE and step.peering.after:
                state[step.peering.name] = (step.peering.after, "Connected")
        plan = procedure.plan(site, sites.make_snapshot(site, state), Path.IPSEC)
    return site, plan


def simulate_runs(plan: SwitchPlan) -> tuple[list[float], list[float]]:
    """Medians and nineties of when the last spoke is moved and all is done, hubs one at a time."""
    chance = Random(1)
    moved, done = [], []
    for _ in range(PLAYS):
        chains: dict[str, float] = {}
        queue = late = 0.0
        for step in plan.writes:
            seconds = PEERING_WRITES[str(step.peering.change)].compute_quantile(chance.random())
            if not procedure.RULES[step.kind].writes_hub:
                chains[step.spoke] = chains.get(step.spoke, 0.0) + seconds
            elif step.phase is Phase.CLEANUP:
                late += seconds
            else:
                queue += seconds
        moved.append(queue + max(chains.values()))
        done.append(moved[-1] + late)
    deciles = (quantiles(group, n=10) for group in (moved, done))
    return tuple([decile[4], decile[8]] for decile in deciles)  # type: ignore[return-value]


@pytest.mark.parametrize("prestaged", [False, True])
@pytest.mark.parametrize("count", [1, 2, 12, 100])
def test_the_arithmetic_is_near_what_is_played_through(count: int, prestaged: bool) -> None:
    assert count <= BATCH
    site, plan = make_site_and_plan(count, prestaged=prestaged)
    estimate = estimate_plan(site, plan)
    assert estimate
    assert estimate.moved
    for usual, (median, ninety) in zip(
        (estimate.moved, estimate.done), simulate_runs(plan), strict=True
    ):
        assert usual.usually_s == pytest.approx(median, rel=0.2)
        assert 0.9 * ninety < usual.one_in_ten_s < 1.5 * ninety


def test_the_limits_on_requests_are_a_lower_bound() -> None:
    site, plan = make_site_and_plan(500, prestaged=True)
    estimate = estimate_plan(site, plan)
    assert estimate
    assert estimate.moved
    assert (estimate.moved.usually_s, estimate.moved.one_in_ten_s) == (80.0, 80.0), "1,000 writes"
    assert estimate.cut
    assert estimate.cut.usually_s < 20.0, "one spoke's cut does not depend on how many there are"


def test_the_same_plan_has_the_same_figures_and_an_empty_one_has_none() -> None:
    site, plan = make_site_and_plan(12, prestaged=False)
    assert estimate_plan(site, plan) == estimate_plan(site, plan)
    empty = procedure.plan(
        site, sites.make_snapshot(site, sites.make_state(Path.IPSEC, site)), Path.IPSEC
    )
    assert estimate_plan(site, empty) is None


@pytest.mark.parametrize("count", [1, 12, 300])
def test_prestaging_saves_what_the_preparation_takes(count: int) -> None:
    (site, cold), (_, warm) = (
        make_site_and_plan(count, prestaged=False),
        make_site_and_plan(count, prestaged=True),
    )
    slow, quick = estimate_plan(site, cold), estimate_plan(site, warm)
    assert slow
    assert slow.moved
    assert quick
    assert quick.moved
    saved_s = slow.moved.usually_s - quick.moved.usually_s
    assert saved_s > 0
    assert estimate_prestaging_gain(site, cold) == pytest.approx(saved_s, abs=0.1)
    assert estimate_prestaging_gain(site, warm) is None


def test_only_a_switch_to_the_backup_can_be_prestaged() -> None:
    site, plan = make_site_and_plan(2, prestaged=False)
    assert estimate_prestaging_gain(site, replace(plan, undoes="switch --to expressroute")) is None
    assert (
        estimate_prestaging_gain(
            site,
            prestage(site, sites.make_snapshot(site, sites.make_state(Path.EXPRESSROUTE, site))),
        )
        is None
    )
    back = procedure.plan(
        site, sites.make_snapshot(site, sites.make_state(Path.IPSEC, site)), Path.EXPRESSROUTE
    )
    assert back.writes
    assert estimate_prestaging_gain(site, back) is None
