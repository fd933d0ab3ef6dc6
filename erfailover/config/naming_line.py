"""Which line of a site file names something, for a message about it."""

from __future__ import annotations

import re
from pathlib import Path


def find_naming_line(path: Path, name: str) -> int | None:
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
    rows = (number for number, line in enumerate(lines, 1) if whole.search(_strip_comment(line)))
    return next(rows, None)


def _strip_comment(line: str) -> str:
    """Return a line of YAML without its comment."""
    return re.sub(r"(^|\s)#.*$", "", line)
