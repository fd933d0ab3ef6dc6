"""What connectivity checks came to, as text and as plain data. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from erfailover.model.claims import Verdict
from erfailover.model.counting import counted
from erfailover.model.durations import duration
from erfailover.planning.probes.results import ProbeResult
from erfailover.reporting.marks import VERDICT_WORD, verdict_line
from erfailover.reporting.screen import PLAIN, Screen
from erfailover.reporting.tables import table


def data(results: Sequence[ProbeResult]) -> list[dict[str, Any]]:
    """Probe results as plain data."""
    return [{**asdict(each), "as_expected": each.as_expected} for each in results]


def line(probe: Mapping[str, Any]) -> str:
    """One probe's result, as plain data, in one line for people."""
    seen = f" ({probe['seen']})" if probe.get("seen") and not probe["as_expected"] else ""
    return verdict_line(
        _verdict(probe["up"], probe["as_expected"]),
        f"{probe['name']}: {probe['check']}: expected {_up(probe['expected'])}, "
        f"is {_up(probe['up'])}{seen}",
    )


def text(results: Sequence[ProbeResult], screen: Screen = PLAIN) -> str:
    """Probe results for people: a table, then what came back if it was not as expected."""
    rows = [
        (
            VERDICT_WORD[_verdict(each.up, each.as_expected)],
            each.name,
            _shortened(each.what),
            each.where,
            _up(each.expected),
            _up(each.up),
            "-" if each.took_s is None else _took(each.took_s),
        )
        for each in results
    ]
    headings = ("", "probe", "what", "from", "expected", "seen", "took")
    lines = [table("", headings, rows, screen, ("probe", "what", "from")).lstrip("\n")]
    for each in results:
        if not each.as_expected:
            verdict = _verdict(each.up, each.as_expected)
            lines += ["", verdict_line(verdict, f"{each.name}: {each.seen}")]
            lines += [f"           | {part}" for part in each.output.splitlines() if part.strip()]
    right = sum(each.as_expected for each in results)
    lines += ["", f"{right} of {counted(len(results), 'probe')} as expected."]
    return "\n".join(lines)


def _verdict(up: bool | None, as_expected: bool) -> Verdict:
    if up is None:
        return Verdict.UNKNOWN
    return Verdict.HOLDS if as_expected else Verdict.FAILS


def _shortened(what: str, most: int = 36) -> str:
    return what if len(what) <= most else f"{what[: most - 3].rstrip()}..."


def _took(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else duration(seconds)


def _up(up: bool | None) -> str:
    return {True: "up", False: "down", None: "unknown"}[up]
