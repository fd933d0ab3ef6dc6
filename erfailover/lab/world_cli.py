"""``erfailover lab save`` and ``restore``: the whole world of a running lab, to and from a file."""

from __future__ import annotations

from pathlib import Path

import click

from erfailover.lab.asking import ask

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
    found = ask(state_dir, "POST", "/lab/save", {"file": str(file.absolute())})
    click.echo(f"Saved: {found['resources']} resources at {found['now_s']:.0f} s.")


@click.command()
@_state_dir
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(state_dir: Path | None, file: Path) -> None:
    """Let the lab hold again what was saved; its clock goes on from there."""
    found = ask(state_dir, "POST", "/lab/restore", {"file": str(file.absolute())})
    click.echo(f"Restored: {found['resources']} resources at {found['now_s']:.0f} s.")
