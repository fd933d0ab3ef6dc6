"""What a plan of peerings says, as text and as plain data. Pure."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import Any

from erfailover.model import (
    Change,
    Claim,
    PeeringWrite,
    Purpose,
    SwitchPlan,
    SwitchStep,
    Verdict,
)
from erfailover.reporting.tables import MARK, WIDTH, path_name

FLAG_NAMES = {
    "allow_virtual_network_access": "access",
    "allow_forwarded_traffic": "forwarded traffic",
    "allow_gateway_transit": "gateway transit",
    "use_remote_gateways": "remote gateways",
}
SIGN = {Change.CREATE: "+", Change.UPDATE: "~", Change.DELETE: "-", Change.KEEP: " "}


PLANS = {
    Purpose.SWITCH: "Plan: switch {site} to {path}",
    Purpose.PRESTAGE: "Plan: prestage {site}: have the peerings with the backup hub ready",
    Purpose.UNPRESTAGE: "Plan: unprestage {site}: remove the peerings with the backup hub",
}


def data(plan: SwitchPlan) -> dict[str, Any]:
    """A plan as plain data."""
    return {
        "site": plan.site,
        "purpose": str(plan.purpose),
        "to": str(plan.target),
        "guards": [_claim_data(claim) for claim in plan.guards],
        "hazards": [
            {**_claim_data(claim), "remedy": claim.remedy or None} for claim in plan.hazards
        ],
        "steps": [_step_data(step) for step in plan.steps],
    }


def _claim_data(claim: Claim) -> dict[str, Any]:
    return {"condition": claim.name, "verdict": str(claim.verdict), "seen": claim.seen}


def _step_data(step: SwitchStep) -> dict[str, Any]:
    return {
        "number": step.number,
        "spoke": step.spoke,
        "title": step.title,
        "why": step.why,
        "gated": step.gated,
        "write": _write_data(step.write),
        "contingency": [_write_data(each) for each in step.contingency],
    }


def _write_data(write: PeeringWrite) -> dict[str, Any]:
    return {
        "change": str(write.change),
        "peering": write.peering_id,
        "before": asdict(write.before) if write.before else None,
        "after": asdict(write.after) if write.after else None,
    }


def text(plan: SwitchPlan) -> str:
    """A plan for people: every step in order, what it changes and why it stands there."""
    lines = [PLANS[plan.purpose].format(site=plan.site, path=path_name(plan.target)), ""]
    lines += [f"  {MARK[claim.verdict]:>7}  {claim.seen}" for claim in plan.guards]
    lines += _hazard_lines(plan)
    lines.append("")
    gate_told = False
    for step in plan.steps:
        if step.gated and not gate_told and step.write.change is not Change.KEEP:
            gate_told = True
            lines.append("     gate: all of the above is read again and must hold")
        lines += _step_lines(step)
    writes = len(plan.writes)
    lines += ["", "Nothing to change." if not writes else f"{writes} peering(s) will be written."]
    return "\n".join(lines)


def _hazard_lines(plan: SwitchPlan) -> list[str]:
    """The hazards of a plan with their remedies; one line where there is none."""
    lines = []
    for claim in plan.hazards:
        if claim.verdict is not Verdict.HOLDS:
            lines += textwrap.wrap(
                claim.seen,
                WIDTH,
                initial_indent=f"  {MARK[claim.verdict]:>7}  ",
                subsequent_indent=" " * 13,
            )
            lines.append(f"           remedy: {claim.remedy}")
    if plan.hazards and not lines:
        lines.append(f"  {MARK[Verdict.HOLDS]:>7}  nothing else was found to hold traffic back")
    return lines


def _step_lines(step: SwitchStep) -> list[str]:
    write = step.write
    lines = [f"{SIGN[write.change]} {step.number}. {step.title}  [{write.name}]"]
    if write.change is Change.KEEP:
        lines[0] += "  (already so)"
        return lines
    lines += [f"       {each}" for each in changes(write)]
    lines += textwrap.wrap(
        f"why here: {step.why}", WIDTH - 10, initial_indent=" " * 7, subsequent_indent=" " * 9
    )
    for write in step.contingency:
        lines.append(f"       if refused: {write.name}: {'; '.join(changes(write))}")
    return lines


def changes(write: PeeringWrite) -> list[str]:
    """What a write changes, flag by flag: ``remote gateways: yes -> no``."""
    if write.after is None:
        return ["removed"]
    before = asdict(write.before) if write.before else {}
    after = asdict(write.after)
    return [
        f"{FLAG_NAMES[name]}: "
        + (f"{_yes(before[name])} -> {_yes(value)}" if before else _yes(value))
        for name, value in after.items()
        if not before or before[name] != value
    ] or ["written again, to connect it"]


def _yes(value: object) -> str:
    return "yes" if value else "no"
