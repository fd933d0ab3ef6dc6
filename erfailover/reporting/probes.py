"""What connectivity checks came to, as text and as plain data. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from erfailover.probes import ProbeResult


def data(results: Sequence[ProbeResult]) -> list[dict[str, Any]]:
    """Probe results as plain data."""
    return [{**asdict(each), "as_expected": each.as_expected} for each in results]


def text(results: Sequence[ProbeResult], *, brief: bool = False) -> str:
    """Probe results for people: the verdict, then what came back.

    ``brief`` leaves out what came back where it was as expected.
    """
    lines = []
    for each in results:
        mark = "ok" if each.as_expected else "FAILS"
        lines.append(
            f"{mark:>7}  {each.name}: {each.check}: expected {_up(each.expected)}, "
            f"is {_up(each.up)}"
        )
        if not (brief and each.as_expected):
            lines += [f"           | {line}" for line in each.output.splitlines() if line.strip()]
    return "\n".join(lines)


def _up(up: bool | None) -> str:
    return {True: "up", False: "down", None: "unknown"}[up]
