"""The outage of a run: as a continuous probe measured it, or estimated from the steps. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from erfailover.model.durations import format_duration

COARSE_S = 10.0
"""Questions that were further apart do not measure the outage of a switch alone."""


@dataclass(frozen=True)
class Outage:
    """For how long something did not answer. Times are seconds since the command began.

    Attributes:
        measured: whether a probe measured it; otherwise it is estimated from the steps.
        what: the probe, or the spoke.
        known: whether anything can be said.
        longest_s, total_s: the longest time without an answer, and all of them.
        intervals: from when to when; None if it had not ended.
        description: in words, for people.
        probe: what the probe counted, as plain data; None if it is estimated from the steps.
    """

    measured: bool
    what: str
    known: bool
    longest_s: float | None
    total_s: float | None
    intervals: tuple[tuple[float, float | None], ...]
    description: str
    probe: Mapping[str, Any] | None = None

    @property
    def fine(self) -> bool:
        """Whether it is measured, by questions close enough to miss no outage worth telling."""
        if self.probe is None or not self.known:
            return False
        return bool(self.probe["widest_s"] <= max(COARSE_S, 5 * self.probe["every_s"]))

    def to_data(self) -> dict[str, Any]:
        """Return the same as plain data."""
        return {
            "how": "probe" if self.measured else "steps",
            "what": self.what,
            "longest_s": self.longest_s,
            "total_s": self.total_s,
            "intervals": [{"began_s": a, "ended_s": b} for a, b in self.intervals],
            "told": self.description,
            "probe": None if self.probe is None else dict(self.probe),
        }


def compute_from_steps(
    spoke: str, off_s: float, again_s: float | None, until: str, after_s: float
) -> Outage:
    """Return the outage of the spoke that was longest without a path, as the steps tell it.

    Args:
        spoke: its name.
        off_s: when it was taken off its path.
        again_s: when it had a path again; None if that was not seen.
        until: what was seen then, in words.
        after_s: when it was taken off its path, since the first write.
    """
    how = (
        "Estimated from the steps and the gateway's table; a probe with continuous: true "
        "measures it."
    )
    if again_s is None:
        text = (
            f"Outage: unknown. {spoke} was disconnected {format_duration(max(0.0, after_s))} "
            f"after the first write, and no path was seen after that. {how}"
        )
        return Outage(False, spoke, False, None, None, ((off_s, None),), text)
    gap_s = round(max(0.0, again_s - off_s), 1)
    text = (
        f"Outage: at most {format_duration(gap_s)} without a path (longest: {spoke}), from the "
        f"break until {until}. {how}"
    )
    return Outage(False, spoke, True, gap_s, gap_s, ((off_s, again_s),), text)


def compute_from_probes(counted: Iterable[Mapping[str, Any]]) -> tuple[Outage, ...]:
    """Return the outage, as each continuous probe measured it."""
    return tuple(_compute_from_probe(row) for row in counted)


def _compute_from_probe(probe: Mapping[str, Any]) -> Outage:
    name, what = str(probe["name"]), str(probe["what"])
    intervals = tuple((item["began_s"], item["ended_s"]) for item in probe["outages"])
    answered = probe["asked"] - probe["unknown"]
    value = answered > 0
    if not value:
        text = f"Outage by {name} ({what}): not measured: {probe['reason'] or 'it never ran'}"
        return Outage(True, name, False, None, None, (), text, probe)
    longest_s, total_s = probe["longest_s"], probe["total_s"]
    every = f"every {probe['every_s']:g} s"
    if probe["widest_s"] > 2 * probe["every_s"]:
        every = f"at most {format_duration(probe['widest_s'])} apart"
    counted = f"{what}, {every}: {probe['lost']} of {answered} lost"
    if not intervals:
        text = f"Outage (measured): none ({name}: {counted})."
    else:
        text = f"Outage (measured): {format_duration(longest_s)} ({name}: {counted})."
    if len(intervals) > 1:
        text += f" {len(intervals)} times, {format_duration(total_s)} in total."
    if probe["down_at_first"]:
        text += " It was already down before the first write; counted from then on."
    if probe["down_at_last"]:
        text += " It was STILL DOWN at the end."
    return Outage(True, name, True, longest_s, total_s, intervals, text, probe)
