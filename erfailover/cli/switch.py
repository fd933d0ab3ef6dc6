"""The commands that move the spokes, prepare a move, or simulate the failure."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from erfailover.cli.help import Commands, CommandWithExamples
from erfailover.cli.options import (
    Count,
    WordChoice,
    add_common_options,
    add_plan_options,
    add_run_options,
    add_spoke_option,
    add_write_options,
    build_context,
    complete_with,
)


@click.command(cls=CommandWithExamples)
@click.option(
    "--to",
    "target",
    type=WordChoice(["ipsec", "expressroute"]),
    help="The path to move the spokes to.",
)
@click.option("--undo", is_flag=True, help="Undo the last switch, from any state.")
@click.option(
    "--plan",
    "plan_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Apply a plan that was saved with --out; refused if Azure has changed since.",
)
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --dry-run: also save the plan, for --plan.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Switch even if the target's gateway is not known to be ready (lists what it "
    "overrides). Never overrides the state of the peerings.",
)
@click.option(
    "--planned",
    is_flag=True,
    help="With --yes: allow a switch away from a healthy path, which is otherwise refused.",
)
@click.option(
    "--no-hold-wait",
    is_flag=True,
    help="Refuse a switch back instead of waiting for the hold time.",
)
@click.option(
    "--canary",
    metavar="SPOKE",
    shell_complete=complete_with("spokes"),
    help="Move this spoke first, and verify it before the others.",
)
@click.option(
    "--max-failures",
    type=Count(min=0),
    default=5,
    show_default=True,
    help="Start no further spokes once more steps than this have failed.",
)
@click.option(
    "--probe",
    "probes",
    metavar="NAME",
    multiple=True,
    help="Run this probe of the site file throughout the switch, and report the outage; "
    "repeatable. Probes with `continuous: true` always run.",
)
@click.argument("path", required=False, metavar="", type=click.UNPROCESSED)
@add_spoke_option
@add_write_options
@add_plan_options
def switch(
    path: str | None,
    target: str | None,
    undo: bool,
    plan_file: Path | None,
    dry_run: bool,
    out: Path | None,
    force: bool,
    planned: bool,
    no_hold_wait: bool,
    canary: str | None,
    max_failures: int,
    probes: tuple[str, ...],
    **options: Any,
) -> None:
    """Move every spoke, or some of them, to a path and verify it.

    The order of the steps never interrupts the spokes' other traffic.
    """
    if path is not None:
        to = f"--to {path}" if path in ("ipsec", "expressroute") else "--to ipsec|expressroute"
        raise click.UsageError(f"Got unexpected argument '{path}'. Use: erfailover switch {to}")
    by_name = {"--to": target is not None, "--undo": undo, "--plan": plan_file is not None}
    if (number := sum(by_name.values())) > 1:
        names = " and ".join(name for name, is_given in by_name.items() if is_given)
        raise click.UsageError(f"{names} cannot be combined.")
    if number == 0:
        raise click.UsageError(
            "Nothing to do. Use --to ipsec, --to expressroute, --undo, or --plan FILE."
        )
    if out is not None and (not dry_run or target is None):
        raise click.UsageError("--out needs --to PATH and --dry-run.")
    if plan_file is not None and options["spokes"]:
        raise click.UsageError("--plan and --spoke cannot be combined: a plan names its spokes.")
    _refuse_az_output(dry_run, options)
    from erfailover.commands.switch import command
    from erfailover.commands.switch.options import Options
    from erfailover.model.site import Path as SitePath

    desired = Options(
        SitePath(target or "ipsec"),
        dry_run,
        force,
        wait=not no_hold_wait,
        planned=planned,
        canary=canary,
        max_failures=max_failures,
        out=out,
        probes=probes,
    )
    if plan_file is not None:
        command.run_saved(build_context(options), desired, plan_file)
        return
    (command.undo if undo else command.run)(build_context(options), desired)


def _refuse_az_output(dry_run: bool, options: dict[str, Any]) -> None:
    """Refuse to print as az commands what is going to be done by erfailover itself."""
    if options["output"] == "az" and not dry_run:
        raise click.UsageError("-o az prints a plan as az commands: add --dry-run.")
    if options["output"] == "az" and options["query"] is not None:
        raise click.UsageError("-o az prints a script; omit --query.")


@click.command(cls=CommandWithExamples)
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@add_spoke_option
@add_write_options
@add_plan_options
def prestage(dry_run: bool, **options: Any) -> None:
    """Create the peerings with the backup hub ahead of time.

    A later switch then has fewer steps.
    """
    _refuse_az_output(dry_run, options)
    from erfailover.commands.switch import prestage as command
    from erfailover.model.plan import Purpose

    command.run(build_context(options), Purpose.PRESTAGE, dry_run=dry_run)


@click.command(cls=CommandWithExamples)
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@add_spoke_option
@add_write_options
@add_plan_options
def unprestage(dry_run: bool, **options: Any) -> None:
    """Remove the peerings that prestage created.

    Peerings that a spoke uses are kept.
    """
    _refuse_az_output(dry_run, options)
    from erfailover.commands.switch import prestage as command
    from erfailover.model.plan import Purpose

    command.run(build_context(options), Purpose.UNPRESTAGE, dry_run=dry_run)


CIRCUIT_TEST = "show-circuit-test"


class DrillCommands(Commands):
    """The group of the drills, one of which is typed as an option: it changes nothing."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take ``--show-circuit-test`` for the command of that name."""
        option = f"--{CIRCUIT_TEST}"
        if option in args:
            args = [CIRCUIT_TEST, *(word for word in args if word != option)]
        return super().parse_args(ctx, args)


@click.group(cls=DrillCommands)
@click.option(
    f"--{CIRCUIT_TEST}",
    is_flag=True,
    expose_value=False,
    help="Print Microsoft's commands for disabling the private peering of the primary gateway's "
    "circuits, and what that cuts. Runs none of them.",
)
def drill() -> None:
    """Prove the backup path, or simulate a failure."""


@drill.command("start")
@click.option(
    "--gateway",
    metavar="NAME",
    help="Name of the primary gateway, to confirm Azure's site failover test.",
)
@add_write_options
@add_common_options
def drill_start(gateway: str | None, **options: Any) -> None:
    """Cut the primary path and wait until Azure shows it.

    On a VPN stand-in, this changes the BGP peering address of its local network gateway. On an
    ExpressRoute gateway, it starts Azure's site failover test of one peering location, which runs
    until `drill stop`; this needs the gateway's name as confirmation, even with --yes.
    """
    from erfailover.commands.drill import command

    command.run(build_context(options), start=True, gateway=gateway)


@drill.command("stop")
@add_write_options
@add_common_options
def drill_stop(**options: Any) -> None:
    """Repair the primary path and wait until Azure shows it."""
    from erfailover.commands.drill import command

    command.run(build_context(options), start=False)


@drill.command("run")
@click.option(
    "--canary",
    "canaries",
    metavar="SPOKE",
    multiple=True,
    required=True,
    shell_complete=complete_with("spokes"),
    help="The spoke to switch; repeatable, for spokes that share a route table.",
)
@click.option(
    "--probe",
    "probes",
    metavar="NAME",
    multiple=True,
    help="Run this probe of the site file throughout, and report the outage; repeatable. "
    "Probes with `continuous: true` always run.",
)
@add_run_options
@add_common_options
def drill_run(canaries: tuple[str, ...], probes: tuple[str, ...], **options: Any) -> None:
    """Prove the backup path: switch one spoke to it and back.

    Switches the spoke to IPsec, verifies that, switches it back to ExpressRoute, and reports.
    Refused unless everything is healthy. Goes back whatever happens, also after Ctrl-C. Exit code
    0: done and verified both ways; 6: IPsec did not carry the spoke.
    """
    from erfailover.commands.drill import run as command
    from erfailover.runtime.state.watch_records import read_pause_record

    context = build_context(options)
    pause = read_pause_record(context.watch_store).find_pause(time.time())
    command.run(context, canaries, probes, pause)


@drill.command(CIRCUIT_TEST, hidden=True)
@add_common_options
def drill_show_circuit_test(**options: Any) -> None:
    """Print Microsoft's commands for disabling a circuit's private peering.

    Runs none of them. They cut every gateway, site and subscription that uses the circuit.
    """
    from erfailover.commands.drill import circuit_test

    circuit_test.show(build_context(options))


ALL = (switch, prestage, unprestage, drill)
