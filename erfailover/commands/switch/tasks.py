"""The executor's task of a node: what a write owns and refers to, and how often it is polled."""

from __future__ import annotations

import math
from collections.abc import Callable

from erfailover.azure.client.polling import BREAKS, PATIENT, QUEUED, WRITES, PollSchedule
from erfailover.commands.switch.route_watch import FEW
from erfailover.model.plan import PeeringWrite, Phase, StepKind, SwitchStep
from erfailover.model.resource_ids import get_network_id
from erfailover.model.tasks import Task
from erfailover.planning.switch.estimate import estimate_step
from erfailover.planning.switch.schedule import Node

PATIENT_FROM = {Phase.PREPARE: math.inf, Phase.SWITCH: 200, Phase.CLEANUP: FEW}
"""With more spokes than this the writes of a phase are polled less often: the limits on requests
decide how long a switch takes, not a poll more or less."""


def select_schedule(step: SwitchStep, spokes: int) -> PollSchedule:
    """Return how often the write of a step is polled in a switch of so many spokes."""
    alone = spokes == 1
    if spokes > PATIENT_FROM[step.phase] or (alone and step.phase is Phase.CLEANUP):
        return PATIENT
    if step.kind is StepKind.ALLOW_TRANSIT and not alone:
        return QUEUED
    return BREAKS if alone or step.kind is StepKind.BREAK else WRITES


def build_milestone(node: Node) -> Task:
    """Return a node without a step, at which nothing is done."""
    return Task(node.id, "", None, node.needs, node.after)


def write(node: Node, step: SwitchStep, title: str, run: Callable[[], str | None]) -> Task:
    """Return the write of a step: it owns its peering's VNet, and refers to the one it leads to.

    A write of routes owns their tables.
    """
    write = step.write
    if isinstance(write, PeeringWrite):
        owns, refers = {get_network_id(write.peering_id)}, {write.remote_virtual_network}
    else:
        owns, refers = set(write.tables), set()
    return Task(
        id=node.id,
        title=title,
        run=run,
        needs=node.needs,
        after=node.after,
        owns=frozenset(map(str.lower, owns)),
        refers=frozenset(map(str.lower, refers)),
        change=str(write.change),
        resource=write.resource_id,
        completes=node.completes,
        usual=estimate_step(step),
    )
