"""A plan of a switch as plain data. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from erfailover.model.conditions import Condition
from erfailover.model.durations import DurationEstimate
from erfailover.model.plan import (
    Change,
    NextHopWrites,
    PeeringWrite,
    StepWrite,
    SwitchPlan,
    SwitchStep,
)
from erfailover.model.site import Site
from erfailover.planning.switch.estimate import (
    estimate_plan,
    estimate_prestaging_gain,
    estimate_step,
)
from erfailover.reporting.plan.risks import describe_untouched, list_risks
from erfailover.reporting.plan.routes import build_routes_data, count_routes


def build_data(site: Site, plan: SwitchPlan) -> dict[str, Any]:
    """Return a plan as plain data."""
    whole = estimate_plan(site, plan)
    return {
        "site": plan.site,
        "purpose": str(plan.purpose),
        "to": str(plan.target),
        "spokes": list(site.chosen) or None,
        "guards": [_build_condition_data(condition) for condition in plan.guards],
        "hazards": [
            {
                **_build_condition_data(condition),
                "remedy": condition.remedy or None,
                "weight": str(condition.weight),
            }
            for condition in plan.hazards
        ],
        "left_out": [
            {"spoke": name, **_build_condition_data(condition), "remedy": condition.remedy or None}
            for name, condition in plan.left_out.items()
        ],
        "remarks": list(plan.remarks),
        "hold_time": plan.hold_time or None,
        "leaves_healthy": list(plan.leaves_healthy),
        "undoes": plan.undoes or None,
        "steps": [_build_step_data(step) for step in plan.steps],
        "expected": {
            "cut": _build_usual_data(whole.cut if whole else None),
            "moved": _build_usual_data(whole.moved if whole else None),
            "done": _build_usual_data(whole.done if whole else None),
            "saved_by_prestaging_s": estimate_prestaging_gain(site, plan),
        },
        "risks": [
            {"when": risk.when, "what": risk.what, "expected": _build_usual_data(risk.usual)}
            for risk in list_risks(site, plan, whole)
        ],
        "not_at_risk": describe_untouched(plan),
        **count_writes(plan),
    }


def count_writes(plan: SwitchPlan) -> dict[str, int]:
    """How many writes a plan has of each kind, and how many steps need none."""
    moved = [step.write for step in plan.steps if isinstance(step.write, NextHopWrites)]
    counter = Counter(
        step.write.change
        for step in plan.steps
        if isinstance(step.write, PeeringWrite) or step.write.change is Change.KEEP
    )
    counter.update(count_routes(moved))
    words = {Change.CREATE: "add", Change.UPDATE: "change", Change.DELETE: "remove"}
    return {word: counter[change] for change, word in (words | {Change.KEEP: "keep"}).items()}


def _build_condition_data(condition: Condition) -> dict[str, Any]:
    return {
        "condition": condition.name,
        "verdict": str(condition.status),
        "seen": condition.message,
    }


def _build_step_data(step: SwitchStep) -> dict[str, Any]:
    return {
        "number": step.number,
        "spoke": step.spoke,
        "title": step.title,
        "why": step.why,
        "gated": step.gated,
        "write": _build_write_data(step.write),
        "contingency": [_build_write_data(write) for write in step.contingency],
        "expected": _build_usual_data(estimate_step(step)),
    }


def _build_usual_data(usual: DurationEstimate | None) -> dict[str, float] | None:
    if usual is None:
        return None
    return {"usually_s": usual.usually_s, "one_in_ten_s": usual.one_in_ten_s}


def _build_write_data(write: StepWrite) -> dict[str, Any]:
    if isinstance(write, NextHopWrites):
        return build_routes_data(write)
    return {
        "change": str(write.change),
        "peering": write.peering_id,
        "before": asdict(write.before) if write.before else None,
        "after": asdict(write.after) if write.after else None,
        "sync": write.sync,
    }
