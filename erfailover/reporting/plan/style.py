"""Colours a plan for a terminal. Pure; the signs and words say everything without them."""

from __future__ import annotations

import re

from rich.text import Text

STYLES = (
    (re.compile(r"^ *\+ .*$", re.MULTILINE), "green"),
    (re.compile(r"^ *~ .*$", re.MULTILINE), "yellow"),
    (re.compile(r"^ *- .*$", re.MULTILINE), "red"),
    (re.compile(r"^ *= .*$", re.MULTILINE), "dim"),
    (re.compile(r"^  -- gate: .*$", re.MULTILINE), "cyan"),
    (re.compile(r"^ +(?:FAILS|unknown)  .*$", re.MULTILINE), "bold red"),
    (re.compile(r"^ +between 3 and 4\b[^:]*:", re.MULTILINE), "yellow"),
    (re.compile(r"^Plan: .*$", re.MULTILINE), "bold"),
)
"""By how a line begins; the legend, which has all signs in one line, keeps none of them."""
LEGEND = re.compile(r"^\+ add   .*$", re.MULTILINE)


def apply_style(text: str) -> Text:
    """Return a plan's text with its colours; without them if a terminal has or wants none."""
    drawn = Text(text)
    legend = LEGEND.search(text)
    for pattern, style in STYLES:
        for match in pattern.finditer(text):
            if legend is None or match.start() != legend.start():
                drawn.stylize(style, match.start(), match.end())
    return drawn
