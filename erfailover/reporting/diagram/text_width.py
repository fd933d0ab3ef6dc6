"""How wide a text is drawn, and how it is broken or shortened to fit. Pure.

An SVG names its fonts and the viewer has one of them or not: widths are those of DejaVu Sans,
which Verdana shares and no common sans serif exceeds. A box measured here holds its text anywhere.
"""

from __future__ import annotations

from unicodedata import combining, east_asian_width

FIRST, LAST, BASIC = ord(" "), ord("~"), 0xFFFF
"""The printable characters of ASCII; the last code point of the Basic Multilingual Plane."""

FAMILY = "Verdana, 'DejaVu Sans', Arial, sans-serif"
"""Fonts of the widths below, then any; what is narrower leaves a margin."""

# fmt: off
_ASCII = (
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636,
    636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632,
    575, 775, 752, 295, 295, 656, 557, 863, 748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685,
    611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579,
    278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838,
)
"""Advance widths of the characters from space to tilde, in thousandths of the font's size."""
# fmt: on
_OTHER, _WIDE = 850, 1050
_BOLD = 1.13
ELLIPSIS = "…"


def measure_width(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a text is drawn at most, in the units of ``size``."""
    return sum(map(_measure_char, text)) / 1000 * size * (_BOLD if bold else 1.0)


def _measure_char(character: str) -> int:
    code = ord(character)
    if FIRST <= code <= LAST:
        return _ASCII[code - FIRST]
    if combining(character):
        return 0
    return _WIDE if east_asian_width(character) in "WF" or code > BASIC else _OTHER


def shorten_text(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """Return a text that fits, its middle left out if it must be: names differ at both ends."""
    if measure_width(text, size, bold=bold) <= room:
        return text
    count = len(text) - 1
    while count > 1:
        head = (count + 1) // 2
        short = f"{text[:head]}{ELLIPSIS}{text[len(text) - (count - head) :]}"
        if measure_width(short, size, bold=bold) <= room:
            return short
        count -= 1
    return ELLIPSIS


def wrap_text(
    text: str, size: float, room: float, at_most: int = 3, *, bold: bool = False
) -> tuple[str, ...]:
    """Wrap a text into lines that fit; an ellipsis replaces what does not fit."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if measure_width(longer, size, bold=bold) <= room or not line:
            line = longer
        else:
            lines.append(line)
            line = word
    lines.append(line)
    if len(lines) > at_most:
        lines = [*lines[: at_most - 1], _cut(" ".join(lines[at_most - 1 :]), size, room, bold)]
    return tuple(shorten_text(name, size, room, bold=bold) for name in lines)


def _cut(text: str, size: float, room: float, bold: bool) -> str:
    """Return a text that fits, its end left out."""
    while text and measure_width(text + ELLIPSIS, size, bold=bold) > room:
        text = text[:-1]
    return text.rstrip() + ELLIPSIS
