"""Measure the watch in the lab: outages, requests, a day, and single signals.

Exits 0 only if every target is held.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import TypeVar

from tests.tools.bench.worlds import Worlds
from tests.tools.watch_numbers import report
from tests.tools.watch_numbers.day import measure_day
from tests.tools.watch_numbers.outages import measure_outage
from tests.tools.watch_numbers.report import LIMITS_S, Measured
from tests.tools.watch_numbers.request_counts import measure_requests
from tests.tools.watch_numbers.singles import CASES, measure_single

T = TypeVar("T")

ROWS = ("outage", "requests", "day", "single")
SEEDS, HOURS = 50, 24.0
LAST_SEED = 999_999
MACHINE_SHARE = 5
"""One of so many seeds is also measured with a probe by Run Command."""


def main(arguments: Sequence[str]) -> int:
    """Measure, judge, print; return 0 if every target is held, 1 if one is missed."""
    options = _parse_options(arguments)
    chance = SystemRandom() if options.first_seed is None else None
    first = chance.randint(1, LAST_SEED) if chance else options.first_seed
    print(f"first seed {first}; --first-seed {first} repeats it")
    worlds, began = Worlds(), time.monotonic()
    try:
        measured = measure(worlds, options, first)
    finally:
        worlds.close()
    print("\n\n".join(report.build_tables(measured).values()))
    targets = report.judge_targets(measured)
    for target in targets:
        print(target.line)
    if options.write_docs:
        report.write(measured, Path("docs"))
    missed = sum(not target.holds for target in targets)
    outcome = f"{missed} MISSED" if missed else "all held"
    print(f"watch-numbers: {len(targets)} targets, {outcome}, {time.monotonic() - began:.0f} s")
    return 1 if missed else 0


def _parse_options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/watch-numbers", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"of the outages ({SEEDS})")
    parser.add_argument("--first-seed", type=int, help="the first seed; a new one by default")
    parser.add_argument("--hours", type=float, default=HOURS, help="of the day (24)")
    parser.add_argument("--single-hours", type=float, default=1.0, help="of each single signal (1)")
    parser.add_argument("--minutes", type=float, default=30.0, help="of the requests (30)")
    parser.add_argument("--rows", type=_parse_rows, default=ROWS, help=f"of {','.join(ROWS)}")
    parser.add_argument("--write-docs", action="store_true", help="tables into docs/watch.md")
    return parser.parse_args(arguments)


def _parse_rows(text: str) -> tuple[str, ...]:
    rows = tuple(text.split(","))
    if unknown := set(rows) - set(ROWS):
        raise argparse.ArgumentTypeError(f"expected some of {','.join(ROWS)}, not {unknown}")
    return rows


def measure(worlds: Worlds, options: argparse.Namespace, first: int) -> Measured:
    """Measure the rows that were chosen."""
    measured = Measured()
    seeds = range(first, first + options.seeds)
    if "outage" in options.rows:
        for interval_s in LIMITS_S:
            for seed in seeds:
                outage = _quietly(partial(measure_outage, worlds, seed, interval_s))
                measured.outages.append(outage)
                _say(f"interval {interval_s:g} s, seed {seed}: {outage.outage_s:.1f} s")
        for seed in seeds[::MACHINE_SHARE]:
            work = partial(measure_outage, worlds, seed, max(LIMITS_S), by_machine=True)
            outage = _quietly(work)
            measured.by_machine.append(outage)
            _say(f"probe by Run Command, seed {seed}: {outage.outage_s:.1f} s")
    if "requests" in options.rows:
        measured.requests = _quietly(partial(measure_requests, worlds, options.minutes))
    if "single" in options.rows:
        for case in CASES:
            single = _quietly(partial(measure_single, worlds, case, options.single_hours))
            measured.singles.append(single)
            _say(f"{case.name}: {single.switches} switches, {', '.join(single.states)}")
    if "day" in options.rows:
        measured.days = [_quietly(partial(measure_day, worlds, first, options.hours, _say))]
    return measured


def _quietly(work: Callable[[], T]) -> T:
    """Do something; what the commands print meanwhile is of no use."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        return work()


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
