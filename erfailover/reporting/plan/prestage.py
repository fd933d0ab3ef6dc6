"""The result of ``prestage`` and ``unprestage``, as text and as plain data. Pure."""

from __future__ import annotations

from typing import Any

from erfailover.model.counting import format_count
from erfailover.model.durations import format_duration
from erfailover.model.plan import Purpose, SwitchPlan
from erfailover.model.site import Site
from erfailover.model.tasks import Results, State
from erfailover.reporting.words import format_subject


def format_text(site: Site, plan: SwitchPlan, results: Results, seconds: float) -> str:
    """Return the result for people; ``seconds`` is how long it took."""
    if not plan.writes:
        return f"{format_subject(site)}: nothing to change."
    word = "ready" if plan.purpose is Purpose.PRESTAGE else "removed"
    done, every = len(_list_changed(plan, results)), format_count(len(plan.writes), "peering")
    lines = [f"{format_subject(site)}: {done} of {every} {word}, {format_duration(seconds)}."]
    if plan.purpose is Purpose.PRESTAGE and not site.prestaged and not site.chosen:
        lines.insert(
            0,
            "Add prestaged: true to the site file so that a switch back keeps these peerings, on "
            "every machine.",
        )
    return "\n".join(lines)


def build_data(site: Site, plan: SwitchPlan, results: Results) -> dict[str, Any]:
    """Return the result as plain data."""
    return {
        "site": site.name,
        "purpose": str(plan.purpose),
        "changed": _list_changed(plan, results),
        "failed": {key: failure.message for key, failure in results.failures.items()},
        "left_out": {name: condition.message for name, condition in plan.left_out.items()},
    }


def _list_changed(plan: SwitchPlan, results: Results) -> list[str]:
    done = {task.resource for task in results.list_tasks(State.DONE)}
    return [step.write.name for step in plan.writes if step.write.resource_id in done]
