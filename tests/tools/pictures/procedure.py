"""The procedure as a picture: what ``procedure`` and ``schedule`` make of one spoke's switch.

Every word but the frame's is theirs: the steps with their reasons, the flags that each write
changes, the order, the guards, the gate, what is taken back, what must show at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from erfailover.model.claims import Claim
from erfailover.model.plan import Change, SwitchPlan, SwitchStep
from erfailover.model.site import Path, Role
from erfailover.planning.switch import procedure
from erfailover.planning.switch.schedule import Node, schedule
from erfailover.reporting.diagram import drawing
from erfailover.reporting.diagram.sheet import Card, Line, Link, Note, Sheet
from erfailover.reporting.plan.text import changes
from tests.support.sites import gateway, observed, on, route, site

WORDS = {Change.CREATE: "create", Change.UPDATE: "update", Change.DELETE: "delete"}
FIRST, GATE, LAST = "guards", "gate", "outcome"


def drawn() -> str:
    """The picture, as SVG: a switch to IPsec, the peerings with the backup hub not yet there."""
    return drawing.draw(_sheet())


def _sheet() -> Sheet:
    of, target = site(), Path.IPSEC
    spoke = of.spokes[0]
    healthy = observed(of, on(Path.EXPRESSROUTE, of))
    plan = procedure.plan(of, healthy, target)
    nodes = schedule(of, plan)
    ready = {**on(Path.EXPRESSROUTE, of)}
    for step in plan.writes[:2]:
        assert step.write.after is not None
        ready[step.write.name] = (step.write.after, "Connected")
    at_the_gate = observed(of, ready)
    arrived = observed(
        of,
        on(target, of),
        (
            gateway(Role.PRIMARY, route("10.2.0.0/16", "Network", "10.2.0.254")),
            gateway(
                Role.BACKUP, route("10.5.0.0/16"), route("10.1.0.0/16", "Network", "10.3.0.254")
            ),
        ),
    )
    return sheet(
        plan,
        nodes,
        tuple(procedure.gate(of, at_the_gate, target, spoke)),
        procedure.outcome(of, arrived, target, spoke),
    )


def sheet(
    plan: SwitchPlan, nodes: Sequence[Node], gate: Sequence[Claim], outcome: Sequence[Claim]
) -> Sheet:
    """A plan and its schedule as cards from above to below.

    Args:
        plan: of one spoke.
        nodes: its schedule.
        gate: what is read again before the break.
        outcome: what must show at the end.
    """
    needs = _reduced(_needs(nodes))
    rows = _rows(needs)
    cards = [_claims(FIRST, 0, "before the first write: must hold", plan.guards)]
    links: list[Link] = []
    for step in plan.writes:
        row = rows[step.id]
        cards.append(_step(step, row))
        if step.gated:
            cards.append(
                _claims(GATE, rows[GATE], "the gate: read again, and must hold", gate, "gate")
            )
        if step.contingency:
            cards.append(_taken_back(step, row))
            title = "if Azure refuses the step, or fails at it"
            links.append(Link(step.id, f"back/{step.number}", arrow=True, aside=True, title=title))
    cards.append(_claims(LAST, rows[LAST], "verify: must show, and the probes pass", outcome))
    links += [
        Link(before, node, arrow=True) for node, those in needs.items() for before in sorted(those)
    ]
    return Sheet(
        name="The procedure of a switch to IPsec, one spoke",
        head=(
            Note("switch --to ipsec: one spoke, its peerings with the backup hub not yet there"),
            Note("Made from procedure.py and schedule.py", faint=True, size=11.0),
        ),
        cards=tuple(cards),
        links=tuple(links),
        legend=(
            (Link("", "", arrow=True), "then"),
            (Link("", "", arrow=True, aside=True), "if Azure refuses the step, or fails at it"),
        ),
        down=True,
        widest=470.0,
    )


def _needs(nodes: Sequence[Node]) -> dict[str, set[str]]:
    """What each step waits for, milestones resolved; guards first, the gate, the outcome last."""
    known = {node.id: node for node in nodes}

    def steps_before(node: Node) -> Iterator[str]:
        for name in node.needs | node.after:
            before = known[name]
            if before.step is not None:
                yield name
            else:
                yield from steps_before(before)

    found: dict[str, set[str]] = {FIRST: set()}
    for node in nodes:
        if node.step is None:
            continue
        before = set(steps_before(node)) or {FIRST}
        if node.step.gated:
            found[GATE] = before
            before = {GATE}
        found[node.id] = before
    waited_for = set().union(*found.values())
    found[LAST] = set(found) - waited_for
    return found


def _reduced(needs: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without what follows from the rest: who waits for 4 waits for 3 too."""

    def all_before(name: str) -> set[str]:
        direct = needs[name]
        return direct.union(*(all_before(each) for each in direct)) if direct else set()

    return {
        name: direct - set().union(*(all_before(each) for each in direct)) if direct else set[str]()
        for name, direct in needs.items()
    }


def _rows(needs: dict[str, set[str]]) -> dict[str, int]:
    """Which row each stands in: below all that it waits for."""
    rows: dict[str, int] = {}

    def row(name: str) -> int:
        if name not in rows:
            rows[name] = 1 + max((row(each) for each in needs[name]), default=-1)
        return rows[name]

    for name in needs:
        row(name)
    return rows


def _claims(
    name: str, row: int, heading: str, claims: Sequence[Claim], kind: str = "claims"
) -> Card:
    seen = list(dict.fromkeys(claim.seen for claim in claims))
    return Card(name, row, tuple(Line(each, at_most=2) for each in seen), heading, kind=kind)


def _step(step: SwitchStep, row: int) -> Card:
    title = f"{step.number}. {step.title}"
    lines = [
        Line(title, strong=True, at_most=2),
        Line(f"{WORDS[step.write.change]} {step.write.name}"),
        Line("; ".join(changes(step.write)), at_most=2),
        Line(f"why here: {step.why}", faint=True, at_most=5, rule=True),
    ]
    return Card(step.id, row, tuple(lines), kind="step", active=step.number in (3, 4))


def _taken_back(step: SwitchStep, row: int) -> Card:
    lines = [
        Line(f"{write.name}: {'; '.join(changes(write))}", at_most=2) for write in step.contingency
    ]
    heading = f"step {step.number} refused or failed: taken back"
    return replace(Card(f"back/{step.number}", row, tuple(lines), heading), kind="contingency")
