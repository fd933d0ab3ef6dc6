"""Plans and outcomes of ``destroy`` as text and as plain data. Pure."""

from __future__ import annotations

from typing import Any

from erfailover.model.counting import format_count, join_names
from erfailover.model.durations import format_duration
from erfailover.model.plan import Change
from erfailover.model.tasks import Results, State
from erfailover.planning.critical_path import UNKNOWN_S, compute_longest_s
from erfailover.planning.provision.destroy import DestroyPlan
from erfailover.planning.provision.durations import find_usual, select_notable
from erfailover.reporting.plan.text import format_summary_line
from erfailover.reporting.provision import iter_usual_lines

NAMED = 12
"""At most this many names are in a line."""


def format_plan(plan: DestroyPlan) -> str:
    """Return a plan for people: what is deleted, in order, and what is kept."""
    lines = [f"Plan: destroy {plan.site}"]
    lines += [""] if plan.deletions else []
    lines += [f"- {deletion.title}" for deletion in plan.deletions]
    lines += ["", "Kept:", *(f"  {name}" for name in plan.retained)] if plan.retained else []
    if plan.disconnected:
        lines += ["", f"Becomes Disconnected: {join_names(plan.disconnected, NAMED)}"]
    if plan.deletions:
        lines += ["", f"Takes about {format_duration(_compute_longest_s(plan))}."]
        lines += iter_usual_lines(
            select_notable((deletion.type, Change.DELETE) for deletion in plan.deletions)
        )
    count = len(plan.deletions)
    return "\n".join(
        [*lines, "", format_summary_line(0, 0, count) if count else "Nothing to delete."]
    )


def _compute_longest_s(plan: DestroyPlan) -> float:
    """Return how long the longest chain of deletions usually takes."""
    usual = {deletion.id: find_usual(deletion.type, Change.DELETE) for deletion in plan.deletions}
    takes_s = {
        id_: estimate.usually_s if estimate else UNKNOWN_S for id_, estimate in usual.items()
    }
    return compute_longest_s({deletion.id: deletion.needs for deletion in plan.deletions}, takes_s)


def build_plan_data(plan: DestroyPlan) -> dict[str, Any]:
    """Return a plan as plain data."""
    return {
        "site": plan.site,
        "changes": len(plan.deletions),
        "delete": [
            {"type": deletion.type, "name": deletion.title.split(" ")[-1], "id": deletion.id}
            for deletion in plan.deletions
        ],
        "kept": list(plan.retained),
    }


def format_outcome(plan: DestroyPlan, results: Results) -> str:
    """Return what was deleted and what was not, for people."""
    done, took = len(results.list_tasks(State.DONE)), format_duration(results.elapsed_s)
    if not results.failures:
        text = f" Kept: {join_names(plan.retained, NAMED, '; ')}." if plan.retained else ""
        return f"{plan.site} is deleted: {format_count(done, 'resource')} deleted in {took}.{text}"
    failed = join_names((task.title for task in results.list_tasks(State.FAILED)), NAMED)
    lines = [f"Failed: {failed}", "Run the command again to delete the rest."]
    lines.append(
        f"{plan.site} is only partly deleted: {format_count(done, 'resource')} deleted in {took}."
    )
    return "\n".join(lines)


def build_outcome_data(plan: DestroyPlan, results: Results) -> dict[str, Any]:
    """Return what was deleted and what was not, as plain data."""
    return {
        "site": plan.site,
        "changes": len(results.list_tasks(State.DONE)),
        "failed": len(results.failures),
        "elapsed_s": round(results.elapsed_s, 1),
        "deleted": [task.id for task in results.list_tasks(State.DONE)],
        "kept": list(plan.retained),
    }
