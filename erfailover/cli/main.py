"""The command line: options, wiring, exit codes. It decides nothing.

Each command imports its module when it is called, so that ``--help`` stays quick and the SDK is
loaded only by commands that call Azure.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from erfailover import __version__
from erfailover.cli import meta, observe, signals, site, switch, watch
from erfailover.cli.help import Commands
from erfailover.cli.options import (
    CONTEXT,
    WordChoice,
    add_log_options,
    add_output_options,
    pop_output,
)
from erfailover.errors import Failure, StateFailure, UsageFailure, escape_controls
from erfailover.runtime import logs, memory, streams

if TYPE_CHECKING:
    from erfailover.runtime.clock import Clock

VERBOSE = frozenset({"-v", "-vv", "-vvv", "--verbose"})
COMPLETION = "_ERFAILOVER_COMPLETE"
"""The variable that a shell sets to ask for completions, as click names it."""
GO_ON = "Run the command again to resume."
EXIT_CODES = """\b
Exit codes:
  0  done and verified, or healthy        4  a needed reading is unknown
  1  a bug                                5  Azure refused or did not answer
  2  usage or site file                   6  verification failed, or unhealthy
  3  refused by a guard                 130  interrupted; run it again
"""


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, prog_name="erfailover")
def cli() -> None:
    """Move Azure spokes off a failed ExpressRoute hub onto an IPsec hub, and back."""


@cli.result_callback()
def _judge_query(_: Any) -> int:
    """Return the exit code of a command that succeeded: 2 if the query did not fit its result."""
    value = click.get_current_context().meta.get(CONTEXT)
    return (
        UsageFailure.exit_code
        if value is not None and value.output.query_failure is not None
        else 0
    )


@cli.command()
@click.option("--keep", is_flag=True, help="Keep the demo's lab and folder.")
@click.option(
    "--data-plane",
    type=WordChoice(["model", "linux"]),
    help="What moves the lab's packets: a model, or Linux network namespaces with real routers; "
    "a ping then measures both outages. Default: model.",
)
@add_output_options
@add_log_options
def demo(keep: bool, data_plane: str | None, verbose: int, log_format: str, **options: Any) -> None:
    """Run an end-to-end demo on a temporary lab."""
    from erfailover.commands.demo import command

    as_json = log_format == "json"
    logs.begin(verbose, as_json=as_json)
    output, query = pop_output(options)
    command.run(output, query, keep=keep, json_log=as_json, data_plane=data_plane)


@cli.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lab(arguments: tuple[str, ...]) -> None:
    """Run a local Azure: see erfailover lab --help."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "erfailover.lab", *arguments])


for command in (*site.ALL, *observe.ALL, *switch.ALL, *watch.ALL, *meta.ALL):
    cli.add_command(command)


def main() -> None:
    """Run the command line and exit with the documented code."""
    memory.relax_gc()
    if COMPLETION in os.environ:
        from erfailover.cli import completion

        completion.answer(cli)
    signals.install()
    sys.exit(invoke(sys.argv[1:]))


def invoke(arguments: list[str], clock: Clock | None = None) -> int:
    """Run a command line; return its exit code, and print what went wrong.

    Args:
        arguments: the words after ``erfailover``.
        clock: whose seconds count; None for the machine's own, at the speed that the
            environment names.
    """
    with streams.protect_streams() as output:
        code = _invoke(arguments, clock)
        output.flush()
        error = output.error
        if code == 0 and error is not None and not isinstance(error, BrokenPipeError):
            hint = "The command itself succeeded; see erfailover history."
            return _report_failure(StateFailure.exit_code, f"standard output failed: {error}", hint)
    return code


def _invoke(arguments: list[str], clock: Clock | None) -> int:
    try:
        result = cli.main(arguments, prog_name="erfailover", standalone_mode=False, obj=clock)
    except click.exceptions.Abort:
        return _report_failure(130, "interrupted", GO_ON)
    except click.ClickException as error:
        if logs.is_json():
            return _report_failure(2, error.format_message(), None)
        stream = io.StringIO()
        error.show(stream)
        click.echo(_fit_text(escape_controls(stream.getvalue())), err=True, nl=False)
        return 2
    except Failure as failure:
        return _report_failure(failure.exit_code, failure.message, failure.hint)
    except KeyboardInterrupt:
        return _report_failure(130, "interrupted", GO_ON)
    except Exception as error:
        if logs.is_json():
            logging.getLogger("erfailover").exception("a bug in erfailover")
        elif VERBOSE.intersection(arguments):
            raise
        text = f"{type(error).__name__}: {error}"
        return _report_failure(
            1, f"a bug in erfailover: {text}", "Run it again with -v for the details."
        )
    finally:
        logs.end()
    return result if isinstance(result, int) else 0


def _report_failure(code: int, message: str, hint: str | None) -> int:
    sys.stdout.flush()
    if logs.is_json():
        fields = {"exit_code": code, "hint": hint}
        logging.getLogger("erfailover").error("%s", message, extra={"fields": fields})
        return code
    click.echo(_fit_text(escape_controls(f"erfailover: {message}")), err=True)
    if hint:
        click.echo(_fit_text(escape_controls(f"  {hint}")), err=True)
    return code


def _fit_text(text: str) -> str:
    if not sys.stderr.isatty():
        return text
    from erfailover.commands.output import fit_text  # slow to load, and only errors need it

    return fit_text(text)
