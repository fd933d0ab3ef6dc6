"""How long a plan of peerings is likely to take: an estimate, said to be such. Pure.

The plan is played through some times with durations drawn from the recorded percentiles, always
the same ones, in the order that ``schedule`` gives it: what owns a hub follows one another, what
the spokes own overlaps. ARM's limits on requests are respected; contention, failures and a
quarrel over the hubs are not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from random import Random
from statistics import quantiles

from erfailover.model.durations import PEERING_WRITES, Usual
from erfailover.model.plan import Phase, StepKind, SwitchPlan, SwitchStep
from erfailover.model.site import Site
from erfailover.planning.switch.procedure import RULES
from erfailover.planning.switch.schedule import batches

DRAWS, FEWEST, MOST = 20_000, 9, 199
"""How many durations are drawn for a plan at most, and how often it is played through."""
AT_ONCE, PER_SECOND = 200, 10.0
"""Writes that ARM takes at once, and then a second (documented)."""
WINDOW, WINDOW_S = 1_000, 300.0
"""Writes that Microsoft.Network takes in five minutes (documented)."""

Draw = Callable[[SwitchStep], float]


@dataclass(frozen=True, slots=True)
class Expected:
    """What to expect of a plan, in seconds from the first write.

    Attributes:
        cut: how long one spoke is between break and make; None where none is.
        moved: until the last spoke uses the other gateway; None where none is moved.
        done: until everything is written.
    """

    cut: Usual | None
    moved: Usual | None
    done: Usual


def step_usual(step: SwitchStep) -> Usual | None:
    """How long the write of a step takes; None where nothing is written."""
    return PEERING_WRITES.get(str(step.write.change))


def expected(site: Site, plan: SwitchPlan) -> Expected | None:
    """What to expect of a plan; None where nothing is written."""
    writes = plan.writes
    if not writes:
        return None
    runs = min(max(DRAWS // len(writes), FEWEST), MOST)
    chance = Random(7)  # any seed: the same plan is told the same figures

    def draw(step: SwitchStep) -> float:
        return PEERING_WRITES[str(step.write.change)].draw(chance.random())

    played = [_played(site, writes, draw) for _ in range(runs)]
    moves = any(step.phase is Phase.SWITCH for step in writes)
    broken = next((step for step in writes if step.kind is StepKind.BREAK), None)
    made = next((step for step in writes if step.kind is StepKind.MAKE), None)
    cut = None
    if broken and made:
        chance = Random(7)
        cut = _usual([draw(broken) + draw(made) for _ in range(MOST)])
    moved = _usual([moved for moved, _ in played]) if moves else None
    return Expected(cut, moved, _usual([done for _, done in played]))


def _usual(figures: list[float]) -> Usual:
    tenths = quantiles(figures, n=10, method="inclusive")
    return Usual(round(tenths[4], 1), round(tenths[8], 1), round(tenths[0], 1))


def _played(site: Site, writes: tuple[SwitchStep, ...], draw: Draw) -> tuple[float, float]:
    """When the last spoke is moved and when all is written, in one run."""
    priorities = {spoke.name: spoke.priority for spoke in site.spokes}
    critical = [step for step in writes if step.phase is not Phase.CLEANUP]
    now, sent = 0.0, 0
    for _, group in groupby(critical, key=lambda step: priorities[step.spoke]):
        members: dict[str, list[SwitchStep]] = {}
        for step in group:
            members.setdefault(step.spoke, []).append(step)
        for batch in batches(list(members.items())):
            steps = [step for _, mine in batch for step in mine]
            sent += len(steps)
            now = max(now + _group(steps, draw), _limit(sent))
    late = list(_late(writes, draw))
    queue = sum(seconds for hub, seconds in late if hub)
    beside = max((seconds for hub, seconds in late if not hub), default=0.0)
    return now, max(now + queue, now + beside, _limit(len(writes)))


def _group(members: list[SwitchStep], draw: Draw) -> float:
    """Spokes of one priority: the hub's queue, then each spoke's own chain beside the others."""
    queue, chains = 0.0, dict.fromkeys((step.spoke for step in members), 0.0)
    for step in members:
        if RULES[step.kind].writes_hub:
            queue += draw(step)
        else:
            chains[step.spoke] += draw(step)
    return queue + max(chains.values())


def _late(writes: tuple[SwitchStep, ...], draw: Draw) -> Iterator[tuple[bool, float]]:
    for step in writes:
        if step.phase is Phase.CLEANUP:
            yield RULES[step.kind].writes_hub, draw(step)


def _limit(writes: int) -> float:
    """How long ARM's limits make so many writes take, at least."""
    return max((writes - AT_ONCE) / PER_SECOND, (writes - 1) // WINDOW * WINDOW_S, 0.0)
