"""The results of probes, as text and as plain data. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from erfailover.model.conditions import ConditionStatus
from erfailover.model.counting import format_count
from erfailover.model.durations import format_duration
from erfailover.planning.probes.results import ProbeResult
from erfailover.reporting.marks import VERDICT_WORD, format_verdict
from erfailover.reporting.screen import PLAIN, Screen
from erfailover.reporting.tables import format_table


def build_data(results: Sequence[ProbeResult]) -> list[dict[str, Any]]:
    """Probe results as plain data."""
    return [{**asdict(result), "as_expected": result.as_expected} for result in results]


def format_line(probe: Mapping[str, Any]) -> str:
    """One probe's result, as plain data, in one line for people."""
    message = f" ({probe['seen']})" if probe.get("seen") and not probe["as_expected"] else ""
    return format_verdict(
        _compute_verdict(probe["up"], probe["as_expected"]),
        f"{probe['name']}: {probe['check']}: expected {_format_up(probe['expected'])}, "
        f"is {_format_up(probe['up'])}{message}",
    )


def format_text(results: Sequence[ProbeResult], screen: Screen = PLAIN) -> str:
    """Probe results for people: a table, then the output of each unexpected result."""
    rows = [
        (
            VERDICT_WORD[_compute_verdict(result.up, result.as_expected)],
            result.name,
            _shorten(result.what),
            result.where,
            _format_up(result.expected),
            _format_up(result.up),
            "-" if result.took_s is None else _format_elapsed(result.took_s),
        )
        for result in results
    ]
    headings = ("", "probe", "what", "from", "expected", "seen", "took")
    lines = [format_table("", headings, rows, screen, ("probe", "what", "from")).lstrip("\n")]
    for probe_result in results:
        if not probe_result.as_expected:
            verdict = _compute_verdict(probe_result.up, probe_result.as_expected)
            lines += [
                "",
                format_verdict(verdict, f"{probe_result.name}: {probe_result.seen}"),
            ]
            lines += [
                f"           | {part}" for part in probe_result.output.splitlines() if part.strip()
            ]
    right = sum(result.as_expected for result in results)
    lines += ["", f"{right} of {format_count(len(results), 'probe')} as expected."]
    return "\n".join(lines)


def _compute_verdict(up: bool | None, as_expected: bool) -> ConditionStatus:
    if up is None:
        return ConditionStatus.UNKNOWN
    return ConditionStatus.HOLDS if as_expected else ConditionStatus.FAILS


def _shorten(what: str, most: int = 36) -> str:
    return what if len(what) <= most else f"{what[: most - 3].rstrip()}..."


def _format_elapsed(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else format_duration(seconds)


def _format_up(up: bool | None) -> str:
    return {True: "up", False: "down", None: "unknown"}[up]
