"""The fault campaign: see ``scripts/fault-campaign --help``."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.tools.campaign import cells, firewalls, forked, report, whole
from tests.tools.campaign.cells import Cell, Direction, Stage
from tests.tools.campaign.checks import Flags, name
from tests.tools.campaign.mutant import Mutant
from tests.tools.campaign.mutants import MUTANTS
from tests.tools.campaign.pairs import together
from tests.tools.campaign.report import Campaign
from tests.tools.campaign.trial import Result, try_cell
from tests.tools.campaign.warm import Warm

DOCUMENT = Path(__file__).parents[3] / "docs" / "reliability.md"
Work = tuple[str, Callable[[], Any]]
CLEAN_RUNS = 3
TRIES = 3
"""How often a cell is tried whose call was not made this time; see ``Runner.calls``."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/fault-campaign",
        description="Runs switches under every trouble, at every moment of every ARM call they "
        "make; provision and destroy killed on the way; two controllers at once. Exits 0 only if "
        "everything held.",
    )
    add = parser.add_argument
    add("--sample", type=int, default=60, metavar="N", help="how many cells of switches (60)")
    add("--seed", type=int, default=1, metavar="S", help="which ones (1)")
    add("--all", action="store_true", help="every cell that can occur")
    add("--cell", action="append", default=[], metavar="ID", help="this cell; told in full")
    add("--like", default="", metavar="TEXT", help="only cells whose id contains this")
    add("--switches-only", action="store_true", help="no provision, destroy, two controllers")
    add("--firewalls", action="store_true", help="firewall hubs, killed at every write, alone")
    add("--mutants", action="store_true", help="wrong controllers: each must be caught")
    add("--list", action="store_true", help="list the cells, and those that cannot occur")
    add("--results", type=Path, metavar="FILE", help="keep results; go on where FILE ends")
    add("--workers", type=int, default=3, metavar="N", help="processes side by side (3)")
    add("--write-docs", action="store_true", help="write the table into docs/reliability.md")
    return parser.parse_args(arguments)


class Runner:
    """One campaign from its first to its last run."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.file: Path | None = options.results and Path(options.results).absolute()
        self.results: list[Result] = []
        self.every: list[Cell] = []
        self.caught = self.tried_mutants = 0
        if self.file is not None and self.file.exists():
            lines = self.file.read_text("utf-8").splitlines()
            self.results = [Result(**json.loads(line)) for line in lines]

    def run(self) -> bool:
        """Run what the options ask for; whether everything held."""
        warm = Warm()
        try:
            self.do(self.from_nothing(warm))
            warm.provision()
            self.do(self.from_provisioned(warm))
            for stage in Stage:
                for direction in Direction:
                    warm.bring_to(direction, stage)
                    clean = Result(**forked.one(partial(_try_cell, warm, direction, None, None)))
                    if clean.problems:
                        raise SystemExit(f"without trouble: {clean.problems}\n{clean.detail}")
                    calls = self.calls(warm, direction, clean)
                    every = list(cells.grid(direction, calls, stage))
                    self.every += every
                    if self.options.mutants:
                        self.mutants(warm, every, clean.flags)
                    else:
                        self.do(self.switches(warm, direction, every, clean))
                if self.options.mutants:
                    return self.caught_all()
        finally:
            warm.close()
        return self.print_outcome()

    def calls(self, warm: Warm, direction: Direction, clean: Result) -> list[cells.Call]:
        """The calls that every clean run makes: how often a table is looked at may vary by one.

        Several readings are under way at once; which of two ends first, where both end at one
        moment, is chance.
        """
        runs = [clean] + [
            Result(**forked.one(partial(_try_cell, warm, direction, None, None)))
            for _ in range(CLEAN_RUNS - 1)
        ]
        rows = [
            cells.calls((call[0], call[1], call[2], call[3]) for call in one.calls) for one in runs
        ]
        common = set.intersection(*({call.name for call in one} for one in rows))
        return [call for call in rows[0] if call.name in common]

    def do(self, every: Iterable[Work]) -> None:
        """Run some of it, unless it has been run before."""
        names = {item.id for item in self.results}
        remaining = [pair for pair in every if pair[0] not in names]
        work = dict(remaining)
        if self.options.list:
            print("\n".join(id_ for id_, _ in remaining))
            return
        for id_, answer in forked.many(remaining, self.options.workers):
            result = _result(id_, answer)
            for _ in range(TRIES - 1):
                if not _has_only_unfired_fault(result.problems):
                    break
                _, answer = next(forked.many([(id_, work[id_])], 1))
                result = _result(id_, answer)
            self.keep(result)

    def keep(self, result: Result) -> None:
        """Take a result in."""
        self.results.append(result)
        if self.file is not None:
            with self.file.open("a", encoding="utf-8") as file:
                file.write(
                    json.dumps({**result.data(), "calls": [], "flags": {}, "detail": ""}) + "\n"
                )
        if result.problems or self.options.cell:
            state = "FAILED" if result.problems else "held"
            print(f"{state} {result.id} {result.codes} {'; '.join(result.problems)[:300]}")
            if self.options.cell:
                print(result.detail)
        sys.stdout.flush()

    def switches(
        self, warm: Warm, direction: Direction, every: list[Cell], clean: Result
    ) -> Iterator[Work]:
        """The cells of one direction, and two controllers together."""
        possible = cells.possible(every)
        picked = self.pick_ids([cell.id for cell in possible], 0.25)
        for cell in possible:
            if cell.id in picked:
                yield cell.id, partial(_try_cell, warm, direction, cell, clean.flags)
        if every and every[0].stage is Stage.PRESTAGED:
            return
        for number in (1, 2, 3) if self.options.all else (1,):
            id_ = f"{direction}:two-together:{number}"
            if self.besides(id_):
                yield id_, partial(_together, warm, direction, clean, number)

    def from_nothing(self, warm: Warm) -> Iterator[Work]:
        """Provision killed at some writes."""
        points = self.points("provision", 35)
        if points and not self.options.list:
            desired = forked.one(partial(_reference, warm))
            for id_, write, done in points:
                yield id_, partial(_try_provision, warm, desired, write, done)

    def from_provisioned(self, warm: Warm) -> Iterator[Work]:
        """Destroy killed at some deletions."""
        for id_, write, done in self.points("destroy", 12):
            yield id_, partial(_try_destroy, warm, write, done)

    def points(self, command: str, writes: int) -> list[tuple[str, int, bool]]:
        """The writes at which a command is killed, before or after they are done."""
        every = [
            (f"{command}:write:{write}:{'lost' if done else 'before'}:killed", write, done)
            for write in range(1, writes + 1)
            for done in (False, True)
        ]
        chance = random.Random(f"{self.options.seed}:{command}")
        count = 6 if self.options.all else 1
        some = {pair[0] for pair in chance.sample(every, count)}
        if self.options.cell:
            some = set(self.options.cell)
        return [pair for pair in every if pair[0] in some and self.besides(pair[0])]

    def besides(self, id_: str) -> bool:
        """Whether something that is no cell of a switch is run."""
        if self.options.cell:
            return id_ in self.options.cell
        left_out = self.options.switches_only or self.options.mutants
        return not left_out and self.options.like in id_

    def pick_ids(self, ids: list[str], share: float) -> set[str]:
        """The ids of the cells that are run."""
        if self.options.cell:
            return set(self.options.cell)
        lines = [id_ for id_ in ids if self.options.like in id_]
        if self.options.all or self.options.list:
            return set(lines)
        count = min(len(lines), round(self.options.sample * share))
        return set(random.Random(self.options.seed).sample(lines, count))

    def mutants(self, warm: Warm, every: list[Cell], desired: Flags) -> None:
        """Try the wrong controllers of a direction: each must be caught by its own check."""
        direction = every[0].direction
        by_id: dict[str, Cell | None] = {cell.id: cell for cell in cells.possible(every)}
        by_id[""] = None
        mutants = [item for item in MUTANTS if item.direction is direction]
        missing = [item.cell for item in mutants if item.cell not in by_id]
        if missing:
            raise SystemExit(f"no such cells: {missing}")
        chosen = [item for item in mutants if self.options.like in item.name]
        work = [
            (item.name, partial(_mutant, warm, item, by_id[item.cell], desired)) for item in chosen
        ]
        for name_, answer in forked.many(work, self.options.workers):
            mutant = next(item for item in mutants if item.name == name_)
            self.tried_mutants += 1
            if isinstance(answer, forked.Lost):
                print(f"NOT TRIED  {name_}: {answer}")
                continue
            checks = {name(problem) for problem in answer["problems"]}
            good = mutant.caught_by in checks
            self.caught += good
            message = f"by: {mutant.caught_by}" if good else f"but {sorted(checks)}"
            print(f"{'caught' if good else 'NOT CAUGHT':10} {name_}, {message}", flush=True)
            if not good:
                print(answer["detail"])

    def caught_all(self) -> bool:
        """Print how many wrong controllers were caught; whether that is all."""
        print(f"{self.caught} of {self.tried_mutants} wrong controllers caught")
        return 0 < self.caught == self.tried_mutants

    def print_outcome(self) -> bool:
        """Print what it came to; whether everything held."""
        possible = cells.possible(self.every)
        campaign = Campaign(self.results, len(possible), cells.impossible(self.every))
        if self.options.list:
            for reason, count in sorted(campaign.cannot.items()):
                print(f"{count} cells cannot occur: {reason}")
            print(f"{len(possible)} cells can occur")
            return True
        if campaign.failed:
            print(report.failures(campaign))
        if self.options.write_docs:
            text = DOCUMENT.read_text("utf-8") if DOCUMENT.exists() else "# Reliability\n"
            DOCUMENT.write_text(report.written_into(text, report.table(campaign)), "utf-8")
        print(report.summary(campaign))
        return bool(campaign.results) and not campaign.failed


def _result(id_: str, answer: Any | forked.Lost) -> Result:
    if isinstance(answer, forked.Lost):
        return Result(id_, [f"did not end: {answer}"])
    return Result(**answer)


def _has_only_unfired_fault(problems: list[str]) -> bool:
    """Whether all that was wrong is that the call for the trouble was not made this time."""
    return bool(problems) and all(problem.startswith("fault fired") for problem in problems)


def _try_cell(warm: Warm, direction: Direction, cell: Cell | None, desired: Flags | None) -> Any:
    return try_cell(warm, direction, cell, desired).data()


def _together(warm: Warm, direction: Direction, clean: Result, number: int) -> Any:
    return together(warm, direction, clean, number).data()


def _mutant(warm: Warm, mutant: Mutant, cell: Cell | None, desired: Flags) -> Any:
    mutant.apply()
    return try_cell(warm, mutant.direction, cell, desired).data()


def _reference(warm: Warm) -> dict[str, str]:
    """What provision makes when nothing disturbs it."""
    warm.use_own_state()
    warm.provision()
    return whole.names(warm)


def _try_provision(warm: Warm, desired: dict[str, str], write: int, done: bool) -> Any:
    return whole.try_provision(warm, desired, write, done=done).data()


def _try_destroy(warm: Warm, write: int, done: bool) -> Any:
    return whole.try_destroy(warm, write, done=done).data()


def main(arguments: list[str]) -> int:
    """Run the campaign; 0 only if everything held."""
    options = parse(arguments)
    if options.firewalls:
        sample = 0 if options.all else max(1, options.sample // 6)
        return 0 if firewalls.run(sample, options.seed, options.like, options.workers) else 1
    return 0 if Runner(options).run() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
