"""What one switch came to: its outage by packets, by the model, and by the report. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of switch: with or without prestaging, off a path that works or has failed."""

    prestaged: bool
    planned: bool

    def __str__(self) -> str:
        """Return the name of the case, as the table and the picture have it."""
        way = "prestaged" if self.prestaged else "cold"
        return f"{'planned' if self.planned else 'unplanned'}, {way}"


CASES = (Case(False, True), Case(True, True), Case(False, False), Case(True, False))


@dataclass(frozen=True, slots=True)
class Row:
    """One switch with one draw of durations. Seconds are modelled.

    Attributes:
        packets_s: by packets: of a planned switch from the last reply before until the first one
            after, otherwise from the start of the command.
        lost: packets without a reply, in all.
        model_s: the same on the model, at every change of its world.
        report_s: the outage in the report of the switch, on the Linux data plane.
    """

    case: Case
    seed: int
    packets_s: float
    lost: int
    model_s: float
    report_s: float

    @property
    def difference_s(self) -> float:
        """By how much packets saw a longer outage than the model."""
        return self.packets_s - self.model_s


def iter_cases(rows: Sequence[Row]) -> Iterator[tuple[Case, list[Row]]]:
    """Yield each case that was measured with its rows, by seed."""
    for case in CASES:
        chosen = sorted((row for row in rows if row.case == case), key=lambda row: row.seed)
        if chosen:
            yield case, chosen
