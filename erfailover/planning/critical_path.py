"""How long things take that need one another: the longest chain. Pure.

That resources are busy, and how much runs at once, is left out: what takes minutes does not queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import TopologicalSorter

from erfailover.model.outlook import Outlook, RunState
from erfailover.model.tasks import Task

UNKNOWN_S = 2.0
"""What is counted for something whose duration is not known: it is short."""


def compute_longest_s(needs: Mapping[str, Iterable[str]], takes_s: Mapping[str, float]) -> float:
    """Return how long the longest chain takes.

    Args:
        needs: what must be done before each thing; what is not a key of it is done.
        takes_s: how long each thing takes, in seconds.
    """
    by_name = {key: [name for name in before if name in needs] for key, before in needs.items()}
    ends: dict[str, float] = {}
    for key in TopologicalSorter(by_name).static_order():
        ends[key] = takes_s[key] + max((ends[name] for name in by_name[key]), default=0.0)
    return max(ends.values(), default=0.0)


def estimate_outlook(tasks: Sequence[Task], state: RunState) -> Outlook:
    """Return how long the rest of some tasks usually takes; not known if no task's is known."""
    if not any(task.usual for task in tasks):
        return Outlook(None, None, None, None)
    needs = {task.id: task.needs | task.after for task in tasks}
    takes_s = {task.id: _estimate_left_s(task, state) for task in tasks}
    return Outlook(None, None, None, compute_longest_s(needs, takes_s))


def _estimate_left_s(task: Task, state: RunState) -> float:
    if task.run is None or task.id in state.ended:
        return 0.0
    usual_s = task.usual.usually_s if task.usual else UNKNOWN_S
    return max(0.0, usual_s - state.in_flight.get(task.id, 0.0))
