"""``erfailover history [RUN]``: list the site's runs, show one, or write the report of one."""

from __future__ import annotations

from pathlib import Path

from erfailover.commands.context import Context
from erfailover.commands.output import screen
from erfailover.errors import UnknownReading, UsageFailure
from erfailover.model.history import RunRecord, runs
from erfailover.reporting.run.history import list_text, run_data, run_text
from erfailover.runtime.state.process import alive


def run(context: Context, wanted: str | None, *, details: bool = False) -> None:
    """List the site's runs, show one in full, or write the report of one to a file.

    Args:
        context: the invocation; if it names a report file, the report is written there.
        wanted: the id of a run or its first characters; None for the list, or for the report of
            the last run.
        details: show every step of a run.

    Raises:
        UsageFailure: no run or several match, or the file cannot be written.
    """
    found = runs(context.records())
    if context.report is not None:
        _report(context, _found(context, found, wanted), context.report)
    elif wanted is None:
        data = [run_data(each, alive) for each in found]
        context.output.print_result(list_text(found, alive, screen(context.environment)), data)
    else:
        each = _found(context, found, wanted)
        one = {**run_data(each, alive), "result": each.result}
        context.output.print_result(run_text(each, alive, details=details), one)


def _report(context: Context, run: RunRecord, file: Path) -> None:
    from erfailover.commands.runs import report_file  # ``status`` uses this module, and no report
    from erfailover.reporting.run.report import RunReport

    try:
        content = report_file.content(RunReport(run), file.suffix.lower())
    except Exception as error:
        raise UnknownReading(
            f"the report of run {run.id} cannot be created: "
            f"its records have unexpected values ({error!r})",
            f"erfailover history {run.id} shows what can be read of them.",
        ) from error
    report_file.save(content, file)
    context.reported = True
    context.output.info(f"Report of run {run.id} ({run.to_continue}) written: {file}")


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
