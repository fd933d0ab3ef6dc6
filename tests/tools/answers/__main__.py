"""A fuzz of Azure's answers: commands whose answers are made wrong by chance.

``python -m tests.tools.answers --seconds 20`` prints its seed; ``--seed`` repeats a run, and
``--only`` one trial of it. It exits 0 only if every command ended with a documented exit code
other than 1, without a traceback, and the spoke had a path at the end.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

from erfailover.runtime import journal
from tests.tools.answers.trial import FOREVER, Plan, run_trial
from tests.tools.campaign import forked
from tests.tools.campaign.cells import Direction
from tests.tools.campaign.warm import Warm

COMMANDS: dict[Direction, tuple[tuple[str, ...], ...]] = {
    direction: (
        ("switch", "--to", str(direction), "--yes"),
        ("switch", "--to", str(direction), "--yes"),
        ("switch", "--to", str(direction), "--yes"),
        ("status",),
        ("doctor",),
    )
    for direction in Direction
}


def plans(seed: str, arguments: tuple[str, ...], answers: int) -> Iterator[Plan]:
    """Yield trials of a command without end; a clean run of it has so many answers."""
    for number in range(FOREVER):
        own = f"{seed}:{'-'.join(arguments)}:{number}"
        chance = random.Random(own)
        count = chance.choice((1, 1, 1, 1, 2, 5, FOREVER))
        yield Plan(own, arguments, chance.randint(1, answers), count, chance.random() < 0.5)


def work(
    warm: Warm, direction: Direction, seed: str, until: float, only: str
) -> Iterator[tuple[str, Any]]:
    """Yield trials of every command until a moment, each command in turn."""
    clean = {
        arguments: forked.one(partial(run_trial, warm, Plan("clean", arguments, FOREVER, 0, False)))
        for arguments in COMMANDS[direction]
    }
    for arguments, value in clean.items():
        if value["problems"]:
            raise SystemExit(f"without trouble: {arguments}: {value['problems']}{value['detail']}")
    endless = {
        arguments: plans(seed, arguments, body["answers"]) for arguments, body in clean.items()
    }
    if only:
        for arguments, item in endless.items():
            if f":{'-'.join(arguments)}:" in only:
                plan = next(plan for plan in item if plan.seed == only)
                yield plan.seed, partial(run_trial, warm, plan)
        return
    while time.monotonic() < until:
        for arguments in COMMANDS[direction]:
            plan = next(endless[arguments])
            yield plan.seed, partial(run_trial, warm, plan)


def main(arguments: list[str]) -> int:
    """Run the fuzz; 0 only if everything held."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.answers")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long (20)")
    parser.add_argument("--seed", default="", help="of an earlier run; a fresh one is printed")
    parser.add_argument("--only", default="", help="the one trial of this name")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    seed = options.seed or str(random.SystemRandom().randrange(10**9))
    print(f"seed {seed}", flush=True)
    failed, codes = 0, Counter[int]()
    journal.IDLE_S = 0.01  # no trial waits for the end of the journal's thread
    warm = Warm()
    try:
        warm.provision()
        for direction in Direction:
            warm.bring_to(direction)
            until = time.monotonic() + options.seconds / len(Direction)
            every = work(warm, direction, seed, until, options.only)
            for name, answer in forked.many(every, options.workers):
                if isinstance(answer, forked.Lost):
                    failed += 1
                    print(f"FAILED {name}: did not end: {answer}", flush=True)
                    continue
                codes[answer["code"]] += 1
                if answer["problems"] or options.only:
                    failed += bool(answer["problems"])
                    print(f"FAILED {name}: exit {answer['code']}, {'; '.join(answer['problems'])}")
                    print("  " + "\n  ".join(answer["said"]))
                    print("  " + answer["detail"].replace("\n", "\n  "), flush=True)
    finally:
        warm.close()
    ended = ", ".join(f"exit {code}: {count}" for code, count in sorted(codes.items()))
    print(f"{codes.total()} commands ({ended}); {failed} failed; seed {seed}")
    return 1 if failed or not codes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
