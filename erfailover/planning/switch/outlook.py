"""How far a run of a plan of peerings is, and how long the rest usually takes. Pure.

The rest is estimated as the whole was for the plan (``estimate``), and corrected by the pace of
what has ended: if that took twice as long as usual, so will the rest. At the beginning, when a
single slow write would count for much, the pace is taken to be near the usual one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from erfailover.model.outlook import Outlook, RunState, SpokeCounts
from erfailover.model.plan import Phase, SwitchPlan, SwitchStep
from erfailover.model.site import Site
from erfailover.model.tasks import State
from erfailover.planning.switch.estimate import Work
from erfailover.planning.switch.schedule import split_batches

MEDIAN = 0.5
TRUST = 0.25
"""The pace rests on the plan's estimate as if this part of the run had gone as estimated."""


@dataclass(frozen=True)
class SwitchOutlook:
    """Tells how far a run of one plan is; called with the states of its tasks.

    Attributes:
        steps: the writes of each spoke, by its name.
        batches: the names of the spokes of each batch.
        work: everything that is written.
        whole_s: how long that usually takes.
    """

    steps: Mapping[str, tuple[SwitchStep, ...]]
    batches: tuple[tuple[str, ...], ...]
    work: Work
    whole_s: float

    @classmethod
    def from_plan(cls, site: Site, plan: SwitchPlan, canary: str | None = None) -> SwitchOutlook:
        """Return the outlook of a plan."""
        parts = split_batches(site, plan, canary)
        steps = {name: tuple(writes) for part in parts for name, writes in part.members}
        names = tuple(tuple(name for name, _ in part.members) for part in parts)
        work = Work.from_plan(site, plan, canary)
        return cls(steps, names, work, work.compute_end_times(MEDIAN)[1])

    def __call__(self, state: RunState) -> Outlook:
        """Return how far the run is, and how long the rest usually takes."""
        moved_s, done_s = self._estimate_left_s(state)
        is_moving = any(
            step.phase is Phase.SWITCH and step.id not in state.ended
            for batch in self.work.batches
            for step in batch
        )
        return Outlook(
            self._count_spokes(state),
            self._find_batch(state),
            moved_s if is_moving else None,
            done_s,
        )

    def _estimate_left_s(self, state: RunState) -> tuple[float, float]:
        """Return how long it usually takes yet until all are moved, and until all is written."""
        work = self.work.drop_steps(state.ended)
        begun_s = state.longest_s
        rest = work.compute_end_times(MEDIAN)
        floor = work.drop_steps(state.in_flight).compute_end_times(MEDIAN)
        trusted_s = TRUST * self.whole_s
        usual_s = trusted_s + max(0.0, self.whole_s - rest[1])
        pace = (trusted_s + max(0.0, state.elapsed_s - begun_s)) / usual_s if usual_s else 1.0
        moved_s, done_s = (
            pace * max(rest_s - begun_s, floor_s)
            for rest_s, floor_s in zip(rest, floor, strict=True)
        )
        return moved_s, done_s

    def _count_spokes(self, state: RunState) -> SpokeCounts:
        moves = any(
            step.phase is Phase.SWITCH
            for switch_steps in self.steps.values()
            for step in switch_steps
        )
        moved = prepared = failed = 0
        for steps in self.steps.values():
            before = [step for step in steps if step.phase is Phase.PREPARE]
            counting = [step for step in steps if step.phase is Phase.SWITCH] if moves else steps
            if _is_all_done(counting, state):
                moved += 1
            elif any(_has_failed(step, state) for step in steps):
                failed += 1
            elif before and _is_all_done(before, state):
                prepared += 1
        if moves:
            return SpokeCounts(moved, prepared, failed, len(self.steps))
        return SpokeCounts(None, moved, failed, len(self.steps))

    def _find_batch(self, state: RunState) -> tuple[int, int] | None:
        """Return the first batch with a spoke that has neither been moved nor failed."""
        if len(self.batches) <= 1:
            return None
        for number, part in enumerate(self.work.batches, 1):
            if any(step.id not in state.ended for step in part):
                return number, len(self.batches)
        return None


def _is_all_done(steps: Iterable[SwitchStep], state: RunState) -> bool:
    return all(state.ended.get(step.id) is State.DONE for step in steps)


def _has_failed(step: SwitchStep, state: RunState) -> bool:
    return state.ended.get(step.id) in (State.FAILED, State.SKIPPED)
