"""A few shapes of SVG, as text: enough for two kinds of charts, and nothing more."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape

FONT = "font-family='Helvetica, Arial, sans-serif'"
INK, FAINT = "#24292f", "#d0d7de"


def number(value: float) -> str:
    """A coordinate, short."""
    return f"{value:.1f}".rstrip("0").rstrip(".")


def rectangle(
    x: float, y: float, width: float, height: float, fill: str, title: str = "", more: str = ""
) -> str:
    """A filled rectangle; ``title`` shows where the pointer rests on it."""
    inner = f"<title>{escape(title)}</title>" if title else ""
    return (
        f"<rect x='{number(x)}' y='{number(y)}' width='{number(max(width, 0.0))}' "
        f"height='{number(height)}' fill='{fill}' {more}>{inner}</rect>"
    )


def line(
    x1: float, y1: float, x2: float, y2: float, stroke: str = FAINT, width: float = 1.0
) -> str:
    """A straight line."""
    return (
        f"<line x1='{number(x1)}' y1='{number(y1)}' x2='{number(x2)}' y2='{number(y2)}' "
        f"stroke='{stroke}' stroke-width='{number(width)}'/>"
    )


def polyline(points: Iterable[tuple[float, float]], stroke: str, more: str = "") -> str:
    """A line through points."""
    text = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    return f"<polyline points='{text}' fill='none' stroke='{stroke}' stroke-width='2' {more}/>"


def dot(x: float, y: float, fill: str, hollow: bool = False) -> str:
    """A small circle."""
    inside = "#ffffff" if hollow else fill
    return (
        f"<circle cx='{number(x)}' cy='{number(y)}' r='4' fill='{inside}' "
        f"stroke='{fill}' stroke-width='2'/>"
    )


def text(
    x: float, y: float, words: str, size: int = 12, anchor: str = "start", fill: str = INK
) -> str:
    """A line of text; ``y`` is its base line."""
    return (
        f"<text x='{number(x)}' y='{number(y)}' font-size='{size}' text-anchor='{anchor}' "
        f"fill='{fill}' {FONT}>{escape(words)}</text>"
    )


def picture(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """The whole file."""
    inner = "\n".join(parts)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {number(width)} {number(height)}' "
        f"width='{number(width)}' height='{number(height)}' role='img'>\n"
        f"<title>{escape(title)}</title>\n"
        f"{rectangle(0, 0, width, height, '#ffffff')}\n{inner}\n</svg>\n"
    )
