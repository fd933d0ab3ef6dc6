"""``python -m tests.tools.packet_outages``: outages by packets, into docs/reliability.md.

Usage: python -m tests.tools.packet_outages [--draws N] [--seeds N,N] [--speed N] [--write-docs]
"""

from __future__ import annotations

import argparse
import os
import random
from contextlib import closing
from statistics import median

from tests.tools.docs.shell import ROOT
from tests.tools.packet_outages import chart
from tests.tools.packet_outages.measuring import Measurer
from tests.tools.packet_outages.rows import CASES, Row
from tests.tools.packet_outages.table import FILE, PICTURE, format_table, insert

DRAWS, LAST_SEED = 5, 999_999
SPEED = 2.0


def main() -> None:
    """Measure, and print the table or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=DRAWS, help="how many draws of durations")
    parser.add_argument("--seeds", help="these draws instead, by their seeds: N,N")
    parser.add_argument("--speed", type=float, default=SPEED, help="of the lab's clock")
    parser.add_argument("--write-docs", action="store_true", help=f"write table and {PICTURE}")
    arguments = parser.parse_args()
    seeds = (
        [int(seed) for seed in arguments.seeds.split(",")]
        if arguments.seeds
        else sorted(random.sample(range(1, LAST_SEED + 1), arguments.draws))
    )
    named = ",".join(map(str, seeds))
    print(f"seeds: {named}; --seeds repeats them", flush=True)
    rows, loads = list[Row](), list[float]()
    with closing(Measurer(arguments.speed)) as measurer:
        for case in CASES:
            for seed in seeds:
                rows.append(measurer.measure(case, seed))
                loads.append(os.getloadavg()[0])
                print(rows[-1], flush=True)
    text = format_table(rows) + (
        f"\nThe lab's clock ran {arguments.speed:g} times faster than real time, on "
        f"{os.cpu_count()} cores with a load of {median(loads):.0f}. "
        f"Seeds: {named.replace(',', ', ')}.\n"
    )
    if arguments.write_docs:
        file = ROOT / FILE
        file.write_text(insert(file.read_text(encoding="utf-8"), text), encoding="utf-8")
        (ROOT / PICTURE).write_text(chart.draw(rows), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
