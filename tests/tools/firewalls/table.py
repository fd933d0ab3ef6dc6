"""The table of interruptions per mode, as Markdown in docs/procedure.md. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from tests.tools.firewalls.measuring import MODES, Kind, Measured, Traffic

FILE = "docs/procedure.md"
BEGIN = "<!-- interruptions of firewall hubs: measured by scripts/firewall-outages -->"
END = "<!-- /interruptions of firewall hubs -->"


def render(rows: Sequence[Measured]) -> str:
    """Return the table: for each mode and switch the median and the longest of all spokes."""
    lines = [
        "| mode | switch | premises | Internet | other spokes | Internet by another appliance |",
        "|---" * 6 + "|",
    ]
    for mode in MODES:
        for kind in Kind:
            chosen = [row for row in rows if (row.mode, row.kind) == (mode, kind)]
            if chosen:
                cells = [_format_seconds(chosen, traffic) for traffic in Traffic]
                moved = "yes" if any(row.moved for row in chosen) else "no"
                lines.append(f"| `{mode}` | {kind} | {' | '.join(cells)} | {moved} |")
    return "\n".join(lines) + "\n"


def _format_seconds(rows: Sequence[Measured], traffic: Traffic) -> str:
    """Return ``9 s, at most 21 s``, or that nothing was interrupted."""
    seconds = [value for row in rows for value in row.seconds[traffic]]
    if not any(seconds):
        return "not interrupted"
    return f"{median(seconds):.0f} s, at most {max(seconds):.0f} s"


def insert(page: str, text: str) -> str:
    """Return the page with the table between its marks."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"
