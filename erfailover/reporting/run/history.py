"""Runs of the past as text and as plain data. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any

from erfailover.model.history import DRILL_RUN, RunRecord, StepRecord
from erfailover.model.lease import Holder
from erfailover.reporting.azure_context import format_heading
from erfailover.reporting.screen import NARROW, PLAIN, Screen
from erfailover.reporting.tables import format_table
from erfailover.reporting.way_back import add_refusal

Alive = Callable[[Holder], bool | None]
"""Whether a holder's process lives; None if that cannot be known."""
NOT_KNOWN = "not known"
"""How the outcome of an open run of another machine begins."""
FEW = 3
"""Up to this many steps that are alike are shown one by one."""


def describe_outcome(run: RunRecord, alive: Alive) -> str:
    """How a run ended, in words; what another machine does is not known from here."""
    if run.outcome != "open":
        return run.outcome
    holder = Holder(run.who, run.host, run.pid, run.command, run.machine, run.started)
    return {True: "under way", False: "died", None: f"{NOT_KNOWN} (on {run.host})"}[alive(holder)]


def build_open_data(
    run: RunRecord | None, alive: Alive, refused: str | None = None
) -> dict[str, Any] | None:
    """Return an incomplete run, for ``status``.

    Args:
        run: the run; None if there is none.
        alive: whether a holder's process lives.
        refused: why its way back would be refused now; None if it would not be.
    """
    if run is None:
        return None
    return {
        "run": run.id,
        "command": run.typed,
        "began": run.began,
        "who": f"{run.who}@{run.host}",
        "outcome": describe_outcome(run, alive),
        "to_continue": run.to_continue,
        "to_go_back": run.to_go_back,
        "way_back_refused": refused,
    }


def format_open(run: RunRecord, alive: Alive, refused: str | None = None) -> str:
    """Return the same for people."""
    what = run.brief
    who = f"{run.who}@{run.host}, {run.began[:19]} UTC"
    if describe_outcome(run, alive) == "under way":
        return f"IN PROGRESS: {what} (run {run.id}, {who})"
    outcome = describe_outcome(run, alive)
    if outcome.startswith(NOT_KNOWN):
        outcome = f"has no recorded end and may still be running on {run.host}"
    lines = [f"INCOMPLETE: {what} {outcome} (run {run.id}, {who})"]
    lines.append(f"  to resume: {run.to_continue}")
    if run.to_go_back:
        lines.append(f"  to go back: {add_refusal(run.to_go_back, refused)}")
    return "\n".join(lines)


def build_run_data(run: RunRecord, alive: Alive) -> dict[str, Any]:
    """Return a run as plain data, without its result and the diagrams of its report."""
    plain = replace(run, before=None, after=None, result={})
    body = {**asdict(plain), "outcome": describe_outcome(run, alive)}
    return {key: value for key, value in body.items() if key not in ("result", "before", "after")}


def run_whole(run: RunRecord, alive: Alive) -> dict[str, Any]:
    """Return a run as plain data, with its result."""
    return {**build_run_data(run, alive), "result": run.result}


def format_list(runs: list[RunRecord], alive: Alive, screen: Screen = PLAIN) -> str:
    """Return the runs as a table, the newest last; empty if there are none."""
    if not runs:
        return ""
    tickets = [run.ticket or "-" for run in runs] if any(run.ticket for run in runs) else []
    return format_table(
        "Runs",
        ("run", "began (UTC)", "who", "command", "outcome", "steps", *["ticket"][: len(tickets)]),
        [
            (
                run.id,
                run.began[:19],
                f"{run.who}@{run.host}",
                run.brief,
                describe_outcome(run, alive),
                len(run.steps),
                *tickets[number : number + 1],
            )
            for number, run in enumerate(runs)
        ],
        screen,
        names=("who", "command", "outcome"),
        spare=("steps",),
    )


def format_heading_lines(run: RunRecord, screen: Screen = NARROW) -> list[str]:
    """Return where a run worked and as whom, as it recorded that; nothing for older records."""
    return format_heading(run.context, screen).splitlines() if run.context is not None else []


def format_run(
    run: RunRecord, alive: Alive, screen: Screen = NARROW, *, details: bool = False
) -> str:
    """Return one run for people.

    Args:
        run: the run.
        alive: whether a holder's process lives.
        screen: what it is shown on.
        details: show every step; otherwise many that are alike are one line.
    """
    lines = [
        *format_heading_lines(run, screen),
        f"erfailover {run.typed}: {describe_outcome(run, alive)}",
        f"run {run.id}, plan {run.digest}, by {run.who}@{run.host} (process {run.pid})",
        f"began {run.began}, ended {run.ended or '-'}",
    ]
    lines += [f"ticket {run.ticket}"] if run.ticket else []
    lines += [f"reason: {run.reason}"] if run.reason else []
    lines += [f"part of drill {run.drill}"] if run.drill else []
    lines += list(_list_switches(run))
    lines += [f"erfailover {run.context.version}"] if run.context else []
    if run.took_over:
        lines.append(f"took over {run.took_over}")
    if run.message:
        lines.append(run.message)
    folded = False
    for steps in _group_alike(run.steps):
        if details or len(steps) <= FEW:
            lines += [line for step in steps for line in _step_lines(step)]
            continue
        folded = True
        if steps[0].outcome != "done":
            lines += [line for step in steps[:FEW] for line in _step_lines(step)]
            steps = steps[FEW:]
        first, last = steps[0], steps[-1]
        when = f"{first.began[11:19]} to {last.began[11:19]}"
        more = f", and {len(steps) - 1} more like this" if len(steps) > 1 else ""
        lines += ["", f"{first.outcome:>9}  {when}  {first.title}{more}"]
    if folded:
        lines += ["", f"To see every step: erfailover history {run.id} --details"]
    return "\n".join(lines)


def _list_switches(run: RunRecord) -> Iterator[str]:
    """Yield the switches of a drill, and whether they proved the backup path."""
    if run.command != DRILL_RUN:
        return
    for which in ("there", "back"):
        if id_ := run.result.get(which):
            yield f"switch {which}: run {id_}"
    yield "verified both ways" if run.result.get("verified") else "NOT verified"


def _group_alike(steps: Iterable[StepRecord]) -> Iterable[list[StepRecord]]:
    """Return the steps that differ only by the spoke or the resource together."""
    by_name: dict[object, list[StepRecord]] = {}
    for step in steps:
        label = step.task.rpartition("/")[2]
        what = label if label.isdigit() else step.resource.rpartition("/")[0].rpartition("/")[2]
        by_name.setdefault((step.outcome, step.change, what), []).append(step)
    return by_name.values()


def _step_lines(step: StepRecord) -> Iterator[str]:
    yield ""
    yield f"{step.outcome:>9}  {step.began[11:19]}  {step.title}"
    if step.note:
        yield f"           {step.note}"
    if step.resource:
        yield f"           {step.change} {step.resource}"
    yield from (
        f"           correlation id {correlation_id_}" for correlation_id_ in step.correlation_ids
    )
