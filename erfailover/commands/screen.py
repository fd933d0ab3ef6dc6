"""What a command's results are shown on: looks at standard output, and at what the user set.

``NO_COLOR`` and ``TERM=dumb`` are heeded; what is no terminal gets neither colour nor its width.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TextIO

from rich.console import Console

from erfailover.reporting.screen import DRAWN, NARROWEST, WIDTH, Screen


def screen(environment: Mapping[str, str], out: TextIO | None = None) -> Screen:
    """What is shown on.

    Args:
        environment: the variables of this process.
        out: where to; None for standard output.
    """
    console = Console(file=out or sys.stdout)
    drawing = _draws(console.encoding) and environment.get("TERM") != "dumb"
    if not console.is_terminal:
        return Screen(WIDTH, colour=False, drawing=drawing)
    plain = bool(environment.get("NO_COLOR")) or console.is_dumb_terminal
    colour = not plain and console.color_system is not None
    return Screen(max(console.width, NARROWEST), colour, drawing)


def _draws(encoding: str) -> bool:
    """Whether an encoding has every character that a picture is drawn with."""
    try:
        DRAWN.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
