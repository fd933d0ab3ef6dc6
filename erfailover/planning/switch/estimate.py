"""How long a plan of peerings is likely to take: usually, and one time in ten. Pure.

Durations add up along the critical path that ``schedule`` gives the plan. Writes on a hub queue,
so their durations are summed; spokes run beside one another, so the slowest spoke counts. ARM's
limits on requests set a lower bound. Contention, failures and other writers are not included.

Percentiles of a sum are not the sum of percentiles: half of the writes take 3 s or less, but the
average is nearly 6 s, and that is what each of 300 writes in a queue costs. So the sum of
independent writes is taken as a lognormal distribution with the mean and the variance of the sum
(Fenton and Wilkinson's approximation), and the slowest of n spokes at quantile q is one spoke at
q^(1/n). The hub's queue and the slowest spoke are added at the same quantile, as if a slow hub
always met a slow spoke: the 90th percentile is a little too high for it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist, fmean, pvariance

from erfailover.model.durations import PEERING_WRITES, ROUTE_WRITES, DurationEstimate
from erfailover.model.plan import (
    Change,
    NextHopWrites,
    Phase,
    Purpose,
    StepKind,
    SwitchPlan,
    SwitchStep,
)
from erfailover.model.site import Path, Site
from erfailover.planning.switch.procedure import RULES
from erfailover.planning.switch.schedule import split_batches

AT_ONCE, PER_SECOND = 200, 10.0
"""Writes that ARM takes at once, and then a second (documented)."""
WINDOW, WINDOW_S = 1_000, 300.0
"""Writes that Microsoft.Network takes in five minutes (documented)."""
QUANTILES = 0.5, 0.9
"""The median and the 90th percentile."""
SAMPLES = {
    change: [usual.compute_quantile((n + 0.5) / 100) for n in range(100)]
    for change, usual in PEERING_WRITES.items()
}
MOMENTS = {change: (fmean(group), pvariance(group)) for change, group in SAMPLES.items()}
"""Mean and variance of each kind of write."""
_ROUTES = [ROUTE_WRITES.compute_quantile((n + 0.5) / 100) for n in range(100)]
ROUTE_MOMENTS = fmean(_ROUTES), pvariance(_ROUTES)
"""Mean and variance of a write of a route."""


@dataclass(frozen=True, slots=True)
class SwitchEstimate:
    """What to expect of a plan, in seconds from the first write.

    Attributes:
        cut: how long one spoke is between break and make; None if none is.
        moved: until the last spoke uses the other gateway; None if none is moved.
        done: until everything is written.
    """

    cut: DurationEstimate | None
    moved: DurationEstimate | None
    done: DurationEstimate


def estimate_step(step: SwitchStep) -> DurationEstimate | None:
    """How long the write of a step takes; None if nothing is written."""
    if not isinstance(step.write, NextHopWrites):
        return PEERING_WRITES.get(str(step.write.change))
    if step.write.change is Change.KEEP:
        return None
    return _build_usual(_sum([step], quantile) for quantile in QUANTILES)


@dataclass(frozen=True, slots=True)
class Work:
    """Writes of peerings in the order in which they are made.

    Attributes:
        batches: what is written until a batch of spokes is moved, for each batch.
        cleanup: what is written after that.
    """

    batches: tuple[tuple[SwitchStep, ...], ...]
    cleanup: tuple[SwitchStep, ...]

    @classmethod
    def from_plan(cls, site: Site, plan: SwitchPlan, canary: str | None = None) -> Work:
        """Return the writes of a plan."""
        critical = tuple(
            tuple(step for _, steps in batch.members for step in steps if not _is_cleanup(step))
            for batch in split_batches(site, plan, canary)
        )
        return cls(critical, tuple(filter(_is_cleanup, plan.writes)))

    def drop_steps(self, ids: Container[str]) -> Work:
        """Return what is left of it without the steps of some ids."""
        remaining = tuple(
            tuple(step for step in batch if step.id not in ids) for batch in self.batches
        )
        return Work(remaining, tuple(step for step in self.cleanup if step.id not in ids))

    def compute_end_times(self, quantile: float) -> tuple[float, float]:
        """Return when the last spoke is moved and when all is written, at a quantile."""
        critical = [step for batch in self.batches for step in batch]
        spokes_s = sum(_estimate_slowest(batch, quantile) for batch in self.batches)
        moved_s = max(
            _sum(_select_hub_steps(critical), quantile) + spokes_s,
            _compute_rate_limit_s(len(critical)),
        )
        writes = [*critical, *self.cleanup]
        queued_s = _sum(_select_hub_steps(writes), quantile) + spokes_s
        return moved_s, max(
            queued_s,
            moved_s + _estimate_slowest(self.cleanup, quantile),
            _compute_rate_limit_s(len(writes)),
        )


def _is_cleanup(step: SwitchStep) -> bool:
    return step.phase is Phase.CLEANUP


def estimate_plan(site: Site, plan: SwitchPlan) -> SwitchEstimate | None:
    """Return what to expect of a plan; None if nothing is written."""
    writes = plan.writes
    if not writes:
        return None
    broken = next((step for step in writes if step.kind is StepKind.BREAK), None)
    switch_step = next((step for step in writes if step.kind is StepKind.MAKE), None)
    routed = (step for step in writes if step.kind is StepKind.MOVE_NEXT_HOPS)
    last = [step for step in routed if broken and step.spoke == broken.spoke]
    moves = any(step.phase is Phase.SWITCH for step in writes)
    work = Work.from_plan(site, plan)
    moved, done = zip(*(work.compute_end_times(quantile) for quantile in QUANTILES), strict=True)
    return SwitchEstimate(
        _build_usual(_sum((broken, switch_step, *last), value) for value in QUANTILES)
        if broken and switch_step
        else None,
        _build_usual(moved) if moves else None,
        _build_usual(done),
    )


def estimate_prestaging_gain(site: Site, plan: SwitchPlan) -> float | None:
    """Return how many seconds sooner the last spoke would be moved had all been prestaged.

    None if ``prestage`` could not have made a difference: it prepares switches to the backup.
    """
    if plan.purpose is not Purpose.SWITCH or plan.target is not Path.IPSEC or plan.undoes:
        return None
    rest = tuple(step for step in plan.writes if step.phase is not Phase.PREPARE)
    cold, warm = estimate_plan(site, plan), estimate_plan(site, replace(plan, steps=rest))
    if len(rest) == len(plan.writes) or not (cold and cold.moved and warm and warm.moved):
        return None
    return round(cold.moved.usually_s - warm.moved.usually_s, 1)


def _build_usual(figures: Iterable[float]) -> DurationEstimate:
    return DurationEstimate(*(round(figure, 1) for figure in figures))


def _group_by_spoke(steps: Iterable[SwitchStep]) -> dict[str, list[SwitchStep]]:
    by_name: dict[str, list[SwitchStep]] = {}
    for step in steps:
        by_name.setdefault(step.spoke, []).append(step)
    return by_name


def _select_hub_steps(steps: Iterable[SwitchStep]) -> list[SwitchStep]:
    return [step for step in steps if RULES[step.kind].writes_hub]


def _estimate_slowest(steps: Iterable[SwitchStep], quantile: float) -> float:
    """Return how long the slowest spoke takes for the writes on its own VNet."""
    spokes = _group_by_spoke(step for step in steps if not RULES[step.kind].writes_hub).values()
    return max((_sum(own, quantile ** (1 / len(spokes))) for own in spokes), default=0.0)


def _sum(steps: Sequence[SwitchStep], quantile: float) -> float:
    """Return how long writes take one after the other, at a quantile."""
    if not steps:
        return 0.0
    means, variances = zip(*(row for step in steps for row in _list_moments(step)), strict=True)
    mean = math.fsum(means)
    spread = math.log(1 + math.fsum(variances) / mean**2)
    return mean * math.exp(NormalDist().inv_cdf(quantile) * math.sqrt(spread) - spread / 2)


def _list_moments(step: SwitchStep) -> list[tuple[float, float]]:
    """Return mean and variance of the writes of a step that are made one after the other.

    Those of one route table are; several tables are written side by side.
    """
    if not isinstance(step.write, NextHopWrites):
        return [MOMENTS[str(step.write.change)]]
    by_table = Counter(write.table_id for write in step.write.routes)
    return [ROUTE_MOMENTS] * max(by_table.values())


def _compute_rate_limit_s(writes: int) -> float:
    """How long ARM's limits make so many writes take, at least."""
    return max((writes - AT_ONCE) / PER_SECOND, (writes - 1) // WINDOW * WINDOW_S, 0.0)
