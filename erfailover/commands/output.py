"""Print results on standard output, and find out what it can show. Nothing else prints results.

``NO_COLOR`` and ``TERM=dumb`` are heeded; what is no terminal gets neither colour nor its width.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TextIO

from rich.console import Console

from erfailover.errors import UsageFailure
from erfailover.reporting import formats
from erfailover.reporting.formats import Query
from erfailover.reporting.screen import DRAWN, NARROWEST, WIDTH, Screen

UNFOLDED = 10_000
"""Columns of a table that is piped on: one line a row."""


def show(text: str, data: Any, format_: str, query: Query | None = None) -> None:
    """Print a result on standard output, in the format asked for.

    Args:
        text: the result for people.
        data: the result as plain data.
        format_: one of ``formats.FORMATS``.
        query: what to select from ``data``.

    Raises:
        UsageFailure: the query does not suit this result; nothing was printed.
    """
    screen = _screen() if format_ == formats.TABLE and query is not None else None
    try:
        sys.stdout.write(formats.printed(text, data, format_, query, screen))
    except formats.QueryProblem as problem:
        raise UsageFailure(f"--query: {problem}", "Look at the result with -o json.") from None
    sys.stdout.flush()


def _screen() -> Screen:
    """What the table of a query is shown on; what is piped is not folded."""
    found = screen(os.environ)
    return found if sys.stdout.isatty() else replace(found, width=UNFOLDED)


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
