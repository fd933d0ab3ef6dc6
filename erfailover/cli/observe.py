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
    help="Read again after so many seconds (30; at least 5) and mark what changed, until Ctrl-C.",
)
@add_spoke_option
@click.option(
    "--details",
    is_flag=True,
    help="Show also what the verdict rests on, and the tables: peerings, BGP peers, learned "
    "routes, connections.",
)
@add_common_options
def status(every_s: float | None, *, details: bool, **options: Any) -> None:
    """Show which path each spoke is on, and whether it works.

    The verdict first, then a picture and what does not hold. It fits a terminal of 24 lines;
    --details has the tables, and JSON has everything.
    """
    if every_s is not None and details:
        raise click.UsageError("--watch shows one page: use --details without it")
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
    help="Write it there, in the format of the name's suffix; otherwise to standard output.",
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

    VNets, gateways, BGP sessions, peerings, the active path. It only reads. What could not be read
    is drawn as unknown, and the exit code is 0 all the same: the verdict is for `status` to give.
    A PNG needs CairoSVG, rsvg-convert or Inkscape.
    """
    from erfailover.commands.status import diagram as command

    command.run(build_context(options), file, form)


@click.command(cls=CommandWithExamples)
@add_spoke_option
@add_common_options
def doctor(**options: Any) -> None:
    """Check, without a write, whether a switch could work.

    Each line that does not hold comes with its remedy.
    """
    from erfailover.commands import doctor as command

    command.run(build_context(options))


@click.command(cls=CommandWithExamples)
@click.option(
    "--role-definition",
    "role",
    type=WordChoice(["read", "switch"]),
    help="Print a custom role for `az role definition create`: to look only, or to switch.",
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="ID",
    help="A further scope of that role: where circuits or connections lie. May be repeated.",
)
@add_common_options
def permissions(role: str | None, scopes: tuple[str, ...], **options: Any) -> None:
    """List the rights that the site needs.

    With what each is needed on, and which step needs it.
    """
    from erfailover.commands import permissions as command

    command.run(build_context(options), role, scopes)


@click.command(cls=CommandWithExamples)
@click.argument("run", required=False, shell_complete=complete_with("runs"))
@click.option(
    "--since",
    metavar="MOMENT",
    type=Moment(),
    help="Only runs that began since then: a date or time (UTC), or how long ago: 7d, 24h.",
)
@click.option(
    "--format",
    "export",
    type=WordChoice(["jsonl"]),
    help="Print every run in full, one JSON object a line.",
)
@click.option("--details", is_flag=True, help="Show every step of RUN, also if many are alike.")
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

    RUN is a run's id, or how it begins: its steps with their times and Azure's correlation ids.
    Many steps that are alike are one line; --details and JSON have each.

    With --report, write the report of RUN, or of the last run, to a file.
    """
    if since is not None and (run is not None or options["report"] is not None):
        raise click.UsageError("--since selects runs of the list: leave out RUN and --report.")
    for name in ("output", "query", "report"):
        if export is not None and options[name] is not None:
            raise click.UsageError(f"--format jsonl prints whole runs: leave out --{name}.")
    from erfailover.commands.runs import history as command

    command.run(build_context(options), run, since, lines=export is not None, details=details)


@click.command(cls=CommandWithExamples)
@click.option(
    "--expect",
    metavar="PROBE=up|down,...",
    shell_complete=complete_with("expectations"),
    help="What should come out; otherwise all up.",
)
@add_spoke_option
@QUIET
@add_common_options
def verify(expect: str | None, **options: Any) -> None:
    """Run the site's probes, all at once."""
    from erfailover.commands.probes import verify as command

    command.run(build_context(options), expect)


@click.command(cls=CommandWithExamples)
@click.argument("folder", type=click.Path(path_type=Path))
@add_output_options
@add_log_options
@LAB
def sites(folder: Path, lab: bool, **options: Any) -> None:
    """Show one line for each site file in FOLDER.

    The verdict, whether the backup is ready, the last run. All sites are read at once; one that
    cannot be read has its line with the reason. The exit code is the highest of those that `status`
    would have for each site.
    """
    from erfailover.commands import sites as command

    output = build_output(options, lab=lab)
    command.run(folder, output, click.get_current_context().obj, lab=lab)


ALL = (status, sites, diagram, doctor, permissions, history, verify)
