"""The state table of the documentation, drawn from the code."""

from __future__ import annotations

from erfailover.planning.watch.table import ROWS
from erfailover.reporting.watch.state_table import format_state_table


def test_the_table_has_every_row_in_its_order() -> None:
    lines = format_state_table().splitlines()
    assert lines[0] == "| # | if | then the state is | because |"
    assert len(lines) == len(ROWS) + 2
    for number, (line, row) in enumerate(zip(lines[2:], ROWS, strict=True), 1):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells == [str(number), row.when, f"`{row.state}`", row.why]
