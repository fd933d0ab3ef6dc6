"""The campaign of the watch: see ``scripts/watch-campaign --help``."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from azure.storage.blob import ContainerClient

from tests.tools.azurite import Credential, running
from tests.tools.bench.worlds import Worlds
from tests.tools.watch_campaign import replica as variants
from tests.tools.watch_campaign import report, trial
from tests.tools.watch_campaign.plan import Kind, draw
from tests.tools.watch_campaign.report import Result
from tests.tools.watch_campaign.trial import CONTAINER, SPOKES, Setting

PAGE = Path(__file__).parents[3] / "docs" / "watch.md"
LAST_SEED = 999_999
INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Run the trials, print what they came to; 0 if all of them held."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = _parse(arguments)
    seed = options.seed if options.seed is not None else random.randint(1, LAST_SEED)
    print(f"--seed {seed} repeats these trials", flush=True)
    results = _read_results(options.results)
    done = {(result.seed, result.index) for result in results}
    wanted = [(seed + index, index) for index in _list_indices(options)]
    pending = [key for key in wanted if key not in done]
    for result in _run_all(pending, options) if pending else ():
        results.append(result)
        _print(result, options.details)
        if options.results:
            with options.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(result)) + "\n")
    print(report.format_table(results))
    if options.write_docs:
        text = PAGE.read_text("utf-8") if PAGE.exists() else ""
        PAGE.write_text(report.write_into(text, report.format_table(results)), "utf-8")
    print(report.format_summary(results))
    return int(any(result.problems for result in results))


def _list_indices(options: argparse.Namespace) -> list[int]:
    """Return the indices of the trials; they decide what goes wrong."""
    if options.only is None:
        return list(range(options.first, options.first + options.trials))
    kinds = list(Kind)
    index = next(index for index, kind in enumerate(kinds) if kind.name.lower() == options.only)
    return [index + number * len(kinds) for number in range(options.trials)]


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/watch-campaign",
        description="Runs three replicas of `erfailover watch` against a lab and Azurite while the "
        "primary path fails, and kills, stops, ends or cuts them off from the store meanwhile. "
        "Exits 0 only if there were never two writers, no spoke was left without its path, and "
        "another replica led within 30 s.",
    )
    add = parser.add_argument
    add("--trials", type=int, default=20, metavar="N", help="how many (20)")
    add("--seed", type=int, metavar="S", help="which ones; default: fresh ones")
    add("--first", type=int, default=0, metavar="I", help="begin with the trial of this index (0)")
    kinds = [kind.name.lower() for kind in Kind]
    add("--only", choices=kinds, metavar="KIND", help=f"one kind: {', '.join(kinds)}")
    add("--workers", type=int, default=3, metavar="W", help="trials side by side (3)")
    add("--results", type=Path, metavar="FILE", help="keep results; go on where FILE ends")
    add("--details", type=Path, metavar="FOLDER", help="keep the logs of each trial")
    add("--write-docs", action="store_true", help="write the table into docs/watch.md")
    add("--variant", choices=variants.VARIANTS, default=variants.RIGHT, help="wrong replicas")
    return parser.parse_args(arguments)


def _read_results(file: Path | None) -> list[Result]:
    if file is None or not file.exists():
        return []
    return [Result(**json.loads(line)) for line in file.read_text("utf-8").splitlines()]


@contextmanager
def _set_up(variant: str) -> Iterator[Setting]:
    """Provide the world and the store of all trials."""
    worlds = Worlds()
    try:
        world = worlds.get(SPOKES, prestaged=True, dark=False, machines=True)
    finally:
        worlds.close()
    with (
        tempfile.TemporaryDirectory(prefix="erfailover-azurite-") as folder,
        running(Path(folder)) as azurite,
    ):
        trust = str(azurite.ca_file)
        with ContainerClient(
            azurite.endpoint, CONTAINER, credential=Credential(), connection_verify=trust
        ) as container:
            container.create_container()
        yield Setting(world, azurite, variant)


def _run_all(wanted: Sequence[tuple[int, int]], options: argparse.Namespace) -> Iterator[Result]:
    """Run trials side by side, each in a process of its own, which serves its lab."""
    context = multiprocessing.get_context("spawn")
    with (
        _set_up(options.variant) as setting,
        ProcessPoolExecutor(options.workers, context, max_tasks_per_child=1) as pool,
    ):
        futures = [
            pool.submit(trial.run, setting, draw(seed, index), index) for seed, index in wanted
        ]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:  # on Ctrl-C or SIGTERM, the trials that run are completed
            pool.shutdown(wait=True, cancel_futures=True)


def _print(result: Result, details: Path | None) -> None:
    verdict = "FAILED" if result.problems else "held"
    takeovers = ", ".join(f"{took:.1f} s" for took in result.takeovers) or "none"
    print(
        f"{verdict} [{result.index}] {result.description}; takeovers {takeovers}; writes "
        f"{result.writes}; {result.took_s:.0f} s",
        flush=True,
    )
    for problem in result.problems:
        print(f"    {problem}", flush=True)
    if result.problems:
        first = result.seed - result.index
        print(
            f"    again: scripts/watch-campaign --seed {first} --first {result.index} --trials 1",
            flush=True,
        )
    if details is not None:
        details.mkdir(parents=True, exist_ok=True)
        (details / f"{result.seed}.txt").write_text(result.detail, "utf-8")
    result.detail = ""


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
