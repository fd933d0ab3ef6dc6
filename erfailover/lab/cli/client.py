"""Asks the lab that runs, for the lab's own subcommands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from erfailover.lab import process


def ask(state_dir: Path | None, method: str, path: str, body: Any = None) -> Any:
    """What the lab of a state folder answers on one of its own paths.

    No lab runs: exit code 2; anything else that keeps it from answering: 1.
    """
    try:
        return process.find(process.folder(state_dir)).request(method, path, body=body)
    except process.NotRunning as problem:
        click.echo(str(problem), err=True)
        sys.exit(2)
    except process.LabProblem as problem:
        raise click.ClickException(str(problem)) from None
