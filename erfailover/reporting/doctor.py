"""What ``doctor`` and ``permissions`` found, as text and as plain data. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from erfailover.model.conditions import ConditionStatus
from erfailover.model.site import Site
from erfailover.planning.doctor.check import Check, Group, compute_verdict
from erfailover.planning.doctor.permissions import BLOB_ROLE, RequiredPermission
from erfailover.reporting.marks import VERDICT_WORD
from erfailover.reporting.screen import WIDTH
from erfailover.reporting.words import format_subject, wrap

WORD = VERDICT_WORD | {ConditionStatus.FAILS: "FAIL"}
WARNING = "warning"
MARGIN = 11
MANY = 5
"""So many lines of one check with the same verdict are shown."""
Rows = Sequence[tuple[RequiredPermission, tuple[str, ...]]]


def format_text(site: Site, lines: Sequence[Check], width: int = WIDTH) -> str:
    """Return the lines for people, grouped; each that does not hold with its remedy."""
    parts = [_format_headline(site, lines)]
    for group in Group:
        checks = [line for line in lines if line.group is group]
        if checks:
            parts += ["", f"{group.value}:"]
            parts += [row for line in _limit_alike(checks) for row in _format_rows(line, width)]
    if any(line.verdict is ConditionStatus.UNKNOWN and not line.required for line in lines):
        parts += ["", "* a switch does not depend on it, and it does not change the exit code"]
    return "\n".join(parts)


def _limit_alike(lines: Iterable[Check]) -> Iterator[Check]:
    """Yield the lines; of many of one check with the same verdict, the first and how many more."""
    for _, same in groupby(lines, key=lambda line: (line.name, _get_word(line), line.required)):
        checks = list(same)
        rows = checks if len(checks) <= MANY + 1 else checks[:MANY]
        yield from rows
        if len(checks) > len(rows):
            more = f"{len(checks) - len(rows)} more like this (use -o json to list all)"
            yield replace(checks[-1], message=more, remedy="")


def _get_word(line: Check) -> str:
    """Return the word of a line's verdict."""
    return WARNING if line.verdict is ConditionStatus.FAILS and line.warning else WORD[line.verdict]


def _format_headline(site: Site, lines: Iterable[Check]) -> str:
    checks = list(lines)
    counts = Counter(map(_get_word, checks))
    order = (
        WORD[ConditionStatus.HOLDS],
        WORD[ConditionStatus.FAILS],
        WARNING,
        WORD[ConditionStatus.UNKNOWN],
    )
    text = ", ".join(f"{counts[name]} {name}" for name in order if counts[name])
    word = {
        ConditionStatus.HOLDS: "no problem found that would prevent a switch",
        ConditionStatus.FAILS: "NOT ready for a switch",
        ConditionStatus.UNKNOWN: "unknown whether a switch would work",
    }[compute_verdict(checks)]
    return f"{format_subject(site)}: {word} ({text})."


def _format_rows(line: Check, width: int) -> list[str]:
    mark = _get_word(line)
    if line.verdict is ConditionStatus.UNKNOWN and not line.required:
        mark = "unknown*"
    indent = " " * MARGIN
    rows = wrap(f"{line.name}: {line.message}", width, f"{mark:>{MARGIN - 2}}  ")
    return rows + wrap(line.remedy, width, f"{indent}-> ")


def build_data(site: Site, lines: Sequence[Check]) -> dict[str, Any]:
    """Return the lines as plain data; documented in ``docs/reference.md``."""
    return {
        "site": site.name,
        "verdict": WORD[compute_verdict(lines)],
        "checks": [
            {
                "name": str(line.name),
                "group": line.group.value,
                "verdict": _get_word(line),
                "required": line.required,
                "seen": line.message,
                "remedy": line.remedy or None,
            }
            for line in lines
        ],
    }


def format_rights(site: Site, rows: Rows) -> str:
    """Return the rights that a site needs, for people."""
    drawn = [f"Rights that {site.name} needs:", ""]
    for need, where in rows:
        drawn.append(f"{need.role:>8}  {need.action}")
        drawn.append(f"{'':10}on {need.on.value} ({len(where)}), for {', '.join(need.steps)}")
    more = (
        "\n\nerfailover permissions --role-definition read|switch prints a custom role with only "
        "these."
    )
    if site.state is not None:
        more += f"\nFor {site.state}: the built-in role {BLOB_ROLE} on the storage account."
    return "\n".join(drawn) + more


def build_rights_data(site: Site, rows: Rows) -> dict[str, Any]:
    """Return the same as plain data."""
    return {
        "site": site.name,
        "permissions": [
            {
                "action": need.action,
                "on": list(where),
                "needed_by": list(need.steps),
                "role": str(need.role),
            }
            for need, where in rows
        ],
        "store": None if site.state is None else {"location": site.state, "role": BLOB_ROLE},
    }
