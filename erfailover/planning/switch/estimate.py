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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import NormalDist, fmean, pvariance

from erfailover.model.durations import PEERING_WRITES, Usual
from erfailover.model.plan import Phase, StepKind, SwitchPlan, SwitchStep
from erfailover.model.site import Site
from erfailover.planning.switch.procedure import RULES
from erfailover.planning.switch.schedule import batches

AT_ONCE, PER_SECOND = 200, 10.0
"""Writes that ARM takes at once, and then a second (documented)."""
WINDOW, WINDOW_S = 1_000, 300.0
"""Writes that Microsoft.Network takes in five minutes (documented)."""
QUANTILES = 0.5, 0.9
"""The median and the 90th percentile."""
SAMPLES = {
    change: [usual.at((n + 0.5) / 100) for n in range(100)]
    for change, usual in PEERING_WRITES.items()
}
MOMENTS = {change: (fmean(each), pvariance(each)) for change, each in SAMPLES.items()}
"""Mean and variance of each kind of write."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What to expect of a plan, in seconds from the first write.

    Attributes:
        cut: how long one spoke is between break and make; None if none is.
        moved: until the last spoke uses the other gateway; None if none is moved.
        done: until everything is written.
    """

    cut: Usual | None
    moved: Usual | None
    done: Usual


def step_usual(step: SwitchStep) -> Usual | None:
    """How long the write of a step takes; None if nothing is written."""
    return PEERING_WRITES.get(str(step.write.change))


def expected(site: Site, plan: SwitchPlan) -> Expected | None:
    """Return what to expect of a plan; None if nothing is written."""
    writes = plan.writes
    if not writes:
        return None
    broken = next((step for step in writes if step.kind is StepKind.BREAK), None)
    made = next((step for step in writes if step.kind is StepKind.MAKE), None)
    moves = any(step.phase is Phase.SWITCH for step in writes)
    moved, done = zip(*(_at(site, writes, quantile) for quantile in QUANTILES), strict=True)
    return Expected(
        _usual(_sum((broken, made), each) for each in QUANTILES) if broken and made else None,
        _usual(moved) if moves else None,
        _usual(done),
    )


def _usual(figures: Iterable[float]) -> Usual:
    return Usual(*(round(each, 1) for each in figures))


def _at(site: Site, writes: Sequence[SwitchStep], quantile: float) -> tuple[float, float]:
    """Return when the last spoke is moved and when all is written, at a quantile."""
    priorities = {spoke.name: spoke.priority for spoke in site.spokes}
    critical = [step for step in writes if step.phase is not Phase.CLEANUP]
    cleanup = [step for step in writes if step.phase is Phase.CLEANUP]
    spokes_s = 0.0
    for _, group in groupby(critical, key=lambda step: priorities[step.spoke]):
        for batch in batches(list(_by_spoke(group).items())):
            spokes_s += _slowest((step for _, own in batch for step in own), quantile)
    moved_s = max(_sum(_of_hubs(critical), quantile) + spokes_s, _limit(len(critical)))
    queued_s = _sum(_of_hubs(writes), quantile) + spokes_s
    return moved_s, max(queued_s, moved_s + _slowest(cleanup, quantile), _limit(len(writes)))


def _by_spoke(steps: Iterable[SwitchStep]) -> dict[str, list[SwitchStep]]:
    found: dict[str, list[SwitchStep]] = {}
    for step in steps:
        found.setdefault(step.spoke, []).append(step)
    return found


def _of_hubs(steps: Iterable[SwitchStep]) -> list[SwitchStep]:
    return [step for step in steps if RULES[step.kind].writes_hub]


def _slowest(steps: Iterable[SwitchStep], quantile: float) -> float:
    """Return how long the slowest spoke takes for the writes on its own VNet."""
    spokes = _by_spoke(step for step in steps if not RULES[step.kind].writes_hub).values()
    return max((_sum(own, quantile ** (1 / len(spokes))) for own in spokes), default=0.0)


def _sum(steps: Sequence[SwitchStep], quantile: float) -> float:
    """Return how long writes take one after the other, at a quantile."""
    if not steps:
        return 0.0
    means, variances = zip(*(MOMENTS[str(step.write.change)] for step in steps), strict=True)
    mean = math.fsum(means)
    spread = math.log(1 + math.fsum(variances) / mean**2)
    return mean * math.exp(NormalDist().inv_cdf(quantile) * math.sqrt(spread) - spread / 2)


def _limit(writes: int) -> float:
    """How long ARM's limits make so many writes take, at least."""
    return max((writes - AT_ONCE) / PER_SECOND, (writes - 1) // WINDOW * WINDOW_S, 0.0)
