"""The table of outages by packets, as Markdown in docs/reliability.md. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from tests.tools.packet_outages.rows import Row, iter_cases

FILE = "docs/reliability.md"
PICTURE = "docs/images/packet-outages.svg"
BEGIN = "<!-- outages by packets: measured by scripts/packet-outages -->"
END = "<!-- /outages by packets -->"


def format_table(rows: Sequence[Row]) -> str:
    """Return the table: for each case the median and the longest outage of all draws."""
    lines = [
        "| switch | draws | by packets | on the model | by the report | packets minus model |",
        "|---|--:|---|---|---|---|",
    ]
    for case, chosen in iter_cases(rows):
        differences = sorted(row.difference_s for row in chosen)
        cells = [
            str(case),
            str(len(chosen)),
            _format_spread([row.packets_s for row in chosen]),
            _format_spread([row.model_s for row in chosen]),
            _format_spread([row.report_s for row in chosen]),
            f"{_format_signed(differences[0])} to {_format_signed(differences[-1])} s",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _format_spread(seconds: Sequence[float]) -> str:
    return f"{median(seconds):.1f} s, at most {max(seconds):.1f} s"


def _format_signed(seconds: float) -> str:
    return f"{seconds:+.1f}".replace("+0.0", "0.0").replace("-0.0", "0.0")


def insert(page: str, text: str) -> str:
    """Return the page with a text between its marks."""
    return insert_between(page, BEGIN, END, text)


def insert_between(page: str, begin: str, end: str, text: str) -> str:
    """Return a page with a text between two marks."""
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n\n{text}\n{end}{after}"
