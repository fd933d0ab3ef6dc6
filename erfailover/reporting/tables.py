"""The table that all output shares, as plain text. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from erfailover.reporting.screen import PLAIN, Screen


def table(
    title: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    screen: Screen = PLAIN,
    fold: Sequence[str] | None = None,
    spare: Sequence[str] = (),
) -> str:
    """Return a table in plain text.

    Args:
        title: the text above it.
        headings: of its columns.
        rows: its cells; None is shown as ``-``.
        screen: what it is shown on.
        fold: the columns that may be folded if it is too wide; None for all.
        spare: the columns that are left out if it is too wide.
    """
    cells = [[_cell(each) for each in row] for row in rows]
    shown, tight = _fitting(headings, cells, spare, screen.width)
    drawn = Table(
        title=title,
        box=screen.box(box.SIMPLE),
        title_justify="left",
        title_style="bold" if screen.colour else "",
        pad_edge=False,
        collapse_padding=tight,
    )
    for index in shown:
        name = headings[index]
        drawn.add_column(name, overflow="fold", no_wrap=fold is not None and name not in fold)
    for row in cells:
        drawn.add_row(*(row[index] for index in shown))
    return screen.drawn(drawn)


def _fitting(
    headings: Sequence[str], cells: Sequence[Sequence[Text]], spare: Sequence[str], width: int
) -> tuple[list[int], bool]:
    """Which columns are shown, and whether they are close together: the first that fits."""
    widths = [
        max([len(heading), *(row[index].cell_len for row in cells)])
        for index, heading in enumerate(headings)
    ]
    every = list(range(len(headings)))
    needed = [index for index in every if headings[index] not in spare]
    for shown in (every, needed):
        for tight, gap in ((False, 3), (True, 2)):
            if sum(widths[index] for index in shown) + gap * (len(shown) - 1) + 2 <= width:
                return shown, tight
    return needed, True


def _cell(value: object) -> Text:
    if isinstance(value, Text):
        return value
    return Text("-" if value is None else str(value))
