"""The incident runbook has a row for every verdict that ``status`` can print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.site import Path
from erfailover.planning.health import Health, SpokeHealth
from erfailover.reporting.status.headline import format_headline
from tests.tools.docs.shell import ROOT

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text("utf-8")
HEALTHY = (True, False, None)
LINES_BELOW = "INCOMPLETE: ..."
"""A row about the lines below the first one."""


def rows() -> list[str]:
    """Return the texts of the first column of the table of verdicts."""
    table = RUNBOOK.partition("| the verdict says")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    return [text for cell in cells for text in re.findall(r"`([^`]+)`", cell)]


def to_pattern(row: str) -> re.Pattern[str]:
    """Return what a row stands for: dots for any words, numbers and names for any others."""
    text = re.escape(row).replace(re.escape("..."), ".*")
    text = text.replace(r"\ are\ ", r"\ (is|are)\ ")
    text = re.sub(r"vnet\\-\w+(,\\ vnet\\-\w+)*", r"[\\w, -]+", text)
    return re.compile(re.sub(r"\d+", r"\\d+", text))


def condition(verdict: ConditionStatus) -> Condition:
    return Condition("ready", verdict, "seen")


def verdicts() -> Iterator[str]:
    """Yield the first line of every kind of status."""
    spokes = [
        SpokeHealth(name, path, healthy, ())
        for name, path, healthy in product("abcde", ("expressroute", "ipsec"), HEALTHY)
    ]
    lost = [SpokeHealth("f", path, None, ()) for path in ("none", "unknown")]
    groups: list[tuple[SpokeHealth, ...]] = [(spoke,) for spoke in (*spokes[:6], *lost)]
    groups += [(*spokes[:1], spoke) for spoke in (*spokes[6:12], *lost)]
    for group, drill in product(groups, (False, True)):
        on = {spoke.path for spoke in group} & {"expressroute", "ipsec"}
        others = [path for path in Path if len(on) == 1 and path not in on]
        for ready in ConditionStatus:
            other = others[0] if others else None
            left_out: dict[str, Condition] = (
                {group[-1].name: condition(ConditionStatus.FAILS)} if len(group) > 1 else {}
            )
            for conditions in ({}, left_out):
                health = Health(
                    "mixed",
                    None,
                    group,
                    ready,
                    (condition(ready),),
                    other=other,
                    left_out=conditions,
                )
                yield format_headline(health, drill=drill)


def test_every_verdict_has_a_row() -> None:
    patterns = [to_pattern(row) for row in rows() if not row.startswith("DRILL")]
    every = set(verdicts())
    assert len(every) > 40
    missing = [line for line in every if not any(pattern.search(line) for pattern in patterns)]
    assert not missing


def test_every_row_is_of_a_verdict() -> None:
    every = set(verdicts())
    unused = [row for row in rows() if not any(to_pattern(row).search(line) for line in every)]
    assert unused == [LINES_BELOW]
