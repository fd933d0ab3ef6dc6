"""Shared by the lab's commands: their common option, and requests to the running lab."""

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
    help=f"The lab's state folder. Default: {STATE_VARIABLE}, or the user's state folder.",
)


def ask(state_dir: Path | None, method: str, path: str, body: Any = None) -> Any:
    """Return the running lab's answer on one of the paths that Azure does not have."""
    return process.find(state_folder.get_state_folder(state_dir)).request(method, path, body=body)
