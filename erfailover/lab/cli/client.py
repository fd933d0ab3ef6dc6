"""What several of the lab's commands share: their option, and the request to the lab that runs."""

from __future__ import annotations

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
    """Return what the lab of a state folder answers on one of its own paths."""
    return process.find(state_folder.folder(state_dir)).request(method, path, body=body)
