"""``erfailover lab save`` and ``restore``: the whole world of a running lab, to and from a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from erfailover.lab import process

_state_dir = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="The lab's state folder.",
)


@click.command()
@_state_dir
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def save(state_dir: Path | None, file: Path) -> None:
    """Write down everything the lab holds. The file holds secrets of the lab."""
    found = _ask(state_dir, "save", file)
    click.echo(f"Saved: {found['resources']} resources at {found['now_s']:.0f} s.")


@click.command()
@_state_dir
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(state_dir: Path | None, file: Path) -> None:
    """Let the lab hold again what was saved; its clock goes on from there."""
    found = _ask(state_dir, "restore", file)
    click.echo(f"Restored: {found['resources']} resources at {found['now_s']:.0f} s.")


def _ask(state_dir: Path | None, what: str, file: Path) -> Any:
    try:
        running = process.find(process.folder(state_dir))
        return running.request("POST", f"/lab/{what}", body={"file": str(file.absolute())})
    except process.NotRunning as problem:
        click.echo(str(problem), err=True)
        sys.exit(2)
    except process.LabProblem as problem:
        raise click.ClickException(str(problem)) from None
