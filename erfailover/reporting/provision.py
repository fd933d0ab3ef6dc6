"""Plans and outcomes of ``provision`` as text and as plain data. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from erfailover.model.counting import format_count, join_names
from erfailover.model.durations import DurationEstimate, describe_usual, format_duration
from erfailover.model.plan import Change
from erfailover.model.resource_ids import WORDS
from erfailover.model.tasks import Results, State
from erfailover.planning.provision.cost import PRICES_AS_OF, estimate
from erfailover.planning.provision.durations import select_notable
from erfailover.planning.provision.plan import Action, ProvisionPlan, SetupAction
from erfailover.reporting.plan.text import LEGEND, SIGN, format_summary_line

SLOW_S = 600.0
"""A plan that takes longer makes a gateway."""

NAMED = 12
"""At most this many failed or unstarted changes are named."""

TOLD = (Change.CREATE, Change.UPDATE, Change.KEEP)


def format_plan(plan: ProvisionPlan) -> str:
    """Return a plan for people: what is made and updated, and how many are kept."""
    every = plan.every
    counts = Counter(item.change for item in every)
    lines = [f"Plan: provision {plan.site}"]
    lines += ["", LEGEND, ""] if plan.changes else []
    for change in plan.changes:
        lines += _format_action(change)
    lines += [""] if plan.changes else []
    for name in plan.held:
        lines.append(
            f"{name} is on NO path: a switch is incomplete. "
            "Its peerings are left to erfailover switch."
        )
    for action in plan.actions:
        if action.change is Change.KEEP and action.note:
            lines.append(f"{action.title}: {action.note}.")
    if not plan.changes:
        return "\n".join(
            [
                *lines,
                f"Nothing to change: {format_count(len(every), 'resource')} up to date.",
            ]
        )
    summary = format_summary_line(counts[Change.CREATE], counts[Change.UPDATE], 0)
    text = f"{counts[Change.KEEP]} unchanged."
    return "\n".join([*lines, *_format_estimate(plan), "", text, summary])


def _format_estimate(plan: ProvisionPlan) -> Iterator[str]:
    """How long a plan takes and what it costs, as estimates."""
    expected = estimate(plan)
    slow = "; one gateway can take 45 min" if expected.duration_s > SLOW_S else ""
    yield f"Takes about {format_duration(expected.duration_s)}{slow}."
    written = [
        (change.desired.type, change.change)
        for change in plan.changes
        if isinstance(change, Action)
    ]
    yield from iter_usual_lines(select_notable(written))
    if expected.hourly_usd or expected.unpriced:
        without = f", without {', '.join(expected.unpriced)}" if expected.unpriced else ""
        yield (
            f"Costs about ${expected.hourly_usd:.2f} per hour until destroyed{without} "
            f"(estimate: {PRICES_AS_OF}; excludes data transfer)."
        )


def iter_usual_lines(estimates: Mapping[str, DurationEstimate]) -> Iterator[str]:
    """Yield how long each type of resource usually takes, if that is long."""
    for type_, usual in estimates.items():
        yield f"  a {WORDS[type_]}: {describe_usual(usual)}"


def _format_action(action: Action | SetupAction) -> Iterator[str]:
    if isinstance(action, SetupAction):
        yield f"{SIGN[action.change]} {action.setup.title}"
        return
    note = f"  ({action.note})" if action.note else ""
    yield f"{SIGN[action.change]} {action.desired.title}{note}"
    for difference in action.differences:
        yield f"       {difference}"


def build_plan_data(plan: ProvisionPlan) -> dict[str, Any]:
    """Return a plan as plain data. Secrets are named, never shown."""
    counts = Counter(item.change for item in plan.every)
    expected = estimate(plan)
    return {
        "site": plan.site,
        "estimate": {**asdict(expected), "prices": PRICES_AS_OF},
        "changes": len(plan.changes),
        **{str(change): counts[change] for change in TOLD},
        "between_paths": list(plan.held),
        "actions": [
            *(_build_action_data(action) for action in plan.actions),
            *(_build_setup_data(setup) for setup in plan.setups),
        ],
    }


def _build_action_data(action: Action) -> dict[str, Any]:
    return {
        "change": str(action.change),
        "type": action.desired.type,
        "name": action.desired.name,
        "id": action.desired.id,
        "differences": [asdict(difference) for difference in action.differences],
        "note": action.note,
    }


def _build_setup_data(action: SetupAction) -> dict[str, Any]:
    return {
        "change": str(action.change),
        "type": "natSetup",
        "name": action.setup.name,
        "id": action.setup.id,
        "differences": [],
        "note": None,
    }


def format_outcome(plan: ProvisionPlan, results: Results) -> str:
    """Return the outcome of a run, for people."""
    done, failed = results.list_tasks(State.DONE), results.list_tasks(State.FAILED)
    skipped = results.list_tasks(State.SKIPPED)
    took = format_duration(results.elapsed_s)
    if not failed:
        changes = format_count(len(done), "change")
        return f"{plan.site} is provisioned: {changes} in {took}. Next: erfailover status"
    lines = [f"Failed: {join_names((task.title for task in failed), NAMED)}"]
    if skipped:
        lines.append(f"Not started: {join_names((task.title for task in skipped), NAMED)}")
    lines.append("Run the command again to resume.")
    lines.append(
        f"{plan.site} is only partly provisioned: {format_count(len(done), 'change')} in {took}."
    )
    return "\n".join(lines)


def build_outcome_data(plan: ProvisionPlan, results: Results) -> dict[str, Any]:
    """Return the outcome of a run, as plain data."""
    ended = (State.DONE, State.FAILED, State.SKIPPED)
    return {
        "site": plan.site,
        "changes": len(results.list_tasks(State.DONE)),
        "failed": len(results.failures),
        "elapsed_s": round(results.elapsed_s, 1),
        "actions": [
            {
                "id": event.task.id,
                "title": event.task.title,
                "state": str(event.state),
                "elapsed_s": round(event.elapsed_s, 1),
                "note": event.note,
            }
            for event in results.events
            if event.state in ended
        ],
    }
