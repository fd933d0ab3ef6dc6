"""What a campaign came to: the table for the documentation, and what failed. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.tools.watch_campaign.plan import Kind

BEGIN, END = "<!-- watch campaign -->", "<!-- end of watch campaign -->"
HEADING = "# Watching\n"
SECTION = f"""
## Faults of the replicas and of the store

Three replicas run as three processes, each with its own state folder and its own connection to the
lab and to the store (Azurite). The primary path fails, and in every trial something else goes wrong
before that, until the switch begins, at a drawn write of the switch, or after it. A takeover is
timed in wall seconds from the leader's end, or the loss of its store, to the moment at which
another replica leads; at most 30 s are allowed. `scripts/watch-campaign` repeats this.

{BEGIN}
{END}
"""


@dataclass
class Result:
    """What a trial came to; durations in wall seconds.

    Attributes:
        takeovers: how long each takeover took.
        writes: how many peering writes each replica sent.
    """

    seed: int
    index: int
    kind: str
    description: str
    problems: list[str] = field(default_factory=list)
    takeovers: list[float] = field(default_factory=list)
    took_s: float = 0.0
    writes: list[int] = field(default_factory=list)
    detail: str = ""


def format_table(results: Sequence[Result]) -> str:
    """Return the table, between its markers."""
    lines = [
        BEGIN,
        "| what goes wrong | trials | failed | takeovers | median takeover (s) | longest (s) |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for kind in Kind:
        rows = [result for result in results if result.kind == str(kind)]
        if rows:
            lines.append(_format_row(str(kind), rows))
    lines.append(_format_row("**all**", results))
    names = ("two writers", "stranded", "two remote gateways", "late takeover")
    counts = [f"{name}: {_count(results, name)}" for name in names]
    lines += ["", f"Trials with {'; '.join(counts)}.", END]
    return "\n".join(lines)


def _format_row(words: str, results: Sequence[Result]) -> str:
    takeovers = [took for result in results for took in result.takeovers]
    median = f"{statistics.median(takeovers):.1f}" if takeovers else "none"
    longest = f"{max(takeovers):.1f}" if takeovers else "none"
    failed = sum(bool(result.problems) for result in results)
    cells = (words, len(results), failed, len(takeovers), median, longest)
    return f"| {' | '.join(map(str, cells))} |"


def _count(results: Iterable[Result], name: str) -> int:
    return sum(any(line.startswith(f"{name}:") for line in result.problems) for result in results)


def format_summary(results: Sequence[Result]) -> str:
    """Return the last line that the campaign prints."""
    failed = sum(bool(result.problems) for result in results)
    writers, stranded = _count(results, "two writers"), _count(results, "stranded")
    takeovers = [took for result in results for took in result.takeovers]
    longest = f"{max(takeovers):.1f} s" if takeovers else "none"
    return (
        f"{len(results)} trials, {failed} failed, {writers} with two writers, {stranded} stranded; "
        f"longest takeover {longest}"
    )


def write_into(text: str, table: str) -> str:
    """Return a page with the table between its markers."""
    page = text or HEADING
    if BEGIN not in page or END not in page:
        page = f"{page.rstrip()}\n{SECTION}"
    before, _, rest = page.partition(BEGIN)
    return before + table + rest.partition(END)[2]
