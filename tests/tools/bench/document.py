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
    judged = "\n".join(f"- {each.text}" for each in targets.judged(measured))
    path.write_text(f"{before}{BEGIN}\n{tables(measured)}\n\n{judged}\n{END}{after}")
    for way in (Way.COLD, Way.PRESTAGED):
        drawn = [each for each in measured.switches if each.way is way and each.bars]
        if drawn:
            shown = max(drawn, key=lambda each: (min(each.spokes, PICTURED), -each.seed))
            (docs / f"switch-{way}.svg").write_text(charts.timeline(shown))
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
    if any(each.bound_whole_s for each in measured.switches):
        parts += [_bounds(measured), _costs(measured)]
    if measured.status or measured.provision or _pinged(measured):
        parts.append(_compared(measured))
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
    for size in sorted({each.spokes for each in measured.outages}):
        for way in Way:
            of_way = [each for each in measured.outages if (each.spokes, each.way) == (size, way)]
            if not of_way:
                continue
            planned = [s for each in of_way if each.planned for s in each.spokes_s]
            not_planned = [s for each in of_way if not each.planned for s in each.spokes_s]
            failed = [
                s + each.failed_s for each in of_way if not each.planned for s in each.spokes_s
            ]
            probed = [each.probe_s for each in of_way if each.probe_s is not None]
            rows.append(
                [
                    str(size),
                    str(way),
                    str(len({each.seed for each in of_way})),
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
            cells.append(_seconds(measured.of(way, size)))
        for way in (Way.COLD, Way.PRESTAGED):
            found = measured.of(way, size)
            bounds = [each.bound_whole_s for each in found if each.bound_whole_s]
            cells += [_seconds(found), f"{mean(bounds):.1f} s" if bounds else "-"]
        rows.append(cells)
    return _table(head, rows)


def _seconds(switches: Sequence[Switch]) -> str:
    if not switches:
        return "-"
    text = f"{mean(each.whole_s for each in switches):,.1f} s"
    return f"*{text}*" if switches[0].reckoned else text


def _bounds(measured: Measured) -> str:
    """Both ratios, with the worst seed of each."""
    head = ["spokes", "way", "seeds", "from the command's start", "worst", "from the first write",
            "worst", "what decides the bound"]  # fmt: skip
    rows = []
    for size in measured.sizes():
        for way in (Way.COLD, Way.PRESTAGED):
            if not (found := measured.of(way, size)):
                continue
            rules = sorted({each.rule for each in found})
            rows.append(
                [
                    str(size),
                    str(way),
                    ", ".join(str(each.seed) for each in found),
                    f"{targets.ratio(found):.2f}",
                    f"{max(each.whole_ratio or 0.0 for each in found):.2f}",
                    f"{targets.shown_ratio(found):.2f}",
                    f"{max(each.shown_ratio or 0.0 for each in found):.2f}",
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
            found = [each for each in measured.of(way, size) if not each.reckoned]
            if not found:
                continue
            throttled = sum(map(targets.throttled, found))
            busy = sum(sum(each.refused.values()) for each in found) - throttled
            rows.append(
                [
                    str(size),
                    str(way),
                    f"{mean(each.requests for each in found) / size:.1f}",
                    f"{mean(each.cpu_s for each in found):.2f} s",
                    f"{mean(each.wall_s for each in found):.2f} s",
                    str(throttled),
                    str(busy),
                ]
            )
    return _table(head, rows)


def _compared(measured: Measured) -> str:
    rows = []
    named = (
        ("`status`, against its slowest reading", measured.status),
        ("az for the same facts, against `status`", measured.status_by_az),
        ("`provision`, against its longest chain", measured.provision),
        ("az with the notes' pings, against prestaged", _pinged(measured)),
        ("az without them, against prestaged", _pinged(measured, pings=False)),
    )
    for name, found in named:
        if found:
            ours, other = mean(each.seconds for each in found), mean(e.against_s for e in found)
            worst = max(each.ratio for each in found)
            rows.append(
                [name, f"{ours:,.1f} s", f"{other:,.1f} s", f"{ours / other:.2f}", f"{worst:.2f}"]
            )
    return _table(["what", "took", "against", "ratio", "largest"], rows)


def _pinged(measured: Measured, *, pings: bool = True) -> list[Compared]:
    """The procedure by az against ours, seed by seed."""
    ours = {each.seed: each.whole_s for each in measured.of(Way.PRESTAGED, 1)}
    return [
        Compared(each.seed, each.with_pings_s if pings else each.whole_s, ours[each.seed])
        for each in measured.of(Way.AZ, 1)
        if each.seed in ours
    ]


def _tables(measured: Measured) -> str:
    head = ["prefixes", "rows", "`json.loads` of the routes", "reading and judging them", "ratio",
            "`status`, 12 spokes"]  # fmt: skip
    return _table(
        head,
        [
            [
                f"{each.prefixes:,}",
                f"{each.rows:,}",
                f"{each.decoding_s * 1000:.2f} ms",
                f"{each.reading_s * 1000:.1f} ms",
                f"{each.reading_s / each.decoding_s:.1f}",
                f"{each.status_s:.2f} s",
            ]
            for each in measured.tables
        ],
    )


def _processes(processes: Sequence[Process]) -> str:
    head = ["a separate process", "spokes", "processor", "a spoke", "memory", "requests a spoke",
            "clock"]  # fmt: skip
    rows = []
    for each in processes:
        many = each.spokes > 1
        rows.append(
            [
                f"`{each.command}`",
                str(each.spokes or "-"),
                f"{each.cpu_s:.2f} s",
                f"{each.cpu_s / each.spokes * 1000:.0f} ms" if many else "-",
                f"{each.memory_mb:.0f} MB",
                f"{each.requests / each.spokes:.1f}" if many else "-",
                f"{each.speed:g} times" if each.speed else "-",
            ]
        )
    return _table(head, rows)
