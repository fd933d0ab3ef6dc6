"""The tables of the measurements, the targets, and where both go: docs/watch.md."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from erfailover.model.counting import format_count
from tests.tools.watch_numbers.day import Day
from tests.tools.watch_numbers.outages import Outage
from tests.tools.watch_numbers.request_counts import WRITES_ALLOWED, Requests
from tests.tools.watch_numbers.singles import Single

DOCUMENT = "watch.md"
TITLE = "# Watching\n"
SECTION = "## Numbers, measured in the lab\n\n"
MOST_SHARE = 0.05
"""Of the writes that Azure allows, per site at the default interval."""
MOST_GROWTH = 1.1
LIMITS_S = {30.0: (60.0, 90.0), 10.0: (45.0, 60.0)}
"""By interval: the median and the 95th percentile of the outage, in seconds."""
HIGH = 0.95


@dataclass(frozen=True)
class Target:
    """A target, and whether it is held."""

    text: str
    holds: bool

    @property
    def line(self) -> str:
        """The target as one line."""
        return f"{self.text}: {'held' if self.holds else '**MISSED**'}"


@dataclass
class Measured:
    """Everything that was measured; what was not is empty."""

    outages: list[Outage] = field(default_factory=list)
    by_machine: list[Outage] = field(default_factory=list)
    requests: list[Requests] = field(default_factory=list)
    days: list[Day] = field(default_factory=list)
    singles: list[Single] = field(default_factory=list)


def compute_percentile(values: Iterable[float], share: float) -> float:
    """Return the least value that so large a share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def judge_targets(measured: Measured) -> list[Target]:
    """Return every target that something was measured for."""
    targets = []
    for interval_s, rows in group_by_interval(measured.outages).items():
        values = [row.outage_s for row in rows]
        middle, high = median(values), compute_percentile(values, HIGH)
        most = LIMITS_S[interval_s]
        text = (
            f"interval {interval_s:g} s, {format_count(len(rows), 'seed')}: median "
            f"{middle:.0f} s of at most {most[0]:.0f}, 95th percentile {high:.0f} s of at most "
            f"{most[1]:.0f}"
        )
        targets.append(Target(text, middle <= most[0] and high <= most[1]))
    for row in measured.requests:
        text = f"{row.site}: {row.share:.1%} of Azure's writes, of at most {MOST_SHARE:.0%}"
        targets.append(Target(text, row.share <= MOST_SHARE))
        text = f"{row.site}: a second replica sends nothing to Azure ({row.standby} requests)"
        targets.append(Target(text, row.standby == 0))
    for day in measured.days:
        problems = [*day.wrong, *day.missed]
        quoted = f" ({'; '.join(problems)})" if problems else ""
        counts = f"{len(day.wrong)} wrong switches, {len(day.missed)} missed failures"
        text = f"{day.hours:g} h, seed {day.seed}: {counts}{quoted}"
        targets.append(Target(text, not problems))
        if len(day.memory) > 1:
            text = f"memory at the end {day.growth:.2f} times that after the first hour"
            targets.append(Target(f"{text}, of at most {MOST_GROWTH}", day.growth <= MOST_GROWTH))
    for single in measured.singles:
        text = f"{single.case}, {single.hours:g} h: {single.switches} switches"
        if not single.recovers:
            text = f"{text}, not HEALTHY afterwards"
        targets.append(Target(text, single.switches == 0 and single.recovers))
    return targets


def group_by_interval(outages: Sequence[Outage]) -> dict[float, list[Outage]]:
    """Return the outages by their interval, the longest first."""
    intervals = sorted({row.interval_s for row in outages}, reverse=True)
    return {
        interval_s: [row for row in outages if row.interval_s == interval_s]
        for interval_s in intervals
    }


def write(measured: Measured, docs: Path) -> None:
    """Put each table between its marks in the page; what was not measured stays as it is."""
    path = docs / DOCUMENT
    text = path.read_text("utf-8") if path.exists() else TITLE
    for name, table in build_tables(measured).items():
        text = place(text, name, table)
    path.write_text(text, "utf-8")


def place(text: str, name: str, table: str) -> str:
    """Return a page with a table between the marks of its name; at the end if there are none."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, mark, rest = text.partition(begin)
    if not mark:
        heading = "" if SECTION in text else f"\n{SECTION}"
        return f"{text.rstrip()}\n{heading}\n{begin}\n{table}\n{end}\n"
    _, closed, after = rest.partition(end)
    if not closed:
        raise ValueError(f"{DOCUMENT}: expected {end} after {begin}")
    return f"{before}{begin}\n{table}\n{end}{after}"


def build_tables(measured: Measured) -> dict[str, str]:
    """Return each table that was measured, by the name of its marks."""
    parts: dict[str, str] = {}
    if measured.outages:
        parts["watch-outages"] = format_outages(measured.outages, measured.by_machine)
    if measured.requests:
        parts["watch-requests"] = format_requests(measured.requests)
    if measured.days:
        parts["watch-day"] = "\n\n".join(map(format_day, measured.days))
    if measured.singles:
        parts["watch-singles"] = format_singles(measured.singles)
    return parts


_PARTS: tuple[tuple[str, Callable[[Outage], float]], ...] = (
    ("**from the table to the first packet over IPsec**", lambda row: row.outage_s),
    ("until the next reading begins", lambda row: row.wait_s),
    ("two readings", lambda row: row.reading_s),
    ("plan and gate, until the first write", lambda row: row.plan_s),
    ("break, make, and routes, until the first packet", lambda row: row.write_s),
    ("apart: from the failure to Azure's table (BGP hold time)", lambda row: row.hidden_s),
)


def format_outages(outages: Sequence[Outage], by_machine: Sequence[Outage] = ()) -> str:
    """Return the table of outages: a column of medians, and one of 95th percentiles, each."""
    columns = [
        (f"`interval_s: {interval_s:g}`", rows)
        for interval_s, rows in group_by_interval(outages).items()
    ]
    if by_machine:
        interval_s = by_machine[0].interval_s
        columns.append((f"`interval_s: {interval_s:g}`, probe by Run Command", list(by_machine)))
    head = [""]
    for name, rows in columns:
        head += [f"{name}: median of {len(rows)}", "95th percentile"]
    lines = []
    for name, get in _PARTS:
        cells = [name]
        for _, rows in columns:
            values = [get(row) for row in rows]
            cells += [f"{median(values):.0f} s", f"{compute_percentile(values, HIGH):.0f} s"]
        lines.append(cells)
    seeds = sorted({row.seed for row in outages})
    return f"{_table(head, lines)}\n\nSeeds: {', '.join(map(str, seeds))}."


def format_requests(rows: Sequence[Requests]) -> str:
    """Return the table of requests, in five minutes."""
    head = [
        "a healthy site, `interval_s: 30`",
        "POST",
        f"of {WRITES_ALLOWED:,}",
        "GET",
        "a second replica",
        "sites that use half of a subscription's writes",
    ]
    return _table(
        head,
        [
            [
                row.site,
                str(row.writes),
                f"{row.share:.1%}",
                str(row.reads),
                str(row.standby),
                str(row.sites_carried),
            ]
            for row in rows
        ],
    )


def format_day(day: Day) -> str:
    """Return what happened in a day."""
    memory = f"{day.memory[0]:.0f} MB after the first hour, {day.memory[-1]:.0f} MB at the end"
    rows = [
        ["true failures of the primary path", str(len(day.failures))],
        ["switches to the backup, and back", f"{day.switches}, {day.failbacks}"],
        ["**wrong switches**", str(len(day.wrong))],
        ["**missed failures**", str(len(day.missed))],
        ["switches that were not verified (faults), then `resume`", str(day.resumed)],
        ["faults of Azure, 1 to 10 min each", str(sum(day.troubles.values()))],
        ["readings, without any answer", f"{day.readings:,}, {day.failed_readings:,}"],
        ["notifications", str(day.notifications)],
        ["memory of the process, the lab's included", memory],
    ]
    kinds = ", ".join(f"{name} ({many})" for name, many in sorted(day.troubles.items()))
    head = [f"{day.hours:g} modelled hours, seed {day.seed}", ""]
    return f"{_table(head, rows)}\n\nFaults: {kinds}."


def format_singles(singles: Sequence[Single]) -> str:
    """Return the table of single signals."""
    head = [f"for {singles[0].hours:g} h each", "states", "switches"]
    rows = [[row.case, ", ".join(row.states), str(row.switches)] for row in singles]
    return _table(head, rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
