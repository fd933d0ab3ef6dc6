"""Results on standard output: the one place that prints them."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from erfailover.errors import UsageFailure
from erfailover.reporting import formats
from erfailover.reporting.formats import Query

if TYPE_CHECKING:
    from erfailover.reporting.screen import Screen

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
    from erfailover.commands.screen import screen

    found = screen(os.environ)
    return found if sys.stdout.isatty() else replace(found, width=UNFOLDED)
