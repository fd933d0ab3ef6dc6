"""The command line: options, wiring, exit codes. It decides nothing.

Each command imports its module when it is called, so that ``--help`` stays quick and the SDK is
loaded only by commands that call Azure.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from erfailover import __version__
from erfailover.cli import meta
from erfailover.cli.help import Commands
from erfailover.cli.options import (
    CONTEXT,
    REPORT,
    Renamed,
    Word,
    common,
    completed,
    context,
    located,
    logged,
    output_of,
    planned,
    printed,
    writes,
)
from erfailover.errors import Failure, UsageFailure
from erfailover.runtime import logs, memory

if TYPE_CHECKING:
    from erfailover.runtime.clock import Clock

VERBOSE = frozenset({"-v", "-vv", "-vvv", "--verbose"})
COMPLETION = "_ERFAILOVER_COMPLETE"
"""The variable by which a shell asks for completions, as click names it."""
GO_ON = "Run the same command again: it does only what is left."
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
    """The exit code of a command that went well: 2 where the query did not suit its result."""
    told = click.get_current_context().meta.get(CONTEXT)
    return (
        UsageFailure.exit_code if told is not None and told.output.query_failure is not None else 0
    )


@cli.command()
@click.option("--force", is_flag=True, help="Replace a site file that is there.")
@click.option("--from-azure", is_flag=True, help="Adopt a network that is there; only reads it.")
@click.option("--primary-hub", metavar="ID", help="The primary hub's VNet, by its full id.")
@click.option("--backup-hub", metavar="ID", help="The backup hub's VNet, by its full id.")
@click.option("--primary-gateway", metavar="ID", help="Its gateway, where it has several.")
@click.option("--backup-gateway", metavar="ID", help="Its gateway, where it has several.")
@click.option("--name", help="The site's name; otherwise that of the primary hub.")
@click.option(
    "--cloud",
    type=Word(["public", "usgovernment", "china"]),
    help="Whose network it is; otherwise the public cloud's.",
)
@click.option(
    "--spoke", "spokes", metavar="NAME|ID", multiple=True, help="Only these spokes; repeatable."
)
@click.option(
    "--remote-prefix",
    "remote_prefixes",
    metavar="PREFIX",
    multiple=True,
    help="What the spokes must reach, instead of what the primary has learned; repeatable.",
)
@common
def init(force: bool, from_azure: bool, **options: Any) -> None:
    """Write a commented site file, to be looked through.

    Of the proof of concept's topology, or --from-azure of a network that is there.
    """
    names = ("primary_hub", "backup_hub", "primary_gateway", "backup_gateway", "name", "cloud")
    told = {name: options.pop(name) for name in (*names, "spokes", "remote_prefixes")}
    if not from_azure:
        if any(told.values()):
            raise click.UsageError("--primary-hub and its like need --from-azure.")
        from erfailover.commands.site import init as command

        given = context(options)
        command.run(given.site_file, given.output, force=force)
        return
    if not told["primary_hub"] or not told["backup_hub"]:
        raise click.UsageError("--from-azure needs --primary-hub ID and --backup-hub ID.")
    from erfailover.commands.site import adopt

    told["cloud"] = told["cloud"] or "public"
    adopt.run(context(options), adopt.Options(**told, force=force))


@cli.command()
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@writes
@common
def provision(dry_run: bool, **options: Any) -> None:
    """Make the whole topology of the site file.

    Run again after an interruption, it goes on where it was.
    """
    from erfailover.commands.provision import command

    command.run(context(options), dry_run=dry_run)


@cli.command()
@click.option(
    "--watch",
    "every_s",
    is_flag=False,
    flag_value="30",
    type=click.FloatRange(min=5),
    metavar="[SECONDS]",
    help="Read again after so many seconds (30; at least 5) and mark what changed, until Ctrl-C.",
)
@common
def status(every_s: float | None, **options: Any) -> None:
    """Show which path each spoke is on, and whether it works.

    The verdict first, then a picture, then BGP peers, learned routes, peerings.
    """
    if every_s is not None:
        from erfailover.commands.status import watch

        watch.run(context(options), every_s)
        return
    from erfailover.commands.status import command

    command.run(context(options))


@cli.command()
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
    "--format",
    "form",
    type=Word(["svg", "png"]),
    help="The format: svg, unless the file's name says png.",
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


@cli.command()
@common
def doctor(**options: Any) -> None:
    """Check, without a write, whether a switch could work.

    Each line that does not hold comes with its remedy.
    """
    from erfailover.commands import doctor as command

    command.run(context(options))


@cli.command()
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

    given = context(options)
    command.run(given.site_file, given.output, role, scopes)


@cli.command()
@click.option(
    "--to",
    "target",
    type=Word(["ipsec", "expressroute"]),
    help="The path to move the spokes to.",
)
@click.option("--undo", is_flag=True, help="Take the last switch back, from wherever it stands.")
@click.option(
    "--plan",
    "plan_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Carry out a plan that was saved with --out; refused if the world has moved.",
)
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --dry-run: save the plan as well, for --plan.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Switch although the target's gateway is not known to be ready (it says what it "
    "overrides). Never overrides the state of the peerings.",
)
@click.option(
    "--no-hold-wait",
    "no_wait",
    cls=Renamed,
    once="--no-wait",
    is_flag=True,
    help="Refuse a switch back instead of waiting for the hold time.",
)
@click.option(
    "--canary",
    metavar="SPOKE",
    shell_complete=completed("spokes"),
    help="Move this spoke first, and verify it before the others.",
)
@click.option(
    "--max-failures",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="After more failed steps than this, begin no further spoke.",
)
@click.option(
    "--probe",
    "probes",
    metavar="NAME",
    multiple=True,
    help="Ask this probe of the site file all the while, and report the outage; repeatable. "
    "Those with `continuous: true` are asked without.",
)
@writes
@planned
def switch(
    target: str | None,
    undo: bool,
    plan_file: Path | None,
    dry_run: bool,
    out: Path | None,
    force: bool,
    no_wait: bool,
    canary: str | None,
    max_failures: int,
    probes: tuple[str, ...],
    **options: Any,
) -> None:
    """Move every spoke to a path, and verify it.

    In the one order that never cuts the spokes' other traffic.
    """
    if [undo, target is not None, plan_file is not None].count(True) != 1:
        raise click.UsageError(
            "Say where to go: --to ipsec, --to expressroute, --undo, or --plan FILE."
        )
    if out is not None and (not dry_run or target is None):
        raise click.UsageError("--out saves the plan of --to PATH --dry-run.")
    _only_planned(dry_run, options)
    from erfailover.commands.switch import command
    from erfailover.commands.switch.options import Options
    from erfailover.model.site import Path as SitePath

    wanted = Options(
        SitePath(target or "ipsec"),
        dry_run,
        force,
        wait=not no_wait,
        canary=canary,
        max_failures=max_failures,
        out=out,
        probes=probes,
    )
    if plan_file is not None:
        command.from_file(context(options), wanted, plan_file)
        return
    (command.undo if undo else command.run)(context(options), wanted)


def _only_planned(dry_run: bool, options: dict[str, Any]) -> None:
    """Refuse to print as az commands what is going to be done by erfailover itself."""
    if options["output"] == "az" and not dry_run:
        raise click.UsageError("-o az prints a plan as az commands: add --dry-run.")
    if options["output"] == "az" and options["query"] is not None:
        raise click.UsageError("-o az prints a script, of which --query selects nothing.")


@cli.command()
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@writes
@planned
def prestage(dry_run: bool, **options: Any) -> None:
    """Make the peerings with the backup hub ahead of time.

    A switch then has less to do.
    """
    _only_planned(dry_run, options)
    from erfailover.commands.switch import prestage as command
    from erfailover.model.plan import Purpose

    command.run(context(options), Purpose.PRESTAGE, dry_run=dry_run)


@cli.command()
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@writes
@planned
def unprestage(dry_run: bool, **options: Any) -> None:
    """Remove the peerings that prestage made.

    Only where no spoke uses them.
    """
    _only_planned(dry_run, options)
    from erfailover.commands.switch import prestage as command
    from erfailover.model.plan import Purpose

    command.run(context(options), Purpose.UNPRESTAGE, dry_run=dry_run)


@cli.command()
@click.argument("run", required=False, shell_complete=completed("runs"))
@REPORT
@common
def history(run: str | None, **options: Any) -> None:
    """List what was run on the site, or tell RUN in full.

    RUN is a run's id, or how it begins: its steps with their times and Azure's correlation ids.

    With --report, write the report of RUN, or of the last run, to a file.
    """
    from erfailover.commands.runs import history as command

    command.run(context(options), run)


@cli.command()
@click.argument("language", type=Word(["terraform", "bicep"]))
@click.option(
    "--split",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write files into a folder instead of printing them.",
)
@common
def export(language: str, split: Path | None, **options: Any) -> None:
    """Print the site's peerings as they are now, as code."""
    from erfailover.commands.site import export as command

    command.run(context(options), language, split)


@cli.group()
def drill() -> None:
    """Simulate an ExpressRoute failure, and repair it."""


@drill.command("start")
@click.option(
    "--gateway",
    metavar="NAME",
    help="The name of the primary gateway, typed for confirmation of Azure's site failover test.",
)
@writes
@common
def drill_start(gateway: str | None, **options: Any) -> None:
    """Cut the primary path; returns when the gateway's peers show it.

    On a VPN stand-in that sets the BGP peering address of its local network gateway. On an
    ExpressRoute gateway it is Azure's own site failover test of one peering location, which runs
    until `drill stop`: it asks for the gateway's name, whatever --yes says.
    """
    from erfailover.commands.drill import command

    command.run(context(options), start=True, gateway=gateway)


@drill.command("stop")
@writes
@common
def drill_stop(**options: Any) -> None:
    """Repair the primary path; returns when the gateway's peers show it."""
    from erfailover.commands.drill import command

    command.run(context(options), start=False)


@cli.command()
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


@cli.command()
@click.option("--dry-run", is_flag=True, help="Show what would be deleted and stop.")
@writes
@common
def destroy(dry_run: bool, **options: Any) -> None:
    """Delete what provision made, in the order Azure allows."""
    from erfailover.commands.provision import destroy as command

    command.run(context(options), dry_run=dry_run)


@cli.command()
@click.option("--keep", is_flag=True, help="Leave the demo's lab and folder behind.")
@printed
@logged
def demo(keep: bool, verbose: int, log_format: str, **options: Any) -> None:
    """Tell the proof of concept's story on a lab of its own."""
    from erfailover.commands.demo import command

    as_json = log_format == "json"
    logs.begin(verbose, as_json=as_json)
    output, query = output_of(options)
    command.run(output, query, keep=keep, json_log=as_json)


@cli.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lab(arguments: tuple[str, ...]) -> None:
    """Run a local Azure: see erfailover lab --help."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "erfailover.lab", *arguments])


for tool in meta.ALL:
    cli.add_command(tool)


def main() -> None:
    """Run the command line and exit with the documented code; SIGTERM counts as Ctrl-C."""
    memory.while_loading()
    if COMPLETION in os.environ:
        from erfailover.cli import completion

        completion.answer(cli)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(invoke(sys.argv[1:]))


def invoke(arguments: list[str], clock: Clock | None = None) -> int:
    """Run a command line; returns its exit code and prints what went wrong, in words.

    Args:
        arguments: the words after ``erfailover``.
        clock: whose seconds count; None for the machine's own, at the speed that the
            environment names.
    """
    try:
        result = cli.main(arguments, prog_name="erfailover", standalone_mode=False, obj=clock)
    except click.exceptions.Abort:
        return _failed(130, "interrupted", GO_ON)
    except click.ClickException as error:
        if logs.is_json():
            return _failed(2, error.format_message(), None)
        error.show()
        return 2
    except Failure as failure:
        return _failed(failure.exit_code, failure.message, failure.hint)
    except KeyboardInterrupt:
        return _failed(130, "interrupted", GO_ON)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if logs.is_json():
            logging.getLogger("erfailover").exception("a bug in erfailover")
        elif VERBOSE.intersection(arguments):
            raise
        told = f"{type(error).__name__}: {error}"
        return _failed(1, f"a bug in erfailover: {told}", "Run it again with -v for the details.")
    finally:
        logs.end()
    return result if isinstance(result, int) else 0


def _failed(code: int, message: str, hint: str | None) -> int:
    sys.stdout.flush()
    if logs.is_json():
        fields = {"exit_code": code, "hint": hint}
        logging.getLogger("erfailover").error("%s", message, extra={"fields": fields})
        return code
    click.echo(f"erfailover: {message}", err=True)
    if hint:
        click.echo(f"  {hint}", err=True)
    return code
