"""Run modelled hours of the detector: ``python -m tests.tools.detector_hours --hours 1000``.

Exits 0 only if no switch was wrong or forbidden, and no failure was missed.
"""

from __future__ import annotations

import argparse
import sys
from random import SystemRandom

from tests.tools.detector_hours.simulation import Outcome, run_hours

SHOWN = 10


def format_summary(seed: int, outcome: Outcome) -> str:
    """The summary, with the seed that repeats it."""
    lines = [
        f"{outcome.hours:.0f} modelled hours, {outcome.readings} readings, seed {seed}",
        f"failures of the primary: {outcome.failures}, "
        f"{outcome.long_failures} of them longer than 3 min",
        f"switches: {outcome.switches}, back: {outcome.failbacks}, lockouts: {outcome.lockouts}",
        f"longest wait for a switch that was possible: {outcome.longest_wait_s:.0f} s",
        f"wrong switches: {len(outcome.wrong)}",
        f"forbidden switches: {len(outcome.forbidden)}",
        f"missed failures: {len(outcome.missed)}",
    ]
    problems = [*outcome.wrong, *outcome.forbidden, *outcome.missed]
    return "\n".join([*lines, *(f"  {problem}" for problem in problems[:SHOWN])])


def main(arguments: list[str]) -> int:
    """Run the hours, print the summary, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.detector_hours")
    parser.add_argument("--hours", type=float, default=1000.0, help="modelled hours (1000)")
    parser.add_argument("--seed", type=int, help="repeat this one; a new one by default")
    options = parser.parse_args(arguments)
    seed = SystemRandom().randrange(10**9) if options.seed is None else options.seed
    outcome = run_hours(seed, options.hours)
    print(format_summary(seed, outcome))
    return 0 if outcome.is_clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
