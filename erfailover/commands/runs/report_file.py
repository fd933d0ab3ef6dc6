"""The report of a run: shown at its end however it ends, and written where ``--report`` says."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from erfailover.commands import output_file
from erfailover.commands.context import Context
from erfailover.commands.output import detect_screen
from erfailover.errors import UsageFailure
from erfailover.model.history import RunRecord, collect_runs
from erfailover.reporting.run import data
from erfailover.reporting.run import text as run_text
from erfailover.reporting.run.report import RunReport
from erfailover.runtime.journal import Journal

log = logging.getLogger("erfailover.commands.report_file")

SUFFIXES = (".html", ".json", ".txt")


def check(file: Path) -> None:
    """Refuse a report that could not be written, before anything is done.

    Raises:
        UsageFailure: a report cannot have this suffix, or the file exists and is something else.
    """
    if file.suffix.lower() not in SUFFIXES:
        raise UsageFailure(
            f"--report {file}: expected a name that ends in {', '.join(SUFFIXES)}",
            "The suffix decides the format.",
        )
    output_file.check(file, output_file.REPORT, "--report")


def format_content(report: RunReport, suffix: str) -> str:
    """Return a report in the format of a file's suffix."""
    if suffix == ".json":
        return json.dumps(data.build_data(report), indent=2) + "\n"
    if suffix == ".html":
        from erfailover.reporting.run import html

        return html.render_page(report)
    return run_text.format_full_text(report) + "\n"


def save(content: str, file: Path) -> None:
    """Write a report as a whole or not at all.

    Raises:
        UsageFailure: it could not be written.
    """
    output_file.write(file, content, output_file.REPORT)


def find_record(journal: Journal) -> RunRecord | None:
    """Return what this run has recorded of itself; None if it has not started."""
    runs = [run for run in collect_runs(journal.written) if run.id == journal.run]
    return runs[-1] if runs else None


def write(context: Context, journal: Journal) -> None:
    """Write the report of this run, if one is wanted. Never fails a run that went well."""
    run = find_record(journal)
    if context.report is None or run is None:
        return
    context.reported = True
    try:
        save(format_content(RunReport(run), context.report.suffix.lower()), context.report)
    except Exception as error:  # whatever it is, how the run ended matters more
        log.debug("the report could not be written", exc_info=True)
        context.output.warn(
            f"The report could not be written to {context.report}: {error}. "
            f"To write it later: erfailover history {run.id} --report FILE"
        )
        return
    context.output.print_info(f"Report written: {context.report}")


@contextmanager
def print_at_end(context: Context) -> Iterator[None]:
    """Show the report of this run on standard output at its end, however it ends."""
    try:
        yield
    finally:
        run = find_record(context.journal)
        if run is not None:
            report = RunReport(run)
            whole = run_text.format_text(report, detect_screen(context.environment))
            if context.drill is not None:  # the drill reports both of its switches at its end
                context.output.print_info(whole)
            else:
                text = report.headline if context.output.quiet else whole
                context.output.print_result(text, data.build_data(report), heads=False)
            sys.stdout.flush()
