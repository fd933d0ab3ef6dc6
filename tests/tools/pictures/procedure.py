"""The procedure as a picture: the table ``STEPS``, and what it gives for a first switch to IPsec.

Every word but the frame's is the product's: the phases, the steps with their peerings and reasons,
the flags that each write changes, the guards, the gate, the rollback, what must show at the
end. A step that a first switch does not have is drawn too, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from erfailover.model.conditions import Condition
from erfailover.model.plan import Change, Phase, StepKind, SwitchStep
from erfailover.model.site import Path, Role
from erfailover.planning.switch import gates, procedure
from erfailover.planning.switch.procedure import STEPS, Rule
from erfailover.reporting.diagram import drawing
from erfailover.reporting.diagram.sheet import Card, Group, Line, Link, Note, Sheet
from erfailover.reporting.marks import Mark
from erfailover.reporting.plan.text import describe_changes
from tests.support.sites import gateway, make_snapshot, make_state, route, site

WORDS = {Change.CREATE: "create", Change.UPDATE: "update", Change.DELETE: "delete"}
REFUSED = "if Azure rejects the step, or it fails"


def draw_switch() -> str:
    """The picture, as SVG: a switch to IPsec, the peerings with the backup hub not created yet."""
    of, target = site(), Path.IPSEC
    spoke = of.spokes[0]
    plan = procedure.plan(of, make_snapshot(of, make_state(Path.EXPRESSROUTE, of)), target)
    ready = make_state(Path.EXPRESSROUTE, of)
    for step in plan.writes:
        if step.phase is Phase.PREPARE:
            assert step.peering.after is not None
            ready[step.peering.name] = (step.peering.after, "Connected")
    arrived = make_snapshot(
        of,
        make_state(target, of),
        (
            gateway(Role.PRIMARY, route("10.2.0.0/16", "Network", "10.2.0.254")),
            gateway(
                Role.BACKUP, route("10.5.0.0/16"), route("10.1.0.0/16", "Network", "10.3.0.254")
            ),
        ),
    )
    return drawing.draw(
        sheet(
            {step.kind: step for step in plan.writes},
            plan.guards,
            tuple(gates.check_gate(of, make_snapshot(of, ready), target, spoke)),
            gates.check_outcome(of, arrived, target, spoke),
        )
    )


def sheet(
    planned: Mapping[StepKind, SwitchStep],
    guards: Sequence[Condition],
    gate: Sequence[Condition],
    outcome: Sequence[Condition],
) -> Sheet:
    """The table's rows as cards from above to below, each phase in a frame.

    Args:
        planned: what a plan of one spoke makes of the rows; it need not have all of them.
        guards: what must hold before anything is written.
        gate: what is read again before the break.
        outcome: what must show at the end.
    """
    course = [_conditions("guards", 0, "before the first change: must hold", guards)]
    beside: list[Card] = []
    groups: dict[Phase, list[str]] = {phase: [] for phase in Phase}
    for rule in STEPS:
        if rule.kind is StepKind.MOVE_NEXT_HOPS:
            continue  # a step of sites behind a firewall alone
        if rule.gated:
            heading = "the gate: read again; must hold"
            course.append(_conditions("gate", len(course), heading, gate))
        step = planned.get(rule.kind)
        course.append(_step(rule, step, len(course)))
        groups[rule.phase].append(course[-1].id)
        if step and step.contingency:
            beside.append(_taken_back(step, course[-1].column))
            groups[rule.phase].append(beside[-1].id)
    course.append(
        _conditions("outcome", len(course), "verify: must show, and the probes must pass", outcome)
    )
    tails = {card.column: card.id for card in course}
    return Sheet(
        name="The procedure of a switch to IPsec, one spoke",
        head=(
            Note("switch --to ipsec: one spoke, its peerings with the backup hub not created yet"),
            Note("Generated from the table STEPS in procedure.py", faint=True, size=11.0),
        ),
        cards=(*course, *beside),
        links=(
            *(Link(above.id, below.id, arrow=True) for above, below in pairwise(course)),
            *(
                Link(tails[card.column], card.id, arrow=True, aside=True, title=REFUSED)
                for card in beside
            ),
        ),
        legend=(
            (Link("", "", arrow=True), "then"),
            (Link("", "", arrow=True, aside=True), REFUSED),
        ),
        groups=tuple(Group(phase.value, tuple(names)) for phase, names in groups.items()),
        down=True,
        widest=470.0,
    )


def _conditions(name: str, row: int, heading: str, conditions: Sequence[Condition]) -> Card:
    lines = list(dict.fromkeys(condition.message for condition in conditions))
    return Card(
        name, row, tuple(Line(text, at_most=2) for text in lines), heading, kind="conditions"
    )


def _step(rule: Rule, step: SwitchStep | None, row: int) -> Card:
    if step:
        title, why = step.title, step.why
        write = f"{WORDS[step.peering.change]} {step.peering.name}, {rule.side.value}"
        flags = "; ".join(describe_changes(step.peering))
    else:
        title, why = rule.format_words("the spoke", "the arriving hub", "the leaving hub")
        write, flags = rule.side.value, rule.goal.value
    lines = (
        Line(f"{rule.number}. {title}", strong=True, at_most=2),
        Line(write, at_most=2),
        Line(flags, at_most=2),
        Line(f"why now: {why}", faint=True, at_most=5, rule=True),
    )
    return Card(
        f"step/{rule.number}",
        row,
        lines,
        ""
        if step
        else "not in this plan: only on a switch back, if erfailover created the peering",
        mark=None if step else Mark.ABSENT,
        active=rule.phase is Phase.SWITCH,
        kind="step",
    )


def _taken_back(step: SwitchStep, row: int) -> Card:
    lines = tuple(
        Line(f"{write.name}: {'; '.join(describe_changes(write))}", at_most=2)
        for write in step.contingency
    )
    heading = f"if step {step.number} is rejected or fails: roll back"
    return Card(f"back/{step.number}", row, lines, heading, kind="contingency")
