"""Results on standard output: the one place that prints them."""

from __future__ import annotations

import shutil
import sys
from typing import Any

from erfailover.errors import UsageFailure
from erfailover.reporting import formats
from erfailover.reporting.formats import Query


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
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    try:
        sys.stdout.write(formats.printed(text, data, format_, query, width))
    except formats.QueryProblem as problem:
        raise UsageFailure(f"--query: {problem}", "Look at the result with -o json.") from None
    sys.stdout.flush()
