"""The options that several of the lab's commands take."""

from __future__ import annotations

from pathlib import Path

import click

from erfailover.lab.process import STATE_VARIABLE

state_dir_option = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"The lab's state folder (default: {STATE_VARIABLE}, or the user's own).",
)
