"""The commands that control the watch of a site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from erfailover.cli.help import CommandWithExamples
from erfailover.cli.options import (
    LAB,
    LONGEST_REASON,
    QUIET,
    YES,
    add_common_options,
    add_log_options,
    build_context,
    build_output,
    build_site_context,
    complete_with,
    parse_reason,
)
from erfailover.errors import escape_controls
from erfailover.model.moments import parse_period
from erfailover.reporting.formats import NONE

FILE = click.Path(dir_okay=False, path_type=Path)


class Period(click.ParamType[float]):
    """A length of time, in seconds."""

    name = "period"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds; raise ``BadParameter`` if the text names no length of time."""
        try:
            return parse_period(str(value))
        except ValueError as error:
            self.fail(f"{escape_controls(str(value))[:80]!r}: {error}.", param, ctx)


@click.command(cls=CommandWithExamples)
@click.option(
    "--for",
    "for_s",
    metavar="TIME",
    type=Period(),
    help="Pause for this long: 30m, 2h, 7d. Default: until `resume`.",
)
@click.option(
    "--reason",
    metavar="TEXT",
    required=True,
    callback=parse_reason,
    help=f"Reason for the pause. One line of at most {LONGEST_REASON} characters.",
)
@add_common_options
def pause(for_s: float | None, **options: Any) -> None:
    """Keep the watch from switching.

    Every replica obeys, and goes on reading and notifying. A switch that is running is completed.
    `switch` by an operator is not affected. A pause never shortens another one: to end one early,
    use `resume`.
    """
    from erfailover.commands.watch import pause as command

    command.pause(build_context(options), for_s)


@click.command(cls=CommandWithExamples)
@click.option(
    "--reason",
    metavar="TEXT",
    callback=parse_reason,
    help=f"Reason; recorded. One line of at most {LONGEST_REASON} characters.",
)
@add_common_options
def resume(**options: Any) -> None:
    """Let the watch switch again, after a pause or a lock-out."""
    from erfailover.commands.watch import pause as command

    command.resume(build_context(options))


@click.command(cls=CommandWithExamples)
@click.argument("approval_id", metavar="ID", shell_complete=complete_with("approvals"))
@QUIET
@YES
@add_common_options
def approve(approval_id: str, **options: Any) -> None:
    """Approve the switch that the watch has asked for.

    ID is in the notification. The plan is shown before the prompt. The watch applies exactly that
    plan; it refuses if Azure has changed meanwhile.
    """
    from erfailover.commands.watch import approval as command

    command.approve(build_context(options), approval_id)


@click.command(cls=CommandWithExamples)
@click.option(
    "--site",
    "site_files",
    envvar="ERFAILOVER_SITE",
    default=("erfailover.yaml",),
    show_default=True,
    multiple=True,
    type=click.Path(path_type=Path),
    help="Site file (or set ERFAILOVER_SITE); repeatable.",
)
@LAB
@click.option(
    "--listen",
    metavar="HOST:PORT",
    default="127.0.0.1:9817",
    show_default=True,
    help="Serve the page, /metrics, /livez and /readyz here; `none` for no server. An address "
    "that other machines can reach needs --tls-cert, --tls-key and --token-file.",
)
@click.option("--tls-cert", metavar="FILE", type=FILE, help="Certificate chain, PEM.")
@click.option("--tls-key", metavar="FILE", type=FILE, help="Private key of the certificate, PEM.")
@click.option("--token-file", metavar="FILE", type=FILE, help="File with the token of clients.")
@click.option(
    "--test-notifications", is_flag=True, help="Send a test to every target, report, and stop."
)
@click.option("--print-alerts", is_flag=True, help="Print Prometheus alert rules and stop.")
@click.option("--print-dashboard", is_flag=True, help="Print a Grafana dashboard and stop.")
@add_log_options
def watch(
    site_files: tuple[Path, ...],
    lab: bool,
    listen: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    token_file: Path | None,
    test_notifications: bool,
    print_alerts: bool,
    print_dashboard: bool,
    **options: Any,
) -> None:
    """Watch both paths of one or more sites until Ctrl-C.

    Notifies when something changes. With watch.mode `approve` or `automatic` in the site file it
    also fails over: after one person's approval, or by itself. Several replicas can watch a site
    whose state is in Azure Blob storage; one of them leads. A switch that is under way at Ctrl-C is
    completed first; a second Ctrl-C ends it at once.
    """
    if print_alerts or print_dashboard:
        from erfailover.reporting.watch.assets import read_asset

        click.echo(read_asset("alerts.yml" if print_alerts else "dashboard.json"), nl=False)
        return
    from erfailover.commands.watch import command
    from erfailover.commands.watch.web.settings import read_settings

    output = build_output({**options, "output": NONE, "query": None}, lab=lab)
    contexts = [build_site_context(file, output, lab=lab) for file in site_files]
    if test_notifications:
        command.test_notifications(contexts)
        return
    command.run(contexts, read_settings(listen, tls_cert, tls_key, token_file))


ALL = (watch, pause, resume, approve)
