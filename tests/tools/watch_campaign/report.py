"""What a campaign came to: the table for the documentation, and what failed. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.tools.watch_campaign.plan import Kind

BEGIN, END = "<!-- watch campaign -->", "<!-- end of watch campaign -->"
HEADING = "# Watching\n"
SECTION = f"""
## Faults of replicas and of the store

Each trial runs three replicas as three processes with separate state folders, a lab with the sample
topology and three prestaged spokes, and Azurite as the store. Each replica reaches the lab and the
store through separate ports, so that every write is attributed to its sender. The primary path
fails. In addition, one of the faults below is injected: before the failure, between the failure and
the switch, at a write of the switch (4 of 8 trials), after it, or at a write to the journal.

A trial fails if one of these is found:

- **Two writers**: a replica writes a peering after another one's run has begun. Allowed are a write
  that was sent before its sender was stopped or killed, and a write that restores the path of a
  spoke that has none, until `step_deadline_s` is over.
- **Overlapping runs**: records of two replicas' runs are mixed in the journal.
- **A stranded spoke**: at the end, a spoke does not have exactly one peering with remote gateways,
  is not on IPsec, or does not reach the office.
- **A late takeover**: another replica leads later than 30 s after the leader ended or lost the
  store. The lease lasts 15 s.
- **A write or a run that begins without the store**: while no replica reaches it, later than 10 s
  after the loss.
- A traceback, or an exit code other than 0 after SIGTERM.

Takeovers are in wall seconds. The table is from `scripts/watch-campaign --trials 300 --write-docs`.

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
