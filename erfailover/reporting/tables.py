"""The words and the tables that all output shares. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO

from rich import box
from rich.console import Console
from rich.table import Table

from erfailover.model import Verdict

WIDTH = 100
MARK = {Verdict.HOLDS: "ok", Verdict.FAILS: "FAILS", Verdict.UNKNOWN: "unknown"}
PATH_NAMES = {"expressroute": "ExpressRoute", "ipsec": "IPsec"}


def path_name(path: str) -> str:
    """A path as people write it: ``ExpressRoute``, ``IPsec``."""
    return PATH_NAMES.get(path, path)


def last_of(resource_id: str) -> str:
    """The name at the end of a resource id."""
    return resource_id.rsplit("/", 1)[-1]


def table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in plain text."""
    drawn = Table(title=title, box=box.SIMPLE, title_justify="left", pad_edge=False)
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    for row in rows:
        drawn.add_row(*("-" if cell is None else str(cell) for cell in row))
    return rendered(drawn)


def rendered(drawn: Table) -> str:
    """A table of rich, as plain text without trailing blanks."""
    out = StringIO()
    Console(file=out, width=WIDTH, color_system=None).print(drawn)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines())
