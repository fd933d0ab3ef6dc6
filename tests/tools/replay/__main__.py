"""Replays facts or recordings and prints how far the lab agrees with them.

Usage: python -m tests.tools.replay [-v] [--keep] [PATH ...]

Without a path every file of facts in the repository is replayed. A path is a file of facts, or
a recording (``.jsonl``, a VCR cassette, a .NET session record), which is converted on the fly.
``-v`` prints each disagreement. ``--docs FILE`` rewrites the conformance block of a document.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import tempfile
from pathlib import Path

from tests.tools.replay import facts as kept
from tests.tools.replay import recording, report
from tests.tools.replay.compare import Outcome, compare
from tests.tools.replay.convert import convert
from tests.tools.replay.facts import Facts
from tests.tools.replay.player import lab_of, play


def load(path: Path, fallback: dt.date) -> Facts:
    """Facts from a file of facts, or from a recording."""
    text = path.read_text("utf-8").removeprefix("\ufeff")
    if path.suffix == ".json" and "steps" in json.loads(text):
        return kept.read(path)
    return convert(path.stem, recording.read(path), {"path": path.name}, fallback)


def replay(facts: Facts, directory: Path | None = None) -> Outcome:
    """Replay facts to a lab of their own."""
    with lab_of(facts, directory) as player:
        answers = play(facts, player)
        return compare(facts, answers, player)


def main(arguments: list[str]) -> int:
    """Replay; 1 where a status, a code or a set of headers disagrees."""
    parser = argparse.ArgumentParser(prog="scripts/replay", description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--docs", type=Path)
    parser.add_argument("--date", type=dt.date.fromisoformat, default=dt.date.today())
    namespace = parser.parse_args(arguments)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="erfailover-replay-") as folder:
        for path in namespace.paths or kept.every():
            outcome = replay(load(path, namespace.date), Path(folder))
            outcomes.append(outcome)
            print(report.line(outcome), flush=True)
            if namespace.verbose:
                print("\n".join(report.details(outcome)), flush=True)
    print(report.total(outcomes))
    if namespace.docs is not None:
        report.rewrite(namespace.docs, outcomes)
    return int(any(report.breaks(item) for item in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
