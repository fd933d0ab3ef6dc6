"""Boxes and the lines between them, of characters. Pure; knows nothing of networks."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from rich.text import Text

from erfailover.reporting.marks import Mark
from erfailover.reporting.screen import Screen

STRONG, LIGHT, ASCII_STRONG, ASCII = (
    tuple("╔═╗║╚╝"),
    tuple("┌─┐│└┘"),
    tuple("#=#|##"),
    tuple("+-+|++"),
)
"""Upper left, across, upper right, side, lower left, lower right."""


class Stroke(Enum):
    """How a line is drawn: in use, standby, absent."""

    STRONG = "═"
    LIGHT = "─"
    DOTTED = "┄"


ASCII_STROKES = {Stroke.STRONG: "=", Stroke.LIGHT: "-", Stroke.DOTTED: "."}
JOINS = {
    # on the left edge of a box, on its right edge: by the box's own stroke and the line's
    (True, Stroke.STRONG): "╣╠",
    (True, Stroke.LIGHT): "╢╟",
    (False, Stroke.STRONG): "╡╞",
    (False, Stroke.LIGHT): "┤├",
}


def draw_box(
    title: str,
    content: Sequence[Text],
    width: int,
    height: int,
    screen: Screen,
    *,
    strong: bool = False,
) -> list[Text]:
    """Return a box, one text a row.

    Args:
        title: in its upper edge; cut if it is too long.
        content: a line each; cut if too long.
        width: in columns, the edges included.
        height: in rows, the edges included; at least as the content needs it.
        screen: what it is shown on.
        strong: whether its edges are double.
    """
    kinds = (STRONG if strong else LIGHT) if screen.drawing else (ASCII_STRONG if strong else ASCII)
    upper_left, across, upper_right, side, lower_left, lower_right = kinds
    style = "bold" if screen.colour and strong else ""
    text = f" {cut(title, width - 4, screen)} "
    rows = [Text(f"{upper_left}{text}{across * (width - 2 - len(text))}{upper_right}", style)]
    blank = [Text("")] * max(height - 2 - len(content), 0)
    for line in (*content, *blank):
        inner = line.copy()
        inner.truncate(width - 4, overflow="crop", pad=True)
        rows.append(Text.assemble((f"{side} ", style), inner, (f" {side}", style)))
    rows.append(Text(f"{lower_left}{across * (width - 2)}{lower_right}", style))
    return rows


def draw_line(stroke: Stroke, mark: Mark, width: int, screen: Screen) -> Text:
    """Return a line between two boxes; a condition that is not OK is in its middle as a sign."""
    drawn = (stroke.value if screen.drawing else ASCII_STROKES[stroke]) * width
    style = screen.get_style(mark)
    if mark in (Mark.SOUND, Mark.ABSENT):
        return Text(drawn, style)
    sign = f" {screen.get_sign(mark)} "
    middle = (width - len(sign)) // 2
    return Text(drawn[:middle] + sign + drawn[middle + len(sign) :], style)


def join(row: Text, stroke: Stroke, screen: Screen, *, at_end: bool, strong: bool = False) -> Text:
    """Return a row of a box where a line meets its edge.

    Args:
        row: of the box.
        stroke: of the line.
        screen: what it is shown on.
        at_end: whether the line meets the right edge; otherwise the left.
        strong: whether the box's edges are double.
    """
    if not screen.drawing or stroke is Stroke.DOTTED:
        return row
    met = JOINS[strong, stroke][at_end]
    joined = row.copy()
    text = row.plain
    joined.plain = text[:-1] + met if at_end else met + text[1:]
    return joined


def cut(text: str, width: int, screen: Screen) -> str:
    """Return a text cut to a width."""
    if len(text) <= width:
        return text
    return text[: max(width - len(screen.dots), 0)] + screen.dots
