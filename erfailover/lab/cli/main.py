"""``python -m erfailover.lab``: the lab's own command line.

Exit codes: 0 done; 1 the lab failed; 2 no lab runs, or a wrong option; 3 ``reach``: not reached.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from erfailover.lab.cli import process
from erfailover.lab.cli.access import metric, role
from erfailover.lab.cli.client import ask, state_dir_option
from erfailover.lab.cli.faults import fault
from erfailover.lab.cli.world import reach, restore, save
from erfailover.lab.server import state_folder

_UNSET = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH")
"""With either set, DefaultAzureCredential would ask the public cloud about the authority."""


class _Commands(click.Group):
    """Commands that end with a message and an exit code if the lab has a problem."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was chosen."""
        try:
            return super().invoke(ctx)
        except state_folder.LabProblem as problem:
            click.echo(str(problem), err=True)
            sys.exit(2 if isinstance(problem, state_folder.NotRunning) else 1)


EXAMPLES = """\b
Examples:
  # A lab whose hours pass in minutes, for this shell and all it starts
  erfailover lab up --speed 60
  eval "$(erfailover lab env)"

\b
  # What it holds, and how far its clock is
  erfailover lab status

\b
  # What can go wrong on demand
  erfailover lab fault --help

\b
  # End it; its world is there again at the next up
  erfailover lab down
"""

_output = click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True
)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXAMPLES,
)
def main() -> None:
    """A local Azure Resource Manager endpoint that behaves as Azure does."""


@main.command()
@state_dir_option
@_output
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="A free one unless told.")
@click.option(
    "--speed",
    type=click.FloatRange(0, min_open=True),
    default=process.DEFAULT_SPEED,
    show_default=True,
    help="How many times faster than the wall clock the lab's clock runs; 1 is real time.",
)
@click.option(
    "--subscriptions",
    type=click.IntRange(1, 100),
    default=1,
    help="How many subscriptions the tenant has at least; what there were stay.",
)
@click.option(
    "--tenants",
    type=click.IntRange(1, 10),
    default=1,
    help="How many tenants there are at least; each further one owns a subscription.",
)
def up(
    state_dir: Path | None,
    output: str,
    port: int,
    speed: float,
    subscriptions: int,
    tenants: int,
) -> None:
    """Start the lab in the background, unless it runs already."""
    running, started = process.start(
        state_folder.folder(state_dir),
        port=port,
        speed=speed,
        subscriptions=subscriptions,
        tenants=tenants,
    )
    if output == "json":
        found = {"endpoint": running.endpoint, "started": started, "speed": running.speed}
        click.echo(json.dumps(found))
        return
    word = "The lab runs" if started else "The lab runs already"
    click.echo(f"{word} at {running.endpoint}, {running.speed:g} times as fast as the wall clock.")
    click.echo(f"State: {running.folder.path}")


@main.command()
@state_dir_option
def down(state_dir: Path | None) -> None:
    """End the lab; its world is there again at the next up."""
    where = state_folder.folder(state_dir)
    ended = process.stop(where)
    click.echo("The lab has ended." if ended else f"No lab runs from {where.path}.")


@main.command()
@state_dir_option
@_output
def status(state_dir: Path | None, output: str) -> None:
    """Say where the lab is and what it holds."""
    running = process.find(state_folder.folder(state_dir))
    found = running.request("GET", "/lab/status")
    if output == "json":
        click.echo(json.dumps({"endpoint": running.endpoint, **found}))
        return
    clock = found["clock"]
    click.echo(f"The lab runs at {running.endpoint} (process {running.pid}).")
    click.echo(f"Clock: {clock['now_s']:.0f} s, {clock['speed']:g} times as fast as the wall.")
    click.echo(f"Operations under way: {found['operations_under_way']}")
    for type_, count in sorted(found["resources"].items()):
        click.echo(f"{count:6} {type_}")


@main.command()
@state_dir_option
@click.option("--json", "as_json", is_flag=True, help="One object, the client's secret included.")
def env(state_dir: Path | None, as_json: bool) -> None:
    """Print what a shell must export for clients to find the lab."""
    running = process.find(state_folder.folder(state_dir))
    if as_json:
        click.echo(json.dumps(process.description(running), indent=2))
        return
    for name, value in process.variables(running).items():
        click.echo(f"export {name}={shlex.quote(value)}")
    click.echo(f"unset {' '.join(_UNSET)}")


@main.command()
@state_dir_option
def reset(state_dir: Path | None) -> None:
    """Empty the lab's world; the clock goes on."""
    ask(state_dir, "POST", "/lab/reset")
    click.echo("The lab's world is empty.")


@main.command(hidden=True)
@state_dir_option
@click.option("--port", type=click.IntRange(0, 65535), default=0)
@click.option("--speed", type=click.FloatRange(0, min_open=True), default=process.DEFAULT_SPEED)
def serve(state_dir: Path | None, port: int, speed: float) -> None:
    """Serve in the foreground; what ``up`` runs in the background."""
    from erfailover.lab.server.daemon import run

    run(state_folder.folder(state_dir), port, speed)


main.add_command(fault)
main.add_command(role)
main.add_command(metric)
main.add_command(save)
main.add_command(restore)
main.add_command(reach)
