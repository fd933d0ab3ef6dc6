"""Spokes that share route tables move together: one group goes, or none of it. Pure.

A shared table can have the next hop of one path alone. On a planned switch every spoke of it works
until it is taken off its path, so the table moves when the last of them is made, and all of them
stay or go back if one cannot be moved. Unplanned, the others have nothing to lose: the table
moves with the first that is made, and each spoke goes by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from enum import Enum

from erfailover.model.conditions import Condition
from erfailover.model.plan import NextHopWrites, Phase, StepKind, SwitchPlan, SwitchStep
from erfailover.planning.next_hops.conditions import ALONE


def keep_together(plan: SwitchPlan) -> SwitchPlan:
    """Return a plan without the tied groups of which it leaves out a spoke.

    A group of which a spoke is off its path already goes on: it is owed its path.
    """
    off = {step.spoke for step in plan.writes if step.phase is Phase.SWITCH}
    off -= {step.spoke for step in plan.writes if step.takes_off}
    dropped: dict[str, Condition] = {}
    for group in plan.tied:
        out = [name for name in group if name in plan.left_out]
        if not out or off.intersection(group):
            continue
        condition = plan.left_out[out[0]]
        message = f"it shares a route table with {out[0]}, which is left out: {condition.message}"
        dropped |= {
            name: replace(condition, name=ALONE, message=message, spoke=name)
            for name in group
            if name not in plan.left_out
        }
    return plan.drop_spokes(dropped) if dropped else plan


class Turn(Enum):
    """What a spoke that was made does about its tables."""

    WAIT = "others of its group are not made yet"
    MOVE = "the next hops move"
    RETURN = "another spoke of its group cannot be moved"


def choose_turn(*, tied: bool, made: Collection[bool | None]) -> Turn:
    """Return what to do for a spoke that was made.

    Args:
        tied: whether its group goes together or not at all.
        made: whether each other spoke of the group was made; None for one that is under way.
    """
    if not tied:
        return Turn.MOVE
    if False in made:
        return Turn.RETURN
    return Turn.WAIT if None in made else Turn.MOVE


def iter_in_order(plan: SwitchPlan) -> Iterator[SwitchStep]:
    """Yield the steps of a plan as they are done one after the other.

    The next hops of a tied group come after the last of its makes, and a route of a shared table is
    written once.
    """
    group_of = {name: group for group in plan.tied for name in group}
    makes = [step.spoke for step in plan.steps if step.kind is StepKind.MAKE]
    last = {
        group: [name for name in makes if name in group][-1]
        for group in set(group_of.values())
        if any(name in group for name in makes)
    }
    held: dict[tuple[str, ...], list[SwitchStep]] = {}
    written: set[str] = set()
    for step in plan.steps:
        group = group_of.get(step.spoke, ())
        if not isinstance(step.write, NextHopWrites):
            yield step
        elif group in last:
            held.setdefault(group, []).append(step)
        else:
            yield _drop_written(step, step.write, written)
        if group in last and step.spoke == last[group] and step.kind is StepKind.MOVE_NEXT_HOPS:
            for waiting in held.pop(group, []):
                if isinstance(waiting.write, NextHopWrites):
                    yield _drop_written(waiting, waiting.write, written)


def _drop_written(step: SwitchStep, write: NextHopWrites, written: set[str]) -> SwitchStep:
    """Return a step without the routes that one before it writes."""
    rest = tuple(item for item in write.routes if item.route_id.lower() not in written)
    written |= {item.route_id.lower() for item in rest}
    return step if rest == write.routes else replace(step, write=replace(write, routes=rest))
