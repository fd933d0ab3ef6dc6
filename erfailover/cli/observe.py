"""The commands that look at a site and change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from erfailover.cli.help import Explained
from erfailover.cli.options import REPORT, Seconds, Word, common, completed, context, located


@click.command(cls=Explained)
@click.option(
    "--watch",
    "every_s",
    is_flag=False,
    flag_value="30",
    type=Seconds(min=5, max=86400),
    metavar="[SECONDS]",
    help="Read again after so many seconds (30; at least 5) and mark what changed, until Ctrl-C.",
)
@click.option(
    "--details",
    is_flag=True,
    help="Show also what the verdict rests on, and the tables: peerings, BGP peers, learned "
    "routes, connections.",
)
@common
def status(every_s: float | None, *, details: bool, **options: Any) -> None:
    """Show which path each spoke is on, and whether it works.

    The verdict first, then a picture and what does not hold. It fits a terminal of 24 lines;
    --details has the tables, and JSON has everything.
    """
    if every_s is not None and details:
        raise click.UsageError("--watch shows one page: use --details without it")
    if every_s is not None:
        from erfailover.commands.status import watch

        watch.run(context(options), every_s)
        return
    from erfailover.commands.status import command

    command.run(context(options), details=details)


@click.command(cls=Explained)
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
    type=Word(["svg", "png"]),
    help="Format. Default: png if the file name ends in .png, otherwise svg.",
)
@located
def diagram(file: Path | None, form: str | None, **options: Any) -> None:
    """Draw the site as it is now.

    VNets, gateways, BGP sessions, peerings, the active path. It only reads. What could not be read
    is drawn as unknown, and the exit code is 0 all the same: the verdict is for `status` to give.
    A PNG needs CairoSVG, rsvg-convert or Inkscape.
    """
    from erfailover.commands.status import diagram as command

    command.run(context(options), file, form)


@click.command(cls=Explained)
@common
def doctor(**options: Any) -> None:
    """Check, without a write, whether a switch could work.

    Each line that does not hold comes with its remedy.
    """
    from erfailover.commands import doctor as command

    command.run(context(options))


@click.command(cls=Explained)
@click.option(
    "--role-definition",
    "role",
    type=Word(["read", "switch"]),
    help="Print a custom role for `az role definition create`: to look only, or to switch.",
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="ID",
    help="A further scope of that role: where circuits or connections lie. May be repeated.",
)
@common
def permissions(role: str | None, scopes: tuple[str, ...], **options: Any) -> None:
    """List the rights that the site needs.

    With what each is needed on, and which step needs it.
    """
    from erfailover.commands import permissions as command

    command.run(context(options), role, scopes)


@click.command(cls=Explained)
@click.argument("run", required=False, shell_complete=completed("runs"))
@click.option("--details", is_flag=True, help="Show every step of RUN, also if many are alike.")
@REPORT
@common
def history(run: str | None, *, details: bool, **options: Any) -> None:
    """List what was run on the site, or tell RUN in full.

    RUN is a run's id, or how it begins: its steps with their times and Azure's correlation ids.
    Many steps that are alike are one line; --details and JSON have each.

    With --report, write the report of RUN, or of the last run, to a file.
    """
    from erfailover.commands.runs import history as command

    command.run(context(options), run, details=details)


@click.command(cls=Explained)
@click.option(
    "--expect",
    metavar="PROBE=up|down,...",
    shell_complete=completed("expectations"),
    help="What should come out; otherwise all up.",
)
@common
def verify(expect: str | None, **options: Any) -> None:
    """Run the site's probes, all at once."""
    from erfailover.commands.probes import verify as command

    command.run(context(options), expect)


ALL = (status, diagram, doctor, permissions, history, verify)
