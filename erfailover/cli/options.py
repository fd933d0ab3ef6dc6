"""The options that many commands take, and what a command gets from them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from erfailover.errors import escape_controls, is_one_line
from erfailover.model.moments import parse_moment
from erfailover.reporting.formats import FORMATS
from erfailover.runtime import logs

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from erfailover.commands.context import Context
    from erfailover.commands.output import Output
    from erfailover.reporting.formats import Query

LONGEST_REASON = 500
"""How many characters a reason may have."""
TICKET = re.compile(r"[A-Za-z0-9._-]{1,64}")

CONTEXT = "erfailover.context"
"""Where click keeps the context of the command that runs."""

F = TypeVar("F", bound=Callable[..., Any])


class WordChoice(click.Choice[str]):
    """One of a few words, in any case; for a mistyped one the error suggests the closest match."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(words, case_sensitive=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word; raises ``BadParameter`` if it is none of them."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            from difflib import get_close_matches

            text = str(value).lower()
            close = get_close_matches(text, self.choices, 1) or [
                word for word in self.choices if text.endswith(f".{word}")
            ]
            meant = f" Did you mean {close[0]!r}?" if close else ""
            self.fail(f"{error.message}{meant}", param, ctx)


class Seconds(click.FloatRange):
    """A number of seconds in a range, which NaN is not."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; raise ``BadParameter`` if it is none or out of range."""
        seconds = float(click.FLOAT.convert(value, param, ctx))
        if seconds != seconds:
            self.fail(f"{value} is not a number of seconds.", param, ctx)
        if problem := _find_range_problem(seconds, self.min, self.max, " s"):
            self.fail(problem, param, ctx)
        return seconds


class Count(click.IntRange):
    """A whole number in a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number; raise ``BadParameter`` if it is none or out of range."""
        number = int(click.INT.convert(value, param, ctx))
        if problem := _find_range_problem(number, self.min, self.max, ""):
            self.fail(problem, param, ctx)
        return number


def _find_range_problem(number: float, least: float | None, most: float | None, unit: str) -> str:
    """Return a message if a number is out of range; otherwise an empty text."""
    if least is not None and number < least:
        return f"{number:g}{unit} is too small; expected at least {least:g}{unit}."
    if most is not None and number > most:
        return f"{number:g}{unit} is too large; expected at most {most:g}{unit}."
    return ""


class Moment(click.ParamType[datetime]):
    """A moment in the past: a date, a time, or how long ago."""

    name = "moment"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the moment in UTC; raise ``BadParameter`` if the text names none."""
        try:
            return parse_moment(str(value), datetime.now(UTC))
        except ValueError as error:
            self.fail(f"{escape_controls(str(value))[:80]!r}: {error}.", param, ctx)


def complete_with(by: str) -> Callable[..., list[CompletionItem[str]]]:
    """Complete an option's value with what a function of ``cli.completion`` finds."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        from erfailover.cli import completion

        return completion.find_items(by, ctx, incomplete)

    return complete


def add_log_options(command: F) -> F:
    """Return the options that control the log."""
    for option in (
        click.option(
            "-v",
            "--verbose",
            count=True,
            help="Log every request to Azure on stderr; -vv also logs retries, waits, and the "
            "credential that supplied the token.",
        ),
        click.option(
            "--log-format",
            type=WordChoice(["text", "json"]),
            default="text",
            show_default=True,
            envvar="ERFAILOVER_LOG_FORMAT",
            help="Log format on stderr. json also logs progress and errors, one object per line.",
        ),
    ):
        command = option(command)
    return command


def add_common_options(command: F) -> F:
    """Return the options of every command that prints a result."""
    return add_output_options(add_site_options(command))


def add_plan_options(command: F) -> F:
    """Return the same options, for a command whose plan can be printed as az commands."""
    return _add_output_options(add_site_options(command), (*FORMATS, "az"))


SITE = click.option(
    "--site",
    "site_file",
    envvar="ERFAILOVER_SITE",
    default="erfailover.yaml",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Site file (or set ERFAILOVER_SITE).",
)
LAB = click.option("--lab", is_flag=True, help="Use the lab; start it if none is running.")


def add_site_options(command: F) -> F:
    """Return the options that select the site, and those that every command takes."""
    for option in (
        SITE,
        LAB,
    ):
        command = option(command)
    return add_log_options(command)


def add_output_options(command: F) -> F:
    """Return the options that control the output, named as in az."""
    return _add_output_options(command, FORMATS)


def _add_output_options(command: F, formats: tuple[str, ...]) -> F:
    for option in (
        click.option(
            "--query",
            metavar="JMESPATH",
            callback=_parse_query,
            help="Print only the result of this JMESPath query.",
        ),
        click.option(
            "-o",
            "--output",
            type=WordChoice(formats),
            help="Output format. Default: table (json with --query)."
            + (" az: a dry run's plan as az commands." if "az" in formats else ""),
        ),
    ):
        command = option(command)
    return command


def _parse_query(ctx: click.Context, param: click.Parameter, text: str | None) -> Query | None:
    """Return the query, or what is wrong with it, before anything is done."""
    if text is None or ctx.resilient_parsing:
        return None
    from erfailover.reporting import formats

    try:
        return formats.parse_query(text)
    except formats.QueryProblem as problem:
        raise click.BadParameter(str(problem)) from None


def pop_output(options: dict[str, Any]) -> tuple[str, Query | None]:
    """Return the format and the query that were asked for; takes them out of ``options``."""
    output, query = options.pop("output", None), options.pop("query", None)
    return output or ("json" if query else "table"), query


def add_write_options(command: F) -> F:
    """Return the options of every command that writes to the site."""
    for option in (
        click.option(
            "--take-over",
            is_flag=True,
            help="Take over the lease of another run that is changing the site: that run stops "
            "before its next change.",
        ),
        click.option(
            "--break-glass",
            is_flag=True,
            help="If the shared state cannot be reached, continue with this machine's own. "
            "Other machines can then change the site at the same time.",
        ),
    ):
        command = option(command)
    return add_run_options(command)


def add_run_options(command: F) -> F:
    """Return the options of every command whose run is recorded."""
    for option in (
        click.option(
            "--ticket",
            metavar="ID",
            callback=_parse_ticket,
            help="Change or incident that the run belongs to; recorded in the journal, the report "
            "and the history, and sent to Azure in the user agent. At most 64 letters, digits, "
            "'.', '_' and '-'.",
        ),
        click.option(
            "--reason",
            metavar="TEXT",
            callback=parse_reason,
            help="Reason for the run; recorded in the journal, the report and the history. One "
            f"line of at most {LONGEST_REASON} characters.",
        ),
        REPORT,
        QUIET,
        YES,
    ):
        command = option(command)
    return command


YES = click.option("-y", "--yes", is_flag=True, help="Answer yes to all prompts.")
QUIET = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    help="Show only the outcome, without plan and progress. A prompt still shows its plan.",
)


def _parse_ticket(ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    """Return the id of a ticket; it is sent in a header, so that it must be a plain word."""
    if text is not None and not TICKET.fullmatch(text):
        raise click.BadParameter(
            f"expected 1 to 64 of the characters A-Z, a-z, 0-9, '.', '_' and '-', such as "
            f"CHG0012345; found {escape_controls(text)[:80]!r}."
        )
    return text


def parse_reason(ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    """Return a reason as one line of text that every terminal and page shows as it is."""
    if text is None:
        return None
    reason = text.strip()
    if not reason:
        raise click.BadParameter("expected text, found none.")
    if len(reason) > LONGEST_REASON:
        raise click.BadParameter(
            f"expected at most {LONGEST_REASON} characters, found {len(reason)}."
        )
    if not is_one_line(reason):
        raise click.BadParameter(
            "expected one line of text, found a line break or another control character."
        )
    return reason


REPORT = click.option(
    "--report",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a report of the run, even if it fails: .html, .json or .txt.",
)


def add_spoke_option(command: F) -> F:
    """Return the option that makes a command act on part of a site."""
    return click.option(
        "--spoke",
        "spokes",
        metavar="NAME",
        multiple=True,
        shell_complete=complete_with("spokes"),
        help="Only this spoke; repeatable. Default: every spoke of the site.",
    )(command)


def build_output(options: dict[str, Any], *, lab: bool) -> Output:
    """Return what a command shows its result on, begin the log, and start the lab if asked to."""
    from erfailover.commands.output import Output

    verbosity, as_json = options.pop("verbose"), options.pop("log_format") == "json"
    if lab:
        from erfailover.commands.demo import lab_process

        os.environ.update(lab_process.start())
    output = Output(
        *pop_output(options),
        yes=options.pop("yes", False),
        quiet=options.pop("quiet", False),
        json_log=as_json,
    )
    logs.begin(verbosity, as_json=as_json, write=logs.to_stderr if as_json else output.log_line)
    return output


def build_context(options: dict[str, Any]) -> Context:
    """Return a command's context from the common options; remove them from ``options``."""
    from erfailover.commands.context import Context
    from erfailover.commands.site_file import SiteFile

    lab = options.pop("lab")
    output = build_output(options, lab=lab)
    context = Context(SiteFile(options.pop("site_file"), os.environ, lab), output)
    output.heading = context.format_heading
    context.take_over = options.pop("take_over", False)
    context.break_glass = options.pop("break_glass", False)
    context.report = options.pop("report", None)
    context.reason, context.ticket = options.pop("reason", None), options.pop("ticket", None)
    if context.report is not None:
        from erfailover.commands.runs import report_file

        report_file.check(context.report)
    current = click.get_current_context()
    current.meta[CONTEXT] = context
    current.call_on_close(context.close)
    if current.obj is not None:
        context.clock = current.obj
    if chosen := options.pop("spokes", ()):
        context.choose_spokes(chosen)
    return context


def build_site_context(file: Path, output: Output, *, lab: bool) -> Context:
    """Return the context of one of the sites of a command that takes several."""
    from erfailover.commands.context import Context
    from erfailover.commands.site_file import SiteFile

    context = Context(SiteFile(file, os.environ, lab), output)
    current = click.get_current_context()
    current.call_on_close(context.close)
    if current.obj is not None:
        context.clock = current.obj
    return context
