"""Which line of a site file names something, for a message about it."""

from __future__ import annotations

import re
from pathlib import Path


def line_that_names(path: Path, name: str) -> int | None:
    """Return the first line of a file, comments apart, that has a name as a whole word or in an id.

    None if there is none, or the file cannot be read.
    """
    if not name:
        return None
    whole = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", re.IGNORECASE)
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError):
        return None
    rows = (number for number, line in enumerate(lines, 1) if whole.search(_code(line)))
    return next(rows, None)


def _code(line: str) -> str:
    """Return a line of YAML without its comment."""
    return re.sub(r"(^|\s)#.*$", "", line)
