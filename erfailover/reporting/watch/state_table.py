"""The states of ``erfailover watch`` as a table in Markdown, drawn from the code. Pure."""

from __future__ import annotations

from erfailover.planning.watch.table import ROWS

HEADINGS = ("#", "if", "then the state is", "because")


def format_state_table() -> str:
    """Return the detector's rows as a table in Markdown; the first row that applies decides."""
    rows = [
        (str(number), row.when, f"`{row.state}`", row.why) for number, row in enumerate(ROWS, 1)
    ]
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
