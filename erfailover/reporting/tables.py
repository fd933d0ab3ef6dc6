"""The table that all output shares, as plain text. No word of it is broken. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from erfailover.errors import escape_controls
from erfailover.reporting.screen import PLAIN, Screen
from erfailover.reporting.words import wrap

EDGES = 2
GAPS = (3, 2)
"""Blanks between two columns; of a table that is too wide otherwise."""
SHORT, SHORTER, SHORTEST = 12, 8, 4
"""A name is cut to no less, as long as this is enough to fit the table on the screen."""


def format_table(
    title: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    screen: Screen = PLAIN,
    names: Sequence[str] = (),
    spare: Sequence[str] = (),
) -> str:
    """Return a table in plain text, no wider than the screen.

    Args:
        title: the text above it; empty for none.
        headings: of its columns.
        rows: its cells; None is shown as ``-``.
        screen: what it is shown on.
        names: the columns that give way first if it is too wide: wrapped at blanks, and words
            without their middle.
        spare: the columns that are left out before that, in this order.
    """
    cells = [[_format_cell(value) for value in row] for row in rows]
    fitted = fit(headings, cells, screen.width, names, spare)
    drawn = draw(headings, cells, fitted, screen, box.SIMPLE)
    if not title:
        return drawn
    heading = "\n".join(wrap(title, screen.width, cut_words=True, dots=screen.dots))
    return f"{screen.apply_style(heading, 'bold')}\n{drawn}"


@dataclass(frozen=True, slots=True)
class Fitted:
    """Which columns of a table are shown, how wide, and how far apart."""

    columns: tuple[int, ...]
    widths: tuple[int, ...]
    gap: int


def fit(
    headings: Sequence[str],
    cells: Sequence[Sequence[Text]],
    width: int,
    names: Sequence[str] = (),
    spare: Sequence[str] = (),
) -> Fitted:
    """Fit a table into a width: leave out spare columns, then shorten names, then all else."""
    needed = [
        max([cell_len(heading), *(_measure_width(row[index]) for row in cells)])
        for index, heading in enumerate(headings)
    ]
    columns = list(range(len(headings)))
    for count in range(len(spare) + 1):
        columns = [index for index in columns if headings[index] not in spare[:count]]
        desired = [needed[index] for index in columns]
        for gap in GAPS:
            if sum(desired) <= _compute_room(columns, gap, width):
                return Fitted(tuple(columns), tuple(desired), gap)
    gap = GAPS[-1]
    room = _compute_room(columns, gap, width)
    floors: list[int] = []
    for floors in _iter_floors(headings, cells, columns, desired, names):
        if sum(floors) <= room:
            break
    while len(columns) > 1 and sum(floors[: len(columns)]) > _compute_room(columns, gap, width):
        columns.pop()
    room = _compute_room(columns, gap, width)
    widths = _shrink_widths(desired[: len(columns)], floors[: len(columns)], room)
    return Fitted(tuple(columns), tuple(widths), gap)


def _iter_floors(
    headings: Sequence[str],
    cells: Sequence[Sequence[Text]],
    columns: Sequence[int],
    desired: Sequence[int],
    names: Sequence[str],
) -> Iterator[list[int]]:
    """Yield to what each column may be narrowed, the mildest first."""
    some = [headings[index] in names for index in columns]
    words = [
        _measure_longest_word(headings[index], (row[index] for row in cells)) for index in columns
    ]
    pairs = list(zip(desired, some, strict=True))
    yield [min(most, SHORT) if gives else most for most, gives in pairs]
    yield [
        min(most, SHORT if gives else word)
        for (most, gives), word in zip(pairs, words, strict=True)
    ]
    yield [min(most, SHORTER) for most in desired]
    yield [min(most, SHORTEST) for most in desired]


def _measure_longest_word(heading: str, cells: Iterable[Text]) -> int:
    texts = (heading, *(cell.plain for cell in cells))
    return max((cell_len(word) for text in texts for word in text.split()), default=0)


def _compute_room(columns: Sequence[int], gap: int, width: int) -> int:
    return width - EDGES - gap * (len(columns) - 1)


def _shrink_widths(desired: Sequence[int], floors: Sequence[int], room: int) -> list[int]:
    """Return the widths with the widest columns made narrower, none below its floor."""

    def limit_widths(limit: int) -> list[int]:
        return [max(floor, min(most, limit)) for most, floor in zip(desired, floors, strict=True)]

    limits = range(max(desired) + 1)
    return limit_widths(
        max(bisect_right(limits, room, key=lambda limit: sum(limit_widths(limit))) - 1, 0)
    )


def draw(
    headings: Sequence[str],
    cells: Sequence[Sequence[Text]],
    fitted: Fitted,
    screen: Screen,
    lines: box.Box,
    *,
    edge: bool = True,
) -> str:
    """Return a table as text, its columns as they were fitted."""
    drawn = Table(
        box=screen.get_box(lines),
        show_edge=edge,
        pad_edge=False,
        collapse_padding=fitted.gap < GAPS[0],
    )
    for index, width in zip(fitted.columns, fitted.widths, strict=True):
        heading = _wrap_cell(Text(headings[index]), width, screen)
        drawn.add_column(heading, width=width, no_wrap=True, overflow="crop")
    for row in cells:
        result = zip(fitted.columns, fitted.widths, strict=True)
        drawn.add_row(*(_wrap_cell(row[index], width, screen) for index, width in result))
    return screen.render(drawn)


def _wrap_cell(cell: Text, width: int, screen: Screen) -> Text:
    """Return a cell in lines of a width, broken at blanks only."""
    if _measure_width(cell) <= width:
        return cell
    lines = [
        part
        for line in cell.plain.splitlines()
        for part in wrap(line, max(width, 1), cut_words=True, dots=screen.dots)
    ]
    return Text("\n".join(lines), cell.style)


def _measure_width(cell: Text) -> int:
    return max(map(cell_len, cell.plain.splitlines()), default=0)


def _format_cell(value: object) -> Text:
    if isinstance(value, Text):
        return value
    return Text("-" if value is None else escape_controls(str(value)))
