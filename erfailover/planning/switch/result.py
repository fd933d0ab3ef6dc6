"""The result of a switch, and whether routes and probes show it. Pure; ``reporting`` prints it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from erfailover.errors import Failure
from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.counting import join_names
from erfailover.model.plan import PeeringWrite, SwitchStep
from erfailover.model.site import Path
from erfailover.planning import conditions
from erfailover.planning.probes.results import ProbeResult
from erfailover.planning.switch.recovery import PathState


@dataclass
class Outcome:
    """The outcome of a switch. Times are seconds since the command began.

    Attributes:
        planned: whether the switch took a spoke off a path that worked.
        failed: the spokes that were not moved, and why.
        left_out: the spokes that the plan leaves out, and why.
        stranded: the spokes that have no path, or for which that could not be read.
        places: where each spoke was left whose break was sent.
        next_hops: of each spoke behind an appliance, what an interface of it shows.
        decision_s: until plan confirmed, the operator's answer included.
        answer_s: how much of that the operator took to answer.
        control_plane_s: until the last spoke used the other hub's gateway, in Azure's words.
        gates_s: until each spoke passed the gate, immediately before it was taken off its path.
        spokes_s: until the arriving hub's gateway originated each spoke's prefixes.
        chosen: the spokes that were chosen with ``--spoke``; empty for the whole site.
        way_back: what a switch back would be refused for, as of the plan.
        excused: the hub being left has been asked for long enough whether it still originates
            the spokes: that it does not answer is no failure.
    """

    target: Path
    planned: bool = False
    written: list[str] = field(default_factory=list)
    failed: dict[str, Failure] = field(default_factory=dict)
    left_out: dict[str, Condition] = field(default_factory=dict)
    stranded: tuple[str, ...] = ()
    places: dict[str, PathState] = field(default_factory=dict)
    conditions: dict[str, tuple[Condition, Condition]] = field(default_factory=dict)
    next_hops: dict[str, Condition] = field(default_factory=dict)
    probes: list[ProbeResult] = field(default_factory=list)
    decision_s: float = 0.0
    answer_s: float = 0.0
    control_plane_s: float | None = None
    gates_s: dict[str, float] = field(default_factory=dict)
    spokes_s: dict[str, float] = field(default_factory=dict)
    verified_s: float = 0.0
    chosen: tuple[str, ...] = ()
    way_back: tuple[Condition, ...] = ()
    excused: bool = False

    def note_written(self, steps: Iterable[SwitchStep]) -> None:
        """Note what steps have written; a route of a table that spokes share counts once."""
        for step in steps:
            names = step.written_names
            if not isinstance(step.write, PeeringWrite):
                names = tuple(name for name in names if name not in self.written)
            self.written += names

    @property
    def data_plane_s(self) -> float | None:
        """Until the arriving hub's gateway originated the last spoke; None if it does not."""
        moved = [self.spokes_s.get(name) for name in self.conditions]
        return None if not moved or None in moved else max(value for value in moved if value)


MANY = 12
"""So many spokes are named in a sentence about where they are."""


def describe_standing(outcome: Outcome) -> str:
    """Return where the spokes that were not moved are, and the others: ``vnet1 has NO path``."""
    origin = outcome.target.other
    by_name = {
        PathState.NOWHERE: ("has NO path", "have NO path"),
        PathState.CHANGING: ("may have NO path", "may have NO path"),
        PathState.UNKNOWN: ("may have NO path", "may have NO path"),
        PathState.ORIGIN: (f"is on {origin}", f"are on {origin}"),
        PathState.TARGET: (f"is on {outcome.target}", f"are on {outcome.target}"),
        None: ("is unchanged", "are unchanged"),
    }
    names: dict[tuple[str, str], list[str]] = {pair: [] for pair in by_name.values()}
    for name in outcome.failed:
        names[by_name[outcome.places.get(name)]].append(name)
    parts = [
        f"{join_names(lines, MANY)} {words[len(lines) > 1]}"
        for words, lines in names.items()
        if lines
    ]
    if any(name not in outcome.failed for name in outcome.conditions):
        parts.append(f"the others are on {outcome.target}")
    return "; ".join(parts)


def is_verified(outcome: Outcome) -> bool:
    """Whether every spoke was moved, and routes and probes show it."""
    return is_confirmed(outcome) and not outcome.failed and not outcome.left_out


def is_confirmed(outcome: Outcome) -> bool:
    """Whether routes and probes show the switch of the spokes that were moved.

    The target originates each spoke and the other hub no longer does. If the first is UNKNOWN
    (a summarised prefix, a table that cannot be read), the probes decide. A dead gateway of the
    hub being left does not answer: that is waited for, but does not fail a switch.
    """
    arriving = conditions.combine_verdicts(pair[0] for pair in outcome.conditions.values())
    leaving = conditions.combine_verdicts(pair[1] for pair in outcome.conditions.values())
    if ConditionStatus.FAILS in (arriving, leaving):
        return False
    if not all(probe.as_expected for probe in outcome.probes):
        return False
    if any(shown.status is ConditionStatus.FAILS for shown in outcome.next_hops.values()):
        return False
    if arriving is ConditionStatus.UNKNOWN:
        return bool(outcome.probes)
    return leaving is ConditionStatus.HOLDS or bool(outcome.probes) or outcome.excused


def has_passed_probes(outcome: Outcome) -> bool:
    """Whether the probes were run and came out as they should."""
    return bool(outcome.probes) and all(probe.as_expected for probe in outcome.probes)


def list_missing(outcome: Outcome) -> list[str]:
    """Return what keeps a switch from being verified, in words."""
    checks = [condition for pair in outcome.conditions.values() for condition in pair]
    lines = [
        condition.message for condition in checks if condition.status is not ConditionStatus.HOLDS
    ]
    lines += [
        shown.message
        for shown in outcome.next_hops.values()
        if shown.status is ConditionStatus.FAILS
    ]
    wrong = [probe for probe in outcome.probes if not probe.as_expected]
    return lines + [
        f"probe {result.name} {'is unknown' if result.up is None else 'fails'}" for result in wrong
    ]
