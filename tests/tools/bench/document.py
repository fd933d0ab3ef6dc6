"""The tables, and where they and the pictures go: between the marks of docs/performance.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median

from tests.tools.bench import charts, targets
from tests.tools.bench.rows import Compared, Measured, Process, Switch, Way

BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
DOCUMENT = "performance.md"
PICTURED = 10
"""How many spokes the timelines show; of fewer, the most there are."""


def write(measured: Measured, docs: Path) -> None:
    """Put the tables between the document's marks, and the pictures beside it.

    Raises:
        ValueError: where the document has no marks.
    """
    path = docs / DOCUMENT
    before, mark, rest = path.read_text().partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not mark or not closed:
        raise ValueError(f"{path}: expected the marks {BEGIN} and {END}")
    text = "\n".join(f"- {target.text}" for target in targets.judge_targets(measured))
    path.write_text(f"{before}{BEGIN}\n{tables(measured)}\n\n{text}\n{END}{after}")
    for way in (Way.COLD, Way.PRESTAGED):
        drawn = [switch for switch in measured.switches if switch.way is way and switch.bars]
        if drawn:
            result = max(drawn, key=lambda item: (min(item.spokes, PICTURED), -item.seed))
            (docs / f"switch-{way}.svg").write_text(charts.timeline(result))
    if len(measured.tables) > 1:
        (docs / "prefix-growth.svg").write_text(charts.prefix_growth(measured))
    if len(measured.sizes()) > 1:
        (docs / "switch-growth.svg").write_text(charts.growth(measured))


def tables(measured: Measured) -> str:
    """Every table, in Markdown."""
    parts = []
    if measured.setting:
        parts.append("; ".join(f"{name} {value}" for name, value in measured.setting.items()) + ".")
    if measured.outages:
        parts.append(_outages(measured))
    if measured.switches:
        parts.append(_switches(measured))
    if any(switch.bound_whole_s for switch in measured.switches):
        parts += [_bounds(measured), _costs(measured)]
    if measured.status or measured.provision or _compare_with_az(measured):
        parts.append(_format_comparisons(measured))
    if measured.processes:
        parts.append(_processes([*measured.processes, *measured.switches_of_prefixes]))
    if measured.tables:
        parts.append(_tables(measured))
    return "\n\n".join(parts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _outages(measured: Measured) -> str:
    """The outage of each spoke, planned and not, by each way."""
    head = ["spokes", "way", "seeds", "planned: from the break, median", "worst",
            "by a probe, median", "unplanned: from the command, median", "worst",
            "from the failure, worst"]  # fmt: skip
    rows = []
    for size in sorted({outage.spokes for outage in measured.outages}):
        for way in Way:
            of_way = [
                outage for outage in measured.outages if (outage.spokes, outage.way) == (size, way)
            ]
            if not of_way:
                continue
            planned = [s for outage in of_way if outage.planned for s in outage.spokes_s]
            not_planned = [s for outage in of_way if not outage.planned for s in outage.spokes_s]
            failed = [
                s + outage.failed_s
                for outage in of_way
                if not outage.planned
                for s in outage.spokes_s
            ]
            probed = [outage.probe_s for outage in of_way if outage.probe_s is not None]
            rows.append(
                [
                    str(size),
                    str(way),
                    str(len({outage.seed for outage in of_way})),
                    *_spread(planned),
                    _spread(probed)[0],
                    *_spread(not_planned),
                    _spread(failed)[1],
                ]
            )
    return _table(head, rows)


def _spread(seconds: Sequence[float]) -> tuple[str, str]:
    if not seconds:
        return "-", "-"
    return f"{median(seconds):,.1f} s", f"{max(seconds):,.1f} s"


def _switches(measured: Measured) -> str:
    head = ["spokes", "1. az", "2. SDK", "3. cold", "5. its bound", "4. prestaged", "5. its bound"]
    rows = []
    for size in measured.sizes():
        cells = [str(size)]
        for way in (Way.AZ, Way.SDK):
            cells.append(_seconds(measured.list_switches(way, size)))
        for way in (Way.COLD, Way.PRESTAGED):
            switches = measured.list_switches(way, size)
            bounds = [switch.bound_whole_s for switch in switches if switch.bound_whole_s]
            cells += [_seconds(switches), f"{mean(bounds):.1f} s" if bounds else "-"]
        rows.append(cells)
    return _table(head, rows)


def _seconds(switches: Sequence[Switch]) -> str:
    if not switches:
        return "-"
    text = f"{mean(switch.whole_s for switch in switches):,.1f} s"
    return f"*{text}*" if switches[0].reckoned else text


def _bounds(measured: Measured) -> str:
    """Both ratios, with the worst seed of each."""
    head = ["spokes", "way", "seeds", "from the command's start", "worst", "from the first write",
            "worst", "what decides the bound"]  # fmt: skip
    rows = []
    for size in measured.sizes():
        for way in (Way.COLD, Way.PRESTAGED):
            if not (switches := measured.list_switches(way, size)):
                continue
            rules = sorted({switch.rule for switch in switches})
            rows.append(
                [
                    str(size),
                    str(way),
                    ", ".join(str(switch.seed) for switch in switches),
                    f"{targets.ratio(switches):.2f}",
                    f"{max(switch.whole_ratio or 0.0 for switch in switches):.2f}",
                    f"{targets.shown_ratio(switches):.2f}",
                    f"{max(switch.shown_ratio or 0.0 for switch in switches):.2f}",
                    ", ".join(rules),
                ]
            )
    return _table(head, rows)


def _costs(measured: Measured) -> str:
    head = ["spokes", "way", "requests a spoke", "our processor time", "our wall time",
            "429: our rate", "429: a busy VNet"]  # fmt: skip
    rows = []
    for size in measured.sizes():
        for way in (Way.SDK, Way.COLD, Way.PRESTAGED):
            switches = [
                switch for switch in measured.list_switches(way, size) if not switch.reckoned
            ]
            if not switches:
                continue
            throttled = sum(map(targets.count_throttled, switches))
            busy = sum(sum(switch.refused.values()) for switch in switches) - throttled
            rows.append(
                [
                    str(size),
                    str(way),
                    f"{mean(switch.requests for switch in switches) / size:.1f}",
                    f"{mean(switch.cpu_s for switch in switches):.2f} s",
                    f"{mean(switch.wall_s for switch in switches):.2f} s",
                    str(throttled),
                    str(busy),
                ]
            )
    return _table(head, rows)


def _format_comparisons(measured: Measured) -> str:
    rows = []
    named = (
        ("`status`, against its slowest reading", measured.status),
        ("az for the same facts, against `status`", measured.status_by_az),
        ("`provision`, against its longest chain", measured.provision),
        ("az with the notes' pings, against prestaged", _compare_with_az(measured)),
        ("az without them, against prestaged", _compare_with_az(measured, pings=False)),
    )
    for name, result in named:
        if result:
            ours, other = (
                mean(compared.seconds for compared in result),
                mean(e.against_s for e in result),
            )
            worst = max(compared.ratio for compared in result)
            rows.append(
                [name, f"{ours:,.1f} s", f"{other:,.1f} s", f"{ours / other:.2f}", f"{worst:.2f}"]
            )
    return _table(["what", "took", "against", "ratio", "largest"], rows)


def _compare_with_az(measured: Measured, *, pings: bool = True) -> list[Compared]:
    """The procedure by az against ours, seed by seed."""
    ours = {switch.seed: switch.whole_s for switch in measured.list_switches(Way.PRESTAGED, 1)}
    return [
        Compared(switch.seed, switch.with_pings_s if pings else switch.whole_s, ours[switch.seed])
        for switch in measured.list_switches(Way.AZ, 1)
        if switch.seed in ours
    ]


def _tables(measured: Measured) -> str:
    head = ["prefixes", "rows", "`json.loads` of the routes", "reading and judging them", "ratio",
            "`status`, 12 spokes"]  # fmt: skip
    return _table(
        head,
        [
            [
                f"{table.prefixes:,}",
                f"{table.rows:,}",
                f"{table.decoding_s * 1000:.2f} ms",
                f"{table.reading_s * 1000:.1f} ms",
                f"{table.reading_s / table.decoding_s:.1f}",
                f"{table.status_s:.2f} s",
            ]
            for table in measured.tables
        ],
    )


def _processes(processes: Sequence[Process]) -> str:
    head = ["a separate process", "spokes", "processor", "a spoke", "memory", "requests a spoke",
            "clock"]  # fmt: skip
    rows = []
    for process in processes:
        many = process.spokes > 1
        rows.append(
            [
                f"`{process.command}`",
                str(process.spokes or "-"),
                f"{process.cpu_s:.2f} s",
                f"{process.cpu_s / process.spokes * 1000:.0f} ms" if many else "-",
                f"{process.memory_mb:.0f} MB",
                f"{process.requests / process.spokes:.1f}" if many else "-",
                f"{process.speed:g} times" if process.speed else "-",
            ]
        )
    return _table(head, rows)
