"""``erfailover lab save``, ``restore`` and ``reach``: the whole world of a running lab."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlencode

import click

from erfailover.lab.cli.client import ask, state_dir_option


@click.command()
@state_dir_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def save(state_dir: Path | None, file: Path) -> None:
    """Save the lab's state to FILE.

    FILE then contains the lab's secrets.
    """
    reply = ask(state_dir, "POST", "/lab/save", {"file": str(file.absolute())})
    click.echo(f"Saved: {reply['resources']} resources, clock at {reply['now_s']:.0f} s.")


@click.command()
@state_dir_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(state_dir: Path | None, file: Path) -> None:
    """Restore a saved lab state.

    The clock continues from the saved time.
    """
    reply = ask(state_dir, "POST", "/lab/restore", {"file": str(file.absolute())})
    click.echo(f"Restored: {reply['resources']} resources, clock at {reply['now_s']:.0f} s.")


@click.command()
@state_dir_option
@click.argument("machine")
@click.argument("address")
def reach(state_dir: Path | None, machine: str, address: str) -> None:
    """Check whether MACHINE reaches ADDRESS and the reply returns.

    Uses the lab's current routing and runs nothing on the machine. The exit code is 0 if the
    address is reachable and 3 if it is not.
    """
    trace = ask(
        state_dir, "GET", f"/lab/reachability?{urlencode({'from': machine, 'to': address})}"
    )
    if trace["reached"]:
        click.echo(f"{machine} reaches {address}.")
        return
    click.echo(f"{machine} does not reach {address}: {trace['reason']}")
    sys.exit(3)
