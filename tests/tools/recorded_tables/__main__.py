"""``python -m tests.tools.recorded_tables``: the recorded tables of Azure's gateways beside BIRD's.

Builds the proof of concept on the Linux data plane, plays its story, and compares each recorded
table with what BIRD has in its own. Exit code 1 if one differs.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.tools.recorded_tables.mapping import MAPPING
from tests.tools.recorded_tables.story import Comparison, play

_COLUMNS = ("network", "origin", "next_hop", "source_peer", "as_path")


def main() -> int:
    """Print the mapping and every table; return the exit code."""
    print(f"How BIRD's output becomes the columns of Azure's tables:\n\n{MAPPING}")
    with tempfile.TemporaryDirectory() as folder:
        comparisons = play(Path(folder))
    for comparison in comparisons:
        _print(comparison)
    equal = sum(comparison.is_equal for comparison in comparisons)
    print(f"{equal} of {len(comparisons)} recorded tables are equal.")
    return 0 if equal == len(comparisons) else 1


def _print(comparison: Comparison) -> None:
    print(f"{comparison.name} ({comparison.gateway}):")
    for sign, rows in (("=", comparison.both), ("-", comparison.missing), ("+", comparison.more)):
        for row in sorted(rows, key=str):
            cells = (str(row.get(column) or "-") for column in _COLUMNS)
            print(f"  {sign} " + "  ".join(cell.ljust(14) for cell in cells).rstrip())
    for row in comparison.peers:
        print(f"  peer {row['neighbor']} AS {row['asn']}: {row['state']}, {row['routes_received']}")
    print()


if __name__ == "__main__":
    sys.exit(main())
