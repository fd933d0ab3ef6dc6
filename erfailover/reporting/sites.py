"""What ``sites`` says: one line for each site file of a folder. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from erfailover.model.conditions import ConditionStatus
from erfailover.model.history import RunRecord
from erfailover.model.site import Path
from erfailover.planning.health import HEALTHY, Health
from erfailover.reporting.marks import SHORT_HEALTH_WORD
from erfailover.reporting.run.history import Alive, describe_outcome
from erfailover.reporting.status.headline import format_headline
from erfailover.reporting.words import format_path

READY = {
    ConditionStatus.HOLDS: "ready",
    ConditionStatus.FAILS: "NOT ready",
    ConditionStatus.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True)
class SiteLine:
    """What is known of one site.

    Attributes:
        file: the name of its site file.
        site: its name; None if the file cannot be read.
        exit_code: what a status of it alone would exit with.
        health: the verdict; None if there is none.
        drill: whether a drill is known to run.
        last_run: the last run that may have written; None if there is none, or it is not known.
        problem: why there is no verdict, why it is unknown, or why the last run is not known.
    """

    file: str
    site: str | None
    exit_code: int
    health: Health | None = None
    drill: bool = False
    last_run: RunRecord | None = None
    problem: str | None = None


def format_text(lines: Sequence[SiteLine], alive: Alive, width: int | None = None) -> str:
    """Return the sites as a table of one line each.

    Args:
        lines: the sites.
        alive: tells whether the process of a run lives.
        width: after how many columns a line is cut; None for never.
    """
    heading = ("SITE", "VERDICT", "BACKUP", "LAST RUN")
    rows = [_format_row(site_line, alive) for site_line in lines]
    whole = [row for row in rows if len(row) == len(heading)]
    widths = [max(len(row[number]) for row in [heading, *whole]) for number in range(len(heading))]
    widths[0] = max(widths[0], *(len(row[0]) for row in rows))
    items = []
    for row in [heading, *rows]:
        padded = [f"{cell:<{wide}}" for cell, wide in zip(row[:-1], widths, strict=False)]
        line = "  ".join([*padded, row[-1]])
        items.append(line if width is None or len(line) <= width else f"{line[: width - 3]}...")
    return "\n".join(items)


def build_data(lines: Sequence[SiteLine], alive: Alive) -> list[dict[str, Any]]:
    """Return the sites as plain data."""
    return [_build_site_data(line, alive) for line in lines]


def _format_row(line: SiteLine, alive: Alive) -> tuple[str, ...]:
    name = line.site or line.file
    if line.health is None:
        return name, line.problem or "unknown"
    if line.health.healthy is None and line.problem:
        return name, f"{_format_verdict(line.health)}: {line.problem}"
    run = line.last_run
    message = "none recorded"
    if run is not None:
        message = f"{describe_outcome(run, alive)} {run.began[:16].replace('T', ' ')} {run.typed}"
    elif line.problem:
        message = f"unknown: {line.problem}"
    drill = "DRILL: " if line.drill else ""
    return name, f"{drill}{_format_verdict(line.health)}", _format_backup(line.health), message


def _format_verdict(health: Health) -> str:
    """Return the verdict in a few words: ``ExpressRoute, healthy``."""
    if health.path == "none":
        return "on NO path"
    if health.path == "unknown":
        return "path unknown"
    where = "on both paths" if health.path == "mixed" else format_path(health.path)
    return f"{where}, {SHORT_HEALTH_WORD[health.healthy]}"


def _format_backup(health: Health) -> str:
    """Return whether the backup could take over; the site may be on it."""
    if health.path == Path.IPSEC:
        return "in use"
    if health.other is not Path.IPSEC or health.ready is None:
        return "unknown"
    return READY[health.ready]


def _build_site_data(line: SiteLine, alive: Alive) -> dict[str, Any]:
    health, run = line.health, line.last_run
    ready = health.ready if health is not None else None
    return {
        "file": line.file,
        "site": line.site,
        "exit_code": line.exit_code,
        "verdict": None if health is None else format_headline(health, drill=line.drill),
        "path": None if health is None else health.path,
        "healthy": None if health is None else health.healthy,
        "ready": None if ready is None else HEALTHY[ready],
        "backup": None if health is None else _format_backup(health),
        "last_run": None
        if run is None
        else {
            "run": run.id,
            "command": run.typed,
            "began": run.began,
            "outcome": describe_outcome(run, alive),
            "ticket": run.ticket,
        },
        "problem": line.problem,
    }
