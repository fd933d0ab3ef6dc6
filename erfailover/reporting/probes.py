"""What connectivity checks came to, as text and as plain data. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from erfailover.probes import ProbeResult


def data(results: Sequence[ProbeResult]) -> list[dict[str, Any]]:
    """Probe results as plain data."""
    return [{**asdict(each), "as_expected": each.as_expected} for each in results]


def line(probe: Mapping[str, Any]) -> str:
    """One probe's result, as plain data, in one line for people."""
    mark = "ok" if probe["as_expected"] else "FAILS"
    return (
        f"{mark:>7}  {probe['name']}: {probe['check']}: expected {_up(probe['expected'])}, "
        f"is {_up(probe['up'])}"
    )


def text(results: Sequence[ProbeResult]) -> str:
    """Probe results for people: the verdict, then what came back."""
    lines = []
    for each in data(results):
        lines.append(line(each))
        lines += [f"           | {part}" for part in each["output"].splitlines() if part.strip()]
    return "\n".join(lines)


def _up(up: bool | None) -> str:
    return {True: "up", False: "down", None: "unknown"}[up]
