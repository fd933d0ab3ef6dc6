"""``python -m tests.tools.data_plane``: the tables of costs in docs/data-plane.md.

Usage: python -m tests.tools.data_plane [--spokes N,N] [--write-docs]
"""

from __future__ import annotations

import argparse
from contextlib import closing

from tests.tools.bench.worlds import Worlds
from tests.tools.data_plane.measuring import measure
from tests.tools.data_plane.table import BEGIN, END, FILE, format_table
from tests.tools.docs.shell import ROOT
from tests.tools.packet_outages.table import insert_between

SPOKES = "1,5,20,50"


def main() -> None:
    """Measure, and print the tables or write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spokes", default=SPOKES, help="how many spokes the worlds have")
    parser.add_argument("--write-docs", action="store_true", help=f"write the tables to {FILE}")
    arguments = parser.parse_args()
    costs = []
    with closing(Worlds()) as worlds:
        for spokes in map(int, arguments.spokes.split(",")):
            costs.append(measure(worlds, spokes))
            print(costs[-1], flush=True)
    text = format_table(costs)
    if arguments.write_docs:
        file = ROOT / FILE
        page = insert_between(file.read_text(encoding="utf-8"), BEGIN, END, text)
        file.write_text(page, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
