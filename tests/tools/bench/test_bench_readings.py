"""The simulation of overlapping readings, and what the documentation says it prints."""

from __future__ import annotations

import re
from itertools import pairwise, repeat
from pathlib import Path
from statistics import mean

from tests.tools.bench.readings import SETS, WAYS, Way, draw_durations, simulate


def test_a_reading_that_ended_too_early_is_made_again() -> None:
    alone = Way((5.0,), 1.0, 1.0)
    assert simulate(alone, repeat(5.5)) == (2, 1.0)  # ended at 0.5
    assert simulate(alone, iter([4.0, 2.0])) == (5, 3.0)  # at -1, then from 1 to 3


def test_the_table_in_the_documentation_is_what_the_simulation_gives() -> None:
    text = Path("docs/performance.md").read_text()
    rows = re.findall(r"^\| (\d+)(?: \(chosen\))? \| (\d+\.\d) s \|$", text, re.MULTILINE)
    results = []
    for way in WAYS:
        runs = [simulate(way, draw_durations(seed)) for seed in range(SETS)]
        results.append((mean(run[0] for run in runs), mean(run[1] for run in runs)))
    assert [(f"{requests:.0f}", f"{delay_s:.1f}") for requests, delay_s in results] == rows
    assert all(one[0] < next_[0] and one[1] > next_[1] for one, next_ in pairwise(results))
