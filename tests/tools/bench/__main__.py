"""Measures erfailover against what a user would do instead, and against what Azure allows.

Exits 0 only if the targets hold; the last line printed is a summary. What the rows are, and how
they are measured, stands in docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from erfailover.model.counting import format_count
from tests.tools.bench import az, document, machine, ours, outages, prefixes, sdk, targets
from tests.tools.bench.rows import Measured, Outage, Process, Switch, Tables, Way
from tests.tools.bench.targets import FEW_PREFIXES, LARGE, MANY_PREFIXES
from tests.tools.bench.worlds import Worlds

T = TypeVar("T")

ROWS = (
    "az",
    "sdk",
    "cold",
    "prestaged",
    "outages",
    "status",
    "provision",
    "processes",
    "prefixes",
)
DRAWN_SEEDS, LAST_SEED = 12, 999_999
PINNED_SEEDS = (2, 3, 4)
"""The seeds of ``--quick``, which the tests judge."""
TRIES = 3
"""How often a process is run whose processor time is judged; the least counts."""
QUICK_PREFIXES = 1000
"""More prefixes are not measured by ``--quick``."""
MEASURED_TO = 10
"""az and the SDK are measured up to so many spokes; beyond, arithmetic."""


@dataclass(frozen=True)
class Task:
    """One measurement on the stepped clock; any process can take it."""

    what: str
    spokes: int
    seed: int
    measure: Callable[..., Any]
    arguments: tuple[Any, ...]


class Workers:
    """Where measurements on the stepped clock are taken: here, or in forked processes at once.

    Modelled seconds do not depend on how many processes there are.
    """

    worlds: Worlds

    def __init__(self, worlds: Worlds, workers: int) -> None:
        Workers.worlds = worlds
        self._held = ExitStack()
        self._executor: Executor | None = None
        if workers > 1:
            fork = multiprocessing.get_context("fork")
            executor = ProcessPoolExecutor(workers, fork, worlds.renew_authority)
            self._executor = self._held.enter_context(executor)
            list(self._executor.map(abs, range(workers)))

    def close(self) -> None:
        """End the processes."""
        self._held.close()

    def measure(self, tasks: Sequence[Task]) -> list[Any]:
        """Return what each task came to, in their order."""
        if self._executor is None:
            return [_measure_task(task) for task in tasks]
        return list(self._executor.map(_measure_task, tasks))


def _measure_task(task: Task) -> Any:
    work = partial(task.measure, Workers.worlds, *task.arguments)
    return _run_and_report(task.what, task.spokes, task.seed, work)


def main(arguments: Sequence[str]) -> int:
    """Measure, judge, print; 0 where every target holds, 1 where one is missed."""
    options = _options(arguments)
    began = time.monotonic()
    print(f"seeds: {','.join(map(str, options.seeds))}; --seeds repeats them")
    worlds = Worlds()
    workers = Workers(worlds, options.workers)
    try:
        measured = _measure(worlds, workers, options)
    finally:
        workers.close()
        worlds.close()
    rows = targets.judge_targets(measured)
    print(document.tables(measured))
    for target in rows:
        print(target.text)
    if options.results:
        options.results.write_text(json.dumps(measured.to_data(), indent=1))
    if options.write_docs:
        document.write(measured, Path("docs"))
    missed = [item for item in rows if not item.holds]
    outcome = f"{len(missed)} MISSED" if missed else "all held"
    print(
        f"bench: {len(measured.switches)} switches, {len(rows)} targets, {outcome}, "
        f"{time.monotonic() - began:.0f} s"
    )
    return 1 if missed else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--quick",
        action="store_true",
        help="1 and 10 spokes, three fixed seeds, up to 1,000 prefixes, no az",
    )
    parser.add_argument("--rows", type=_words, default=ROWS, help=f"which of: {','.join(ROWS)}")
    parser.add_argument("--spokes", type=_spokes, default=(1, 10, 100, 500), metavar="N,N ...")
    parser.add_argument(
        "--prefixes",
        type=_numbers,
        default=(10, 100, 1000, 4000),
        metavar="N,N ...",
        help="how many prefixes the route tables have",
    )
    parser.add_argument(
        "--seeds",
        type=_numbers,
        metavar="N,N ...",
        help=f"of the durations; otherwise {DRAWN_SEEDS} are drawn",
    )
    parser.add_argument(
        "--large-seeds",
        type=int,
        default=3,
        metavar="N",
        help="how many of the seeds are used with more than 100 spokes",
    )
    parser.add_argument(
        "--az-seeds", type=int, default=3, metavar="N", help="how many are used with az (real time)"
    )
    parser.add_argument(
        "--az-spokes", type=int, default=1, metavar="N", help="az is measured up to so many spokes"
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="processes for what is measured in modelled seconds",
    )
    parser.add_argument("--results", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument("--write-docs", action="store_true", help="tables and pictures into docs/")
    options = parser.parse_args(arguments)
    if options.quick:
        options.spokes, options.seeds = (1, 10), options.seeds or PINNED_SEEDS
        options.prefixes = tuple(prefix for prefix in options.prefixes if prefix <= QUICK_PREFIXES)
        options.rows = tuple(row for row in options.rows if row != "az")
    if options.seeds is None:
        options.seeds = tuple(sorted(random.sample(range(1, LAST_SEED + 1), DRAWN_SEEDS)))
    return options


def _words(text: str) -> tuple[str, ...]:
    words = tuple(text.split(","))
    if unknown := set(words) - set(ROWS):
        raise argparse.ArgumentTypeError(f"expected some of {','.join(ROWS)}, not {unknown}")
    return words


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(sorted({int(part) for part in text.split(",")}))
    if numbers[0] <= 0:
        raise argparse.ArgumentTypeError("expected numbers above 0")
    return numbers


def _spokes(text: str) -> tuple[int, ...]:
    numbers = _numbers(text)
    if numbers[-1] > LARGE:
        raise argparse.ArgumentTypeError("expected numbers from 1 to 500 (a VNet has 500 peerings)")
    return numbers


def _measure(worlds: Worlds, workers: Workers, options: argparse.Namespace) -> Measured:
    rows, seeds = options.rows, options.seeds
    status, provision, processes = [], [], []
    if "status" in rows:
        status = [
            _run_and_report("status", 1, seed, partial(ours.status, worlds, seed)) for seed in seeds
        ]
    if "provision" in rows:
        provision = [
            _run_and_report("provision", 1, seed, partial(ours.provision, worlds, seed))
            for seed in seeds
        ]
    if "processes" in rows:
        way = Way.PRESTAGED if Way.PRESTAGED in rows else Way.COLD
        size = max(options.spokes)
        work = partial(ours.processes, worlds, way, size, 1 if options.quick else TRIES)
        processes = _run_and_report(f"processes of their own, {way}", size, 1, work)
    tables, large = _prefixes(worlds, options) if "prefixes" in rows else ([], [])
    tasks = [task for size in options.spokes for task in _list_switches(options, size)]
    switches: list[Switch] = workers.measure(tasks)
    cut: list[Outage] = workers.measure(list(_list_outages(options))) if "outages" in rows else []
    by_az = []
    if "az" in rows:
        switches += _az(worlds, options)
        cut += [
            _run_and_report(
                f"outage by az, {_kind(flag)}", 1, seed, partial(az.outage, worlds, seed, flag)
            )
            for seed in seeds[: options.az_seeds]
            for flag in ((True, False) if "outages" in rows else ())
        ]
        by_az = [
            _run_and_report(
                "status by az",
                1,
                compared.seed,
                partial(az.status, worlds, compared.seed, compared.seconds),
            )
            for compared in status[: options.az_seeds]
        ]
    return Measured(
        tuple(switches),
        tuple(cut),
        tuple(status),
        tuple(by_az),
        tuple(provision),
        tuple(processes),
        tuple(tables),
        tuple(large),
        machine.setting(),
    ).extrapolate(options.spokes)


def _kind(planned: bool) -> str:
    return "planned" if planned else "unplanned"


def _list_outages(options: argparse.Namespace) -> Iterator[Task]:
    """Yield the outage of every spoke, by each way that is measured on the stepped clock."""
    for size in options.spokes:
        for planned in (True, False) if size <= MEASURED_TO else ():
            for seed in options.seeds[: 1 if options.quick else None]:
                what = f"outage, {_kind(planned)}"
                if "sdk" in options.rows:
                    arguments = size, seed, planned
                    yield Task(f"{what}, sdk", size, seed, outages.measure_sdk, arguments)
                for way in (Way.COLD, Way.PRESTAGED):
                    if way in options.rows:
                        own = way, size, seed, planned
                        measure = outages.measure_erfailover
                        yield Task(f"{what}, {way}", size, seed, measure, own)


def _prefixes(worlds: Worlds, options: argparse.Namespace) -> tuple[list[Tables], list[Process]]:
    """Tables of each size, and the largest switch with few prefixes and with many."""
    spokes = max(options.spokes)
    tables = [
        _run_and_report(
            f"tables of {prefix:,} prefixes", 12, 1, partial(prefixes.tables, worlds, prefix)
        )
        for prefix in options.prefixes
    ]
    sizes = (FEW_PREFIXES, MANY_PREFIXES) if spokes >= LARGE else ()
    large = [
        _run_and_report(
            f"switch with {size:,} prefixes",
            spokes,
            1,
            partial(prefixes.switch, worlds, spokes, size),
        )
        for size in sizes
        if size in options.prefixes
    ]
    return tables, large


def _list_switches(options: argparse.Namespace, size: int) -> Iterator[Task]:
    """Yield the switches of one size on the stepped clock, with every seed."""
    seeds = options.seeds if size <= 100 else options.seeds[: options.large_seeds]
    for way in (Way.SDK, Way.COLD, Way.PRESTAGED):
        if way not in options.rows or (way is Way.SDK and size > MEASURED_TO):
            continue
        for seed in seeds:
            if way is Way.SDK:
                yield Task(way, size, seed, sdk.switch, (size, seed))
            else:
                yield Task(way, size, seed, ours.switch, (way, size, seed))


def _az(worlds: Worlds, options: argparse.Namespace) -> Iterator[Switch]:
    """In real time: one spoke with several seeds, more of them once if that was asked for."""
    for seed in options.seeds[: options.az_seeds]:
        yield _run_and_report("az", 1, seed, partial(az.switch, worlds, 1, seed))
    for size in options.spokes:
        if 1 < size <= options.az_spokes:
            seed = options.seeds[0]
            yield _run_and_report(
                "az", size, seed, partial(az.switch, worlds, size, seed, pings=False)
            )


def _run_and_report(what: str, size: int, seed: int, work: Callable[[], T]) -> T:
    began = time.monotonic()
    result = work()
    _say(
        f"{what}, {format_count(size, 'spoke')}, seed {seed}: done in "
        f"{time.monotonic() - began:.1f} s"
    )
    return result


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
