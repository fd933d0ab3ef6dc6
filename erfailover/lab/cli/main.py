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
from erfailover.lab.cli.captures import capture
from erfailover.lab.cli.client import ask, state_dir_option
from erfailover.lab.cli.faults import fault
from erfailover.lab.cli.world import reach, restore, save
from erfailover.lab.core import data_planes
from erfailover.lab.server import state_folder

_UNSET = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH")
"""With either set, DefaultAzureCredential would query the public cloud about the authority."""
USAGE = (state_folder.LabNotRunningError, state_folder.LabOptionError)
"""What is not a failure of the lab."""


class _Commands(click.Group):
    """A command group that reports a lab problem as a message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except state_folder.LabError as problem:
            click.echo(f"erfailover: {problem}", err=True)
            sys.exit(2 if isinstance(problem, USAGE) else 1)


EXAMPLES = """\b
Examples:
  # Start a lab whose hours pass in minutes, for this shell and its programs
  erfailover lab up --speed 60
  eval "$(erfailover lab env)"

\b
  # Show its resources and its clock
  erfailover lab status

\b
  # Show the faults that it can simulate
  erfailover lab fault --help

\b
  # Stop it; its state is kept
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
    """Run a local Azure Resource Manager endpoint that behaves like Azure."""


@main.command()
@state_dir_option
@_output
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port. Default: any free port."
)
@click.option(
    "--speed",
    type=click.FloatRange(0, min_open=True),
    help="Speed of the lab's clock; 1 is real time. Default: 100, or 20 with the Linux data plane.",
)
@click.option(
    "--data-plane",
    type=click.Choice(data_planes.NAMES),
    help="What moves packets: a model, or Linux network namespaces with real routers. "
    "Default: model.",
)
@click.option(
    "--subscriptions",
    type=click.IntRange(1, 100),
    default=1,
    help="Minimum number of subscriptions. Existing ones are kept.",
)
@click.option(
    "--tenants",
    type=click.IntRange(1, 10),
    default=1,
    help="Minimum number of tenants. Each new one owns a subscription.",
)
def up(
    state_dir: Path | None,
    output: str,
    port: int,
    speed: float | None,
    data_plane: str | None,
    subscriptions: int,
    tenants: int,
) -> None:
    """Start the lab in the background, unless it is already running."""
    running, started = process.start(
        state_folder.get_state_folder(state_dir),
        port=port,
        speed=speed,
        data_plane=data_plane,
        subscriptions=subscriptions,
        tenants=tenants,
    )
    if output == "json":
        summary = {
            "endpoint": running.endpoint,
            "started": started,
            "speed": running.speed,
            "data_plane": running.data_plane,
        }
        click.echo(json.dumps(summary))
        return
    word = "The lab is running" if started else "The lab is already running"
    click.echo(f"{word} at {running.endpoint}, at {running.speed:g} times real time.")
    click.echo(f"State: {running.folder.path}")


@main.command()
@state_dir_option
def down(state_dir: Path | None) -> None:
    """Stop the lab; its state is kept."""
    where = state_folder.get_state_folder(state_dir)
    ended = process.stop(where)
    click.echo("The lab has stopped." if ended else f"No lab is running in {where.path}.")


@main.command()
@state_dir_option
@_output
def status(state_dir: Path | None, output: str) -> None:
    """Show the lab's endpoint, clock and resources."""
    running = process.find(state_folder.get_state_folder(state_dir))
    state = running.request("GET", "/lab/status")
    if output == "json":
        click.echo(json.dumps({"endpoint": running.endpoint, **state}))
        return
    clock = state["clock"]
    click.echo(f"The lab is running at {running.endpoint} (process {running.pid}).")
    click.echo(f"Clock: {clock['now_s']:.0f} s, at {clock['speed']:g} times real time.")
    click.echo(f"Data plane: {state['data_plane']}")
    click.echo(f"Operations in progress: {state['operations_under_way']}")
    for type_, count in sorted(state["resources"].items()):
        click.echo(f"{count:6} {type_}")


@main.command()
@state_dir_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object, including the client's secret."
)
def env(state_dir: Path | None, as_json: bool) -> None:
    """Print the environment variables that point clients at the lab."""
    running = process.find(state_folder.get_state_folder(state_dir))
    if as_json:
        click.echo(json.dumps(process.describe(running), indent=2))
        return
    for name, value in process.build_variables(running).items():
        click.echo(f"export {name}={shlex.quote(value)}")
    click.echo(f"unset {' '.join(_UNSET)}")


@main.command()
@state_dir_option
def reset(state_dir: Path | None) -> None:
    """Delete all resources; the clock continues."""
    ask(state_dir, "POST", "/lab/reset")
    click.echo("The lab is empty.")


@main.command(hidden=True)
@state_dir_option
@click.option("--port", type=click.IntRange(0, 65535), default=0)
@click.option("--speed", type=click.FloatRange(0, min_open=True))
@click.option("--data-plane", type=click.Choice(data_planes.NAMES), default=data_planes.MODEL)
def serve(state_dir: Path | None, port: int, speed: float | None, data_plane: str) -> None:
    """Serve in the foreground; ``up`` runs this in the background."""
    from erfailover.lab.server.daemon import run

    speed = speed or data_planes.DEFAULT_SPEEDS[data_plane]
    run(state_folder.get_state_folder(state_dir), port, speed, data_plane)


main.add_command(fault)
main.add_command(role)
main.add_command(metric)
main.add_command(save)
main.add_command(restore)
main.add_command(reach)
main.add_command(capture)
