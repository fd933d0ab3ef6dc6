"""The commands that look at a site and change nothing."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from erfailover.cli.help import CommandWithExamples
from erfailover.cli.options import (
    LAB,
    QUIET,
    REPORT,
    Moment,
    Seconds,
    WordChoice,
    add_common_options,
    add_log_options,
    add_output_options,
    add_site_options,
    add_spoke_option,
    build_context,
    build_output,
    complete_with,
)


@click.command(cls=CommandWithExamples)
@click.option(
    "--watch",
    "every_s",
    is_flag=False,
    flag_value="30",
    type=Seconds(min=5, max=86400),
    metavar="[SECONDS]",
    help="Refresh every SECONDS (default 30, at least 5) and mark what changed, until Ctrl-C.",
)
@add_spoke_option
@click.option(
    "--details",
    is_flag=True,
    help="Also show every condition behind the verdict, and the tables: peerings, BGP peers, "
    "learned routes, connections.",
)
@add_common_options
def status(every_s: float | None, *, details: bool, **options: Any) -> None:
    """Show which path each spoke is on, and whether it works.

    Prints the verdict, a picture, and the conditions that do not hold. It fits a terminal of 24
    lines; --details adds the tables, and JSON has everything.
    """
    if every_s is not None and details:
        raise click.UsageError("--watch and --details cannot be combined: --watch shows one page.")
    if every_s is not None:
        from erfailover.commands.status import watch

        watch.run(build_context(options), every_s)
        return
    from erfailover.commands.status import command

    command.run(build_context(options), details=details)


@click.command(cls=CommandWithExamples)
@click.option(
    "-f",
    "--output-file",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the picture to FILE. Default: standard output.",
)
@click.option(
    "-o",
    "--output",
    "form",
    type=WordChoice(["svg", "png"]),
    help="Format. Default: png if the file name ends in .png, otherwise svg.",
)
@add_site_options
def diagram(file: Path | None, form: str | None, **options: Any) -> None:
    """Draw the site as it is now.

    Shows VNets, gateways, BGP sessions, peerings and the active path. Read-only. Anything that
    cannot be read is drawn as unknown, and the exit code is still 0; for a verdict, use `status`.
    A PNG needs CairoSVG, rsvg-convert or Inkscape.
    """
    from erfailover.commands.status import diagram as command

    command.run(build_context(options), file, form)


@click.command(cls=CommandWithExamples)
@add_spoke_option
@add_common_options
def doctor(**options: Any) -> None:
    """Check whether a switch could work (read-only).

    Each problem is shown with its remedy.
    """
    from erfailover.commands import doctor as command

    command.run(build_context(options))


@click.command(cls=CommandWithExamples)
@click.option(
    "--role-definition",
    "role",
    type=WordChoice(["read", "switch"]),
    help="Print a custom role for `az role definition create`: read-only, or for a switch.",
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="ID",
    help="Another scope of that role, for circuits or connections elsewhere; repeatable.",
)
@add_common_options
def permissions(role: str | None, scopes: tuple[str, ...], **options: Any) -> None:
    """List the rights that the site needs.

    Each right is shown with the resource and the step that need it.
    """
    from erfailover.commands import permissions as command

    command.run(build_context(options), role, scopes)


@click.command(cls=CommandWithExamples)
@click.argument("run", required=False, shell_complete=complete_with("runs"))
@click.option(
    "--since",
    metavar="MOMENT",
    type=Moment(),
    help="Only runs that started since this date or time (UTC), or this long ago: 7d, 24h.",
)
@click.option(
    "--format",
    "export",
    type=WordChoice(["jsonl"]),
    help="Print every run in full, one JSON object per line.",
)
@click.option("--details", is_flag=True, help="Show every step of RUN, even if many are identical.")
@REPORT
@add_common_options
def history(
    run: str | None,
    since: datetime | None,
    export: str | None,
    *,
    details: bool,
    **options: Any,
) -> None:
    """List past runs, or show one in detail.

    RUN is the id of a run, or its first characters. The steps are shown with their times and
    Azure's correlation ids. Identical steps share a line; --details and JSON list each one.

    With --report, write the report of RUN, or of the last run, to a file.
    """
    if since is not None and (run is not None or options["report"] is not None):
        raise click.UsageError("--since filters the list of runs; omit RUN and --report.")
    for name in ("output", "query", "report"):
        if export is not None and options[name] is not None:
            raise click.UsageError(f"--format jsonl prints every run in full; omit --{name}.")
    from erfailover.commands.runs import history as command

    command.run(build_context(options), run, since, lines=export is not None, details=details)


@click.command(cls=CommandWithExamples)
@click.option(
    "--expect",
    metavar="PROBE=up|down,...",
    shell_complete=complete_with("expectations"),
    help="Expected results. Default: all up.",
)
@add_spoke_option
@QUIET
@add_common_options
def verify(expect: str | None, **options: Any) -> None:
    """Run the site's probes in parallel."""
    from erfailover.commands.probes import verify as command

    command.run(build_context(options), expect)


@click.command(cls=CommandWithExamples)
@click.argument("folder", type=click.Path(path_type=Path))
@add_output_options
@add_log_options
@LAB
def sites(folder: Path, lab: bool, **options: Any) -> None:
    """Show one line for each site file in FOLDER.

    Each line has the verdict, whether the backup is ready, and the last run; or the reason why the
    site cannot be read. Sites are read in parallel. The exit code is the highest that `status`
    would return for any of them.
    """
    from erfailover.commands import sites as command

    output = build_output(options, lab=lab)
    command.run(folder, output, click.get_current_context().obj, lab=lab)


ALL = (status, sites, diagram, doctor, permissions, history, verify)
