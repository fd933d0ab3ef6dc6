"""Run every area of hostile conditions and write the table of docs/reliability.md.

``python -m tests.tools.hostile --write-docs``. The campaign's runs are those of the campaign's
table on the same page, which ``scripts/fault-campaign --all --write-docs`` writes.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.tools.campaign import report
from tests.tools.hostile.areas import AREAS, Area

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- hostile conditions -->", "<!-- end of hostile conditions -->"
HEAD = (
    "| what happens | tests | campaign runs | fuzzed commands | failed |",
    "|---|--:|--:|--:|--:|",
)
NOT_FAILED_COLUMNS = 5
"""The columns of the campaign's table before the one that counts failures."""


@dataclass
class Count:
    """How many tries an area had, by kind, and how many of them failed."""

    tests: int = 0
    campaign: int = 0
    fuzzed: int = 0
    failed: int = 0


def count_tests(paths: tuple[str, ...]) -> tuple[int, int]:
    """Run tests; return how many ran, and how many failed."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "junit.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", f"--junitxml={file}"]
        done = subprocess.run([*command, *paths], cwd=ROOT, check=False)
        if done.returncode not in (0, 1):
            raise SystemExit(f"pytest ended with {done.returncode}: {' '.join(paths)}")
        suite = ElementTree.parse(file).getroot().find("testsuite")
    assert suite is not None
    number = {key: int(suite.attrib[key]) for key in ("tests", "failures", "errors", "skipped")}
    return number["tests"] - number["skipped"], number["failures"] + number["errors"]


def count_fuzzed(seconds: float) -> tuple[int, int]:
    """Run the fuzz of answers; return how many commands ran, and how many failed."""
    command = [sys.executable, "-m", "tests.tools.answers", "--seconds", str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
    match = re.match(r"(\d+) commands .*; (\d+) failed;", last)
    if match is None:
        raise SystemExit(f"the fuzz ended with {done.returncode}: {done.stdout}{done.stderr}")
    print(last, flush=True)
    return int(match[1]), int(match[2])


def count_campaign(text: str) -> dict[str, tuple[int, int]]:
    """Return the runs and failures of each row of the campaign's table."""
    table = text.partition(report.BEGIN)[2].partition(report.END)[0]
    rows = (line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| "))
    by_name = {}
    for cells in rows:
        if len(cells) > NOT_FAILED_COLUMNS and cells[1].isdecimal():
            passed, stopped, failed = map(int, cells[3:6])
            by_name[cells[0]] = (passed + stopped + failed, failed)
    return by_name


def count_area(area: Area, campaign: dict[str, tuple[int, int]]) -> Count:
    """Run an area's tests and fuzz, and add the campaign's runs."""
    count = Count()
    count.tests, count.failed = count_tests(area.tests)
    for trouble in area.troubles:
        runs, failed = campaign.get(str(trouble), (0, 0))
        count.campaign += runs
        count.failed += failed
    if area.seconds:
        count.fuzzed, failed = count_fuzzed(area.seconds)
        count.failed += failed
    return count


def main(arguments: list[str]) -> int:
    """Run everything; 0 only if nothing failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.hostile", description=__doc__)
    parser.add_argument("--write-docs", action="store_true", help="write the table")
    options = parser.parse_args(arguments)
    text = DOCUMENT.read_text("utf-8")
    campaign = count_campaign(text)
    lines, total = [*HEAD], Count()
    for area in AREAS:
        count = count_area(area, campaign)
        lines.append(_row(area.name, count))
        for key, value in vars(count).items():
            setattr(total, key, getattr(total, key) + value)
    lines.append(_row("**all**", total))
    table = "\n".join(lines)
    print(table)
    if options.write_docs:
        before, rest = text.split(BEGIN)
        after = rest.split(END)[1]
        DOCUMENT.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", "utf-8")
    return 1 if total.failed else 0


def _row(name: str, count: Count) -> str:
    cells = (name, *(str(value) if value else "-" for value in vars(count).values()))
    return f"| {' | '.join(cells[:-1])} | {count.failed} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
