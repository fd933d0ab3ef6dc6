"""The shapes of the benchmark's charts, in their font and colours."""

from __future__ import annotations

from collections.abc import Iterable

from erfailover.reporting import svg
from erfailover.reporting.svg import Element

FONT = "Helvetica, Arial, sans-serif"
INK, FAINT = "#24292f", "#d0d7de"


def rectangle(
    x: float, y: float, width: float, height: float, fill: str, title: str = "", **style: str
) -> Element:
    """A filled rectangle; ``title`` shows where the pointer rests on it."""
    return svg.add_title(
        title, svg.draw_rectangle(x, y, max(width, 0.0), height, fill=fill, **style)
    )


def line(
    x1: float, y1: float, x2: float, y2: float, stroke: str = FAINT, width: float = 1.0
) -> Element:
    """A straight line."""
    return svg.draw_line(x1, y1, x2, y2, stroke=stroke, stroke_width=width)


def polyline(points: Iterable[tuple[float, float]], stroke: str, dashes: str | None) -> Element:
    """A line through points."""
    style = {"fill": "none", "stroke": stroke, "stroke_dasharray": dashes}
    return svg.build_element("polyline", points=svg.format_points(points), stroke_width=2, **style)


def dot(x: float, y: float, fill: str, hollow: bool = False) -> Element:
    """A small circle."""
    inside = "#ffffff" if hollow else fill
    return svg.build_element("circle", cx=x, cy=y, r=4, fill=inside, stroke=fill, stroke_width=2)


def text(
    x: float, y: float, words: str, size: int = 12, anchor: str = "start", fill: str = INK
) -> Element:
    """A line of text; ``y`` is its base line."""
    return svg.draw_text(
        x, y, words, font_size=size, text_anchor=anchor, fill=fill, font_family=FONT
    )
