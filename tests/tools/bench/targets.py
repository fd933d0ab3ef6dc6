"""The targets, and whether what was measured meets them. Pure.

A ratio of several seeds is that of their sums; the worst single one stands beside it in the
table. What was not measured is not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean

from erfailover.model.counting import format_count
from tests.tools.bench.rows import YARDSTICK, Compared, Measured, Switch, Way

COLD_LIMIT = 1.2
PRESTAGED_LIMIT = {1: 1.15}
PRESTAGED_LIMIT_MORE = 1.2
ONE_SPOKE_REQUESTS = {Way.PRESTAGED: 65.0, Way.COLD: 95.0}
"""Fewer cost time: docs/performance.md."""
PROBE_EVERY_S = 1.0
"""How often the probe beside a switch asks: so much may it measure less than there was."""
AGAINST_AZ = 5.0
STATUS_LIMIT, STATUS_AGAINST_AZ = 1.2, 4.0
PROVISION_LIMIT = 1.1
MEMORY_MB, CPU_MS_A_SPOKE, REQUESTS_A_SPOKE = 200.0, 30.0, 8.0
LARGE = 500
"""The number of spokes at which the controller's own cost is judged; smaller runs only show it."""
HELP_CPU_S, STATUS_CPU_S = 0.15, 0.8
FEW_PREFIXES, MANY_PREFIXES = 10, 1000
READING_LIMIT, STATUS_PREFIXES_LIMIT, SWITCH_PREFIXES_LIMIT = 8.0, 2.0, 1.3
STRAIGHT = 1.5
"""How much more a further row may cost than one of the 8,000: above it, growth is not straight."""
YARDSTICK_S = 0.4
"""What loading the SDK costs on the machine that the figures of processor time are meant for. One
that takes longer, being slower or busy, is granted as much more for everything."""


@dataclass(frozen=True, slots=True)
class Target:
    """One target. ``at_least`` turns the comparison round."""

    name: str
    found: float
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether it is met."""
        return self.found >= self.limit if self.at_least else self.found <= self.limit

    @property
    def text(self) -> str:
        """In words, with what was found."""
        word = "at least" if self.at_least else "at most"
        mark = "ok    " if self.holds else "MISSED"
        return f"{mark} {self.name}: {self.found:.2f}{self.unit}, {word} {self.limit:g}{self.unit}"


def judge_targets(measured: Measured) -> list[Target]:
    """Every target that something was measured for."""
    return [
        *_ratios(measured),
        *_against_az(measured),
        *_rates(measured),
        *_requests(measured),
        *_flattery(measured),
        *_status(measured),
        *_build_ratio_target(
            "provision against its longest chain", measured.provision, PROVISION_LIMIT
        ),
        *_processes(measured),
        *_tables(measured),
    ]


def ratio(switches: Sequence[Switch]) -> float:
    """The whole time over the bound and the deciding reading, of all seeds together."""
    return sum(switch.whole_s for switch in switches) / sum(
        switch.bound_whole_s or 0.0 for switch in switches
    )


def shown_ratio(switches: Sequence[Switch]) -> float:
    """The time from the first write on over the bound, of all seeds together."""
    return sum(switch.whole_s - switch.decided_s for switch in switches) / sum(
        switch.bound_shown_s or 0.0 for switch in switches
    )


def count_throttled(switch: Switch) -> int:
    """How many 429s of a run its own rate caused."""
    return sum(n for code, n in switch.refused.items() if code != "RetryableError")


def _ratios(measured: Measured) -> Iterable[Target]:
    for size in measured.sizes():
        if cold := measured.list_switches(Way.COLD, size):
            yield Target(
                f"cold against its bound, {format_count(size, 'spoke')}", ratio(cold), COLD_LIMIT
            )
        if prestaged := measured.list_switches(Way.PRESTAGED, size):
            limit = PRESTAGED_LIMIT.get(size, PRESTAGED_LIMIT_MORE)
            yield Target(
                f"prestaged against its bound, {format_count(size, 'spoke')}",
                ratio(prestaged),
                limit,
            )


def _against_az(measured: Measured) -> Iterable[Target]:
    """The notes' procedure by az, its pings included where they were typed."""
    az, ours = measured.list_switches(Way.AZ, 1), measured.list_switches(Way.PRESTAGED, 1)
    seeds = {switch.seed for switch in az} & {our.seed for our in ours}
    if seeds:
        value = mean(switch.with_pings_s or switch.whole_s for switch in az if switch.seed in seeds)
        value /= mean(our.whole_s for our in ours if our.seed in seeds)
        name = "prestaged, times faster than the notes' procedure by az, 1 spoke"
        yield Target(name, value, AGAINST_AZ, at_least=True)


def _rates(measured: Measured) -> Iterable[Target]:
    ours = [switch for switch in measured.switches if switch.way in {Way.COLD, Way.PRESTAGED}]
    if ours:
        yield Target("429s that our own rate caused", sum(map(count_throttled, ours)), 0)


def _requests(measured: Measured) -> Iterable[Target]:
    for way, limit in ONE_SPOKE_REQUESTS.items():
        if ours := measured.list_switches(way, 1):
            value = mean(our.requests for our in ours)
            yield Target(f"requests of a {way} switch of 1 spoke", value, limit)


def _flattery(measured: Measured) -> Iterable[Target]:
    """By how much a probe, which the report rests on, measured less than the lab's routing has."""
    probed = [outage for outage in measured.outages if outage.probe_s is not None]
    if probed:
        less_s = max(outage.spokes_s[0] - (outage.probe_s or 0.0) for outage in probed)
        yield Target("outage that a probe's measurement lacks", less_s, PROBE_EVERY_S, " s")


def _status(measured: Measured) -> Iterable[Target]:
    yield from _build_ratio_target(
        "status against its slowest reading", measured.status, STATUS_LIMIT
    )
    if measured.status_by_az:
        value = _divide_sums(measured.status_by_az)
        yield Target("status, times faster than az", value, STATUS_AGAINST_AZ, at_least=True)


def _build_ratio_target(name: str, compared: Sequence[Compared], limit: float) -> Iterable[Target]:
    if compared:
        yield Target(name, _divide_sums(compared), limit)


def _divide_sums(compared: Sequence[Compared]) -> float:
    return sum(item.seconds for item in compared) / sum(item.against_s for item in compared)


def _tables(measured: Measured) -> Iterable[Target]:
    tables = {table.prefixes: table for table in measured.tables}
    few, many = tables.get(FEW_PREFIXES), tables.get(MANY_PREFIXES)
    if many:
        name = f"a reading of {many.prefixes:,} prefixes, {many.rows:,} rows, against its JSON"
        yield Target(name, many.reading_s / many.decoding_s, READING_LIMIT)
    if few and many:
        name = f"status with {many.prefixes:,} prefixes against {few.prefixes}, processor time"
        yield Target(name, many.status_s / few.status_s, STATUS_PREFIXES_LIMIT)
    for less, more in pairwise(measured.tables):
        grown = (more.status_s - less.status_s) / (more.rows - less.rows)
        straight = STRAIGHT * many.status_s / many.rows if many else float("inf")
        name = f"a row more in status, from {less.prefixes:,} to {more.prefixes:,} prefixes"
        yield Target(name, grown * 1e6, straight * 1e6, " us")
    if len(measured.switches_of_prefixes) == 2:
        one, other = measured.switches_of_prefixes
        name = f"of {other.command}, {other.spokes} spokes, against {one.command}"
        yield Target(f"processor time {name}", other.cpu_s / one.cpu_s, SWITCH_PREFIXES_LIMIT)
        yield Target(f"memory {name}", other.memory_mb / one.memory_mb, SWITCH_PREFIXES_LIMIT)


def slowness(measured: Measured) -> float:
    """How many times longer this machine takes than the one that the figures are meant for."""
    rows = [process.cpu_s for process in measured.processes if process.command == YARDSTICK]
    return max(1.0, rows[0] / YARDSTICK_S) if rows else 1.0


def _processes(measured: Measured) -> Iterable[Target]:
    slow = slowness(measured)
    word = f"processor time, this machine taking {slow:.1f} times as long,"
    for process in measured.processes:
        if process.command == YARDSTICK:
            continue
        if process.command.endswith("--help"):
            yield Target(f"{word} of --help", process.cpu_s / slow, HELP_CPU_S, " s")
        elif process.command.endswith("status"):
            yield Target(f"{word} of status", process.cpu_s / slow, STATUS_CPU_S, " s")
        elif process.spokes >= LARGE:
            name = f"{process.command}, {process.spokes} spokes"
            yield Target(f"memory of {name}", process.memory_mb, MEMORY_MB, " MB")
            milliseconds = process.cpu_s / process.spokes * 1000 / slow
            yield Target(f"{word} a spoke of {name}", milliseconds, CPU_MS_A_SPOKE, " ms")
            requests = process.requests / process.spokes
            yield Target(f"requests a spoke of {name}", requests, REQUESTS_A_SPOKE)
