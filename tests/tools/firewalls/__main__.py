"""``python -m tests.tools.firewalls``: the table of interruptions in docs/procedure.md.

Usage: python -m tests.tools.firewalls [--seeds N] [--write-docs]
"""

from __future__ import annotations

import argparse

from tests.tools.docs.shell import ROOT
from tests.tools.firewalls.measuring import MODES, Measured, Measurer
from tests.tools.firewalls.table import FILE, insert, render

SEEDS = 5


def main() -> None:
    """Measure, and print the table or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many draws of durations")
    parser.add_argument("--write-docs", action="store_true", help=f"write the table to {FILE}")
    arguments = parser.parse_args()
    measurer, rows = Measurer(), list[Measured]()
    for mode in MODES:
        for seed in range(1, arguments.seeds + 1):
            for planned in (False, True):
                rows += measurer.measure(mode, seed, planned=planned)
            print(mode, seed, flush=True)
    measurer.close()
    text = render(rows)
    if arguments.write_docs:
        file = ROOT / FILE
        file.write_text(insert(file.read_text(encoding="utf-8"), text), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
