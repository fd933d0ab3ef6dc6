"""The documentation's table of what is modelled: its column of agreement figures.

The other columns are written by hand; this one by ``scripts/replay --docs``.
"""

from __future__ import annotations

import re
from collections import Counter

from tests.tools.replay.compare import Outcome

HEAD = "| type or action | modelled | not modelled | rests on |"


def fill_agreement_column(text: str, outcomes: list[Outcome]) -> str:
    """A document with the column filled in, row by row of the table below ``HEAD``."""
    sums = agreement(outcomes)
    lines, inside = [], False
    for line in text.splitlines():
        if line.startswith(HEAD):
            inside = True
            line = f"{HEAD} agreement with recordings |"
        elif inside and line.startswith("|---"):
            line = "|---" * 5 + "|"
        elif inside and line.startswith("|"):
            cells = re.split(r"(?<!\\)\|", line)[1:5]
            line = f"|{'|'.join(cells)}| {_share(_names(cells[0]), sums)} |"
        else:
            inside = False
        lines.append(line)
    return "\n".join(lines) + "\n"


def agreement(outcomes: list[Outcome]) -> dict[str, Counter[str]]:
    """Agreed and looked at, by type or action in plain form; lists count with their type."""
    sums: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        for type_, row in outcome.by_type.items():
            sums.setdefault(_plain(type_), Counter()).update(row)
    return sums


def _plain(name: str) -> str:
    """``Microsoft.Network/virtualNetworks:reset`` and its like as ``virtualnetworks/reset``."""
    bare = name.lower().removesuffix(" [list]").replace(":", "/")
    return re.sub(r"^microsoft\.[a-z]+/", "", bare)


def _names(cell: str) -> list[str]:
    """What the first column names; an action alone belongs to the type before it."""
    lines: list[str] = []
    for name in map(_plain, re.findall(r"`([^`]+)`", cell)):
        alone = "/" not in name and lines and "/" in lines[0]
        lines.append(f"{lines[0].rpartition('/')[0]}/{name}" if alone else name)
    return lines


def _share(names: list[str], sums: dict[str, Counter[str]]) -> str:
    rows = [sums[name] for name in names if name in sums]
    if not rows:
        return "no recording"
    agreed, looked = (sum(row[key] for row in rows) for key in ("agreed", "looked"))
    return f"{100 * agreed / looked:.2f} % of {looked}"
