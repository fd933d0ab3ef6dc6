"""Asks the lab that runs, for the lab's own subcommands.

The options that several of the lab's commands take.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from erfailover.lab.cli import process
from erfailover.lab.server import state_folder
from erfailover.lab.server.state_folder import STATE_VARIABLE

state_dir_option = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"The lab's state folder (default: {STATE_VARIABLE}, or the user's own).",
)


def ask(state_dir: Path | None, method: str, path: str, body: Any = None) -> Any:
    """What the lab of a state folder answers on one of its own paths.

    No lab runs: exit code 2; anything else that keeps it from answering: 1.
    """
    try:
        return process.find(state_folder.folder(state_dir)).request(method, path, body=body)
    except state_folder.NotRunning as problem:
        click.echo(str(problem), err=True)
        sys.exit(2)
    except state_folder.LabProblem as problem:
        raise click.ClickException(str(problem)) from None
