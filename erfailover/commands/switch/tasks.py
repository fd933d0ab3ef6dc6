"""The executor's task of a node of a schedule: what a write of a peering owns and refers to."""

from __future__ import annotations

from collections.abc import Callable

from erfailover.model.plan import SwitchStep
from erfailover.model.resource_ids import network_of
from erfailover.model.tasks import Task
from erfailover.planning.switch.estimate import step_usual
from erfailover.planning.switch.schedule import Node


def milestone(node: Node) -> Task:
    """Return a node without a step, at which nothing is done."""
    return Task(node.id, "", None, node.needs, node.after)


def write(node: Node, step: SwitchStep, title: str, run: Callable[[], str | None]) -> Task:
    """Return the write of a step: it owns its peering's VNet, and refers to the one it leads to."""
    return Task(
        id=node.id,
        title=title,
        run=run,
        needs=node.needs,
        after=node.after,
        owns=frozenset({network_of(step.write.peering_id).lower()}),
        refers=frozenset({step.write.remote_virtual_network.lower()}),
        change=str(step.write.change),
        resource=step.write.peering_id,
        completes=node.completes,
        usual=step_usual(step),
    )
