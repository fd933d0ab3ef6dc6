"""``erfailover history [RUN]``: list the site's runs, show one, or write the report of one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from erfailover.commands.context import Context
from erfailover.commands.output import detect_screen
from erfailover.errors import UnknownReading, UsageFailure
from erfailover.model.history import RunRecord, collect_runs
from erfailover.model.moments import is_before
from erfailover.reporting.run.history import build_run_data, format_list, format_run, run_whole
from erfailover.runtime.state.process import is_alive

ROWS = "[].[id, began, command, outcome]"
"""The columns of ``-o tsv``."""

NOTHING = "No runs of this site are recorded here."


def run(
    context: Context,
    run_id: str | None,
    since: datetime | None = None,
    *,
    lines: bool = False,
    details: bool = False,
) -> None:
    """List the site's runs, show one in full, or write the report of one to a file.

    Args:
        context: the invocation; if it names a report file, the report is written there.
        run_id: the id of a run or its first characters; None for the list, or for the report of
            the last run.
        since: list only runs that began since then; None for all.
        lines: print each run in full, one JSON object a line.
        details: show every step of a run.

    Raises:
        UsageFailure: no run or several match, or the file cannot be written.
    """
    runs = collect_runs(context.read_records())
    if since is not None:
        runs = [run_record for run_record in runs if not is_before(run_record.began, since)]
    if context.report is not None:
        _report(context, _find_run(context, runs, run_id), context.report)
    elif lines:
        whole = runs if run_id is None else [_find_run(context, runs, run_id)]
        context.output.print_lines(run_whole(run_record, is_alive) for run_record in whole)
    elif run_id is None:
        data = [build_run_data(run_record, is_alive) for run_record in runs]
        nothing = (
            NOTHING if since is None else f"No run has started since {since:%Y-%m-%d %H:%M} UTC."
        )
        text = format_list(runs, is_alive, detect_screen(context.environment)) or nothing
        context.output.print_result(text, data, ROWS)
    else:
        record = _find_run(context, runs, run_id)
        text = format_run(record, is_alive, detect_screen(context.environment), details=details)
        context.output.print_result(text, run_whole(record, is_alive), heads=record.context is None)


def _report(context: Context, run: RunRecord, file: Path) -> None:
    from erfailover.commands.runs import report_file  # ``status`` uses this module, and no report
    from erfailover.reporting.run.report import RunReport

    try:
        content = report_file.format_content(RunReport(run), file.suffix.lower())
    except Exception as error:
        raise UnknownReading(
            f"the report of run {run.id} cannot be created: "
            f"its records have unexpected values ({error!r})",
            f"To see what can be read of them: erfailover history {run.id}",
        ) from error
    report_file.save(content, file)
    context.reported = True
    context.output.print_info(f"Report of run {run.id} (erfailover {run.typed}) written: {file}")


def _find_run(context: Context, runs: list[RunRecord], run_id: str | None) -> RunRecord:
    if run_id is None:
        if not runs:
            raise UsageFailure(f"no runs of {context.site.name} are recorded here")
        return runs[-1]
    matches = [run_record for run_record in runs if run_record.id.startswith(run_id)]
    if len(matches) != 1:
        what = "no run" if not matches else f"{len(matches)} runs"
        raise UsageFailure(
            f"{what} of {context.site.name} found whose id begins with {run_id!r}",
            "To list the runs: erfailover history",
        )
    return matches[0]
