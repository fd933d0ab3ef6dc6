"""In which order the steps of a plan may run: a graph, what matters most first. Pure.

Spokes of one priority go together: the hub's peerings of all are prepared, then each spoke is
broken and made, so that no make waits for another spoke's write on the hub. If many are to be
prepared they go in batches: the first spokes are over before the last ones are prepared, and the
writes after the preparation are spread over more of Microsoft.Network's windows. What is off the
critical path comes last. A canary goes through all of it alone, and is verified, before the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest

from erfailover.model.plan import Phase, StepKind, SwitchPlan, SwitchStep
from erfailover.model.site import Site

BATCH = 125
"""How many peerings of the hub are prepared at most before their spokes are moved. Preparing one
takes 6 s on the average (recorded), moving a batch a minute: that is a tenth more in all."""

Member = tuple[str, list[SwitchStep]]
"""A spoke's name and its writes."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Spokes that go together."""

    members: tuple[Member, ...]
    is_canary: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """One step in the graph, or what connects steps.

    Attributes:
        id: unique within a schedule.
        step: the step; None for a milestone or a check.
        checked: the spoke whose switch must show before anything after this is done.
        needs: ids of nodes that must be done.
        after: ids of nodes that must have ended, successfully or not.
    """

    id: str
    step: SwitchStep | None = None
    checked: str | None = None
    needs: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()

    @property
    def completes(self) -> bool:
        """Whether it completes what was started: the make after the break."""
        kinds = StepKind.MAKE, StepKind.MOVE_NEXT_HOPS
        return self.step is not None and self.step.kind in kinds


def schedule(site: Site, plan: SwitchPlan, canary: str | None = None) -> tuple[Node, ...]:
    """Return the graph of a plan's writes.

    Args:
        site: whose spokes have priorities.
        plan: what is written.
        canary: the name of a spoke that goes first, alone.
    """
    return tuple(_build_nodes(site, plan, canary))


def split_batches(site: Site, plan: SwitchPlan, canary: str | None = None) -> tuple[Batch, ...]:
    """Return the writes of a plan in the batches in which its spokes go.

    The spokes of one priority are split into as few equal parts as ``BATCH`` allows. Those that
    share a route table go together, with the first priority of them.
    """
    steps: dict[str, list[SwitchStep]] = {}
    for step in plan.writes:
        steps.setdefault(step.spoke, []).append(step)
    ranks = {spoke.name: (spoke.name != canary, spoke.priority) for spoke in site.spokes}
    sharing = {name: group for group in plan.sharing for name in group}
    ranks |= {name: min(ranks[other] for other in group) for name, group in sharing.items()}
    spokes = sorted(steps, key=lambda spoke: (ranks[spoke], sharing.get(spoke, ())))
    return tuple(
        Batch(tuple(members), is_canary=not rank[0])
        for rank, names in groupby(spokes, key=lambda spoke: ranks[spoke])
        for members in _split([(name, steps[name]) for name in names], sharing)
    )


def _split(
    members: Sequence[Member], sharing: Mapping[str, tuple[str, ...]]
) -> Iterator[Sequence[Member]]:
    """Yield equal parts of some spokes; those that share a route table are never divided."""
    prepared = sum(step.kind is StepKind.ALLOW_TRANSIT for _, steps in members for step in steps)
    size = -(-len(members) // max(1, -(-prepared // BATCH)))
    begin = 0
    while begin < len(members):
        end = begin + size
        while 0 < end < len(members) and _are_sharing(members[end - 1], members[end], sharing):
            end += 1
        yield members[begin:end]
        begin = end


def _are_sharing(one: Member, other: Member, sharing: Mapping[str, tuple[str, ...]]) -> bool:
    return one[0] in sharing and sharing[one[0]] == sharing.get(other[0])


def _build_nodes(site: Site, plan: SwitchPlan, canary: str | None) -> Iterator[Node]:
    begun: frozenset[str] = frozenset()
    passed: frozenset[str] = frozenset()
    parts = split_batches(site, plan, canary)
    for number, batch in enumerate(parts):
        nodes = list(_group(number, batch.members, plan, begun, passed))
        yield from nodes
        begun = frozenset({nodes[-1].id})
        if batch.is_canary:
            passed = frozenset({f"check/{canary}"})
            yield Node(f"check/{canary}", checked=canary, needs=begun)
    for _, steps in (member for batch in parts for member in batch.members):
        before = frozenset(step.id for step in steps if step.phase is not Phase.CLEANUP)
        for step in steps:
            if step.phase is Phase.CLEANUP:
                yield Node(step.id, step, needs=before | passed, after=begun)
                before |= {step.id}


def _group(
    number: int,
    group: Sequence[Member],
    plan: SwitchPlan,
    begun: frozenset[str],
    passed: frozenset[str],
) -> Iterator[Node]:
    """Yield the preparation of all, a milestone, break and make of each, and a milestone.

    What the hub owns goes first, one after the other: a spoke's own preparation refers to the
    hub, and would keep the next of them waiting. A break waits for all of them, so that no make
    waits for one. Spokes that share a route table wait for one another's preparation: it may move
    with the first of them. The breaks of a tied group need it.
    """
    prepared, text = f"prepared/{number}", f"made/{number}"
    before: dict[str, frozenset[str]] = {}
    lent: set[str] = set()
    for row in zip_longest(*(_select_phase(Phase.PREPARE, steps) for _, steps in group)):
        for step in filter(None, row):
            needs = before.get(step.spoke, frozenset())
            yield Node(step.id, step, None, needs | passed, begun)
            before[step.spoke] = needs | {step.id}
            lent |= {step.id} if step.kind is StepKind.ALLOW_TRANSIT else set()
    yield Node(prepared, after=frozenset(lent) | begun)
    ready: dict[str, frozenset[str]] = {}
    for names in plan.sharing:
        together = frozenset().union(*(before.get(name, frozenset()) for name in names))
        ready |= dict.fromkeys(names, together)
        before |= dict.fromkeys(names, together) if names in plan.tied else {}
    for name, steps in group:
        for step in _select_phase(Phase.SWITCH, steps):
            needs = before.get(name, frozenset())
            after = frozenset({prepared}) | ready.get(name, frozenset())
            yield Node(step.id, step, None, needs | passed, after)
            before[name] = needs | {step.id}
    yield Node(text, after=frozenset().union(*before.values(), {prepared}))


def _select_phase(phase: Phase, steps: Sequence[SwitchStep]) -> list[SwitchStep]:
    return [step for step in steps if step.phase is phase]
