"""Many spokes in few words: groups of identical ones, and names as ranges. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from erfailover.model.counting import join_names
from erfailover.model.plan import NextHopWrites, StepWrite, SwitchPlan, SwitchStep

RANGE = 3
"""This many names in a row are shown as a range."""
MANY = 12
"""Up to this many names and ranges are listed; of more, the number."""
NUMBERED = re.compile(r"(.*?)(\d+)")


@dataclass(frozen=True, slots=True)
class SimilarSpokes:
    """Spokes whose steps are the same but for the names.

    Attributes:
        names: of the spokes, in the site's order.
        steps: those of the first.
    """

    names: tuple[str, ...]
    steps: tuple[SwitchStep, ...]

    @property
    def writes(self) -> int:
        """How many writes each of them has."""
        return sum(step.write.change != "keep" for step in self.steps)


def group_spokes(plan: SwitchPlan, order: Sequence[str]) -> list[SimilarSpokes]:
    """Return the spokes of a plan in groups of identical ones, the largest first.

    Args:
        plan: whose spokes.
        order: the names of the site's spokes, in the order in which they are shown.
    """
    steps: dict[str, list[SwitchStep]] = {}
    for step in plan.steps:
        steps.setdefault(step.spoke, []).append(step)
    groups: dict[object, list[str]] = {}
    for name in order:
        if name in steps:
            groups.setdefault(tuple(map(_build_shape, steps[name])), []).append(name)
    similar_spokes = [
        SimilarSpokes(tuple(names), tuple(steps[names[0]])) for names in groups.values()
    ]
    return sorted(similar_spokes, key=lambda spokes: (spokes.writes == 0, -len(spokes.names)))


def _build_shape(step: SwitchStep) -> object:
    """Return what a step is without its names."""
    return (
        step.kind,
        _build_write_shape(step.write),
        tuple(map(_build_write_shape, step.contingency)),
    )


def _build_write_shape(write: StepWrite) -> object:
    if isinstance(write, NextHopWrites):
        return write
    return write.change, write.before, write.after, write.sync


def format_ranges(names: Iterable[str]) -> str:
    """Return names as people list them: ``vnet1, spoke001 to spoke498``, or the first of many."""
    lines: list[str] = []
    run: list[str] = []
    for name in names:
        if run and not _is_successor(run[-1], name):
            lines += _format_run(run)
            run = []
        run.append(name)
    return join_names([*lines, *_format_run(run)], MANY)


def _format_run(run: list[str]) -> list[str]:
    return [f"{run[0]} to {run[-1]}"] if len(run) >= RANGE else run


def _is_successor(name: str, after: str) -> bool:
    """Whether a name is the one before with its last number one higher."""
    first, second = NUMBERED.fullmatch(name), NUMBERED.fullmatch(after)
    if not first or not second or first[1] != second[1]:
        return False
    return f"{int(first[2]) + 1:0{len(first[2])}}" == second[2]
