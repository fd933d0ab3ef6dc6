"""The words and the tables that all output shares. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from erfailover.model import Verdict
from erfailover.reporting.screen import PLAIN, WIDTH, Screen

__all__ = ["MARK", "PATH_NAMES", "WIDTH", "last_of", "path_name", "table"]

ASCII_SIMPLE = box.Box(str(box.SIMPLE).replace("─", "-"), ascii=True)
MARK = {Verdict.HOLDS: "ok", Verdict.FAILS: "FAILS", Verdict.UNKNOWN: "unknown"}
PATH_NAMES = {"expressroute": "ExpressRoute", "ipsec": "IPsec"}


def path_name(path: str) -> str:
    """A path as people write it: ``ExpressRoute``, ``IPsec``."""
    return PATH_NAMES.get(path, path)


def last_of(resource_id: str) -> str:
    """The name at the end of a resource id."""
    return resource_id.rsplit("/", 1)[-1]


def table(
    title: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    screen: Screen = PLAIN,
    fold: Sequence[str] | None = None,
) -> str:
    """A table in plain text.

    Args:
        title: what stands above it.
        headings: of its columns.
        rows: its cells; None is shown as ``-``.
        screen: what it is shown on.
        fold: the columns that may be folded where it is too wide; None for all.
    """
    drawn = Table(
        title=title,
        box=box.SIMPLE if screen.drawing else ASCII_SIMPLE,
        title_justify="left",
        title_style="bold" if screen.colour else "",
        pad_edge=False,
        collapse_padding=screen.width < WIDTH,
    )
    for heading in headings:
        drawn.add_column(heading, overflow="fold", no_wrap=fold is not None and heading not in fold)
    for row in rows:
        drawn.add_row(*(_cell(each) for each in row))
    return screen.drawn(drawn)


def _cell(value: object) -> Text:
    if isinstance(value, Text):
        return value
    return Text("-" if value is None else str(value))
