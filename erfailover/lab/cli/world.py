"""The whole world of a running lab: ``save`` and ``restore`` it, ask who can ``reach`` whom."""

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
    """Write down everything the lab holds. The file holds secrets of the lab."""
    found = ask(state_dir, "POST", "/lab/save", {"file": str(file.absolute())})
    click.echo(f"Saved: {found['resources']} resources at {found['now_s']:.0f} s.")


@click.command()
@state_dir_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(state_dir: Path | None, file: Path) -> None:
    """Let the lab hold again what was saved; its clock goes on from there."""
    found = ask(state_dir, "POST", "/lab/restore", {"file": str(file.absolute())})
    click.echo(f"Restored: {found['resources']} resources at {found['now_s']:.0f} s.")


@click.command()
@state_dir_option
@click.argument("machine")
@click.argument("address")
def reach(state_dir: Path | None, machine: str, address: str) -> None:
    """Say whether a packet of MACHINE reaches ADDRESS, and its reply comes back.

    By the lab's own routing, at this moment; nothing is run on the machine. Exit code 0 where it
    does, 3 where it does not.
    """
    found = ask(
        state_dir, "GET", f"/lab/reachability?{urlencode({'from': machine, 'to': address})}"
    )
    if found["reached"]:
        click.echo(f"{machine} reaches {address}.")
        return
    click.echo(f"{machine} does not reach {address}: {found['reason']}")
    sys.exit(3)
