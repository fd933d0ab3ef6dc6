"""``erfailover history [RUN]``: who did what, when, with Azure's correlation ids."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from erfailover.commands.context import Context
from erfailover.errors import UsageFailure
from erfailover.history import RunRecord, runs
from erfailover.lease import Holder
from erfailover.reporting.tables import table
from erfailover.state.process import alive


def run(context: Context, wanted: str | None) -> None:
    """List the runs of the site, tell one in full, or write its report to a file.

    Args:
        context: the invocation; where it names a report's file, that is written.
        wanted: a run's id, or how it begins; None for the list, or for the last run's report.

    Raises:
        UsageFailure: there is no such run, or the file cannot be written.
    """
    found = runs(context.journal.records())
    if context.report is not None:
        _report(context, _found(context, found, wanted), context.report)
    elif wanted is None:
        context.show(list_text(found), [_data(each) for each in found])
    else:
        each = _found(context, found, wanted)
        context.show(run_text(each), {**_data(each), "result": each.result})


def _report(context: Context, run: RunRecord, file: Path) -> None:
    from erfailover.commands import report_file  # ``status`` uses this module, and no report
    from erfailover.reporting.run import RunReport

    try:
        report_file.save(RunReport(run), file)
    except OSError as error:
        raise UsageFailure(
            f"--report {file}: {error.strerror or error}", "Name a file in a folder of yours."
        ) from None
    context.reported = True
    context.say(f"Report of run {run.id} ({run.to_continue}) written: {file}")


def _found(context: Context, found: list[RunRecord], wanted: str | None) -> RunRecord:
    if wanted is None:
        if not found:
            raise UsageFailure(f"nothing was ever run on {context.site.name} from here")
        return found[-1]
    matches = [each for each in found if each.id.startswith(wanted)]
    if len(matches) != 1:
        what = "no run" if not matches else f"{len(matches)} runs"
        raise UsageFailure(
            f"{what} of {context.site.name} begins with {wanted!r}",
            "erfailover history lists them.",
        )
    return matches[0]


def outcome(run: RunRecord) -> str:
    """How a run ended, in words; what another machine does is not known from here."""
    if run.outcome != "open":
        return run.outcome
    holder = Holder(run.who, run.host, run.pid, run.command, run.machine, run.started)
    return {True: "under way", False: "died", None: f"not known (on {run.host})"}[alive(holder)]


def open_data(run: RunRecord | None) -> dict[str, Any] | None:
    """A run that did not come to its end, for ``status``."""
    if run is None:
        return None
    return {
        "run": run.id,
        "command": run.to_continue.removeprefix("erfailover "),
        "began": run.began,
        "who": f"{run.who}@{run.host}",
        "outcome": outcome(run),
        "to_continue": run.to_continue,
        "to_go_back": run.to_go_back,
    }


def open_text(run: RunRecord) -> str:
    """The same for people."""
    what = run.to_continue.removeprefix("erfailover ")
    who = f"{run.who}@{run.host}, {run.began[:19]} UTC"
    if outcome(run) == "under way":
        return f"UNDER WAY: {what} (run {run.id}, {who})"
    lines = [f"UNFINISHED: {what} {outcome(run)} (run {run.id}, {who})"]
    lines.append(f"  to go on: {run.to_continue}")
    if run.to_go_back:
        lines.append(f"  to go back: {run.to_go_back}")
    return "\n".join(lines)


def _data(run: RunRecord) -> dict[str, Any]:
    told = {**asdict(run), "outcome": outcome(run)}
    return {key: value for key, value in told.items() if key != "result"}


def list_text(found: list[RunRecord]) -> str:
    """The runs as a table, the newest last."""
    if not found:
        return "Nothing was ever run on this site from here."
    return table(
        "Runs",
        ("run", "began (UTC)", "who", "command", "outcome", "steps"),
        [
            (
                each.id,
                each.began[:19],
                f"{each.who}@{each.host}",
                each.to_continue.removeprefix("erfailover "),
                outcome(each),
                len(each.steps),
            )
            for each in found
        ],
    )


def run_text(run: RunRecord) -> str:
    """One run in full."""
    lines = [
        f"{run.to_continue}: {outcome(run)}",
        f"run {run.id}, plan {run.digest}, by {run.who}@{run.host} (process {run.pid})",
        f"began {run.began}, ended {run.ended or '-'}",
    ]
    if run.took_over:
        lines.append(f"took over {run.took_over}")
    if run.message:
        lines.append(run.message)
    for step in run.steps:
        lines += ["", f"{step.outcome:>9}  {step.began[11:19]}  {step.title}"]
        lines += [f"           {step.note}"] if step.note else []
        lines += [f"           {step.change} {step.resource}"] if step.resource else []
        lines += [f"           correlation id {each}" for each in step.correlation_ids]
    return "\n".join(lines)
