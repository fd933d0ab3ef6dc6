"""How far a run is and what is left of it, at one moment: values only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from erfailover.model.tasks import State


@dataclass(frozen=True, slots=True)
class RunState:
    """The states of the tasks of a run. All times are in seconds of the clock.

    Attributes:
        elapsed_s: since the run began.
        ended: how each task ended that has ended, by its id.
        in_flight: since when each task is in flight, as seconds, by its id.
    """

    elapsed_s: float
    ended: Mapping[str, State]
    in_flight: Mapping[str, float]

    @property
    def longest_s(self) -> float:
        """How long the task is in flight that was started first; 0 if none is."""
        return max(self.in_flight.values(), default=0.0)


@dataclass(frozen=True, slots=True)
class SpokeCounts:
    """How many spokes of a run are how far.

    Attributes:
        moved: have their path on the target; None if the run moves none.
        prepared: have all that is written before the break, and are not moved yet.
        failed: are not moved, and a step of theirs failed or was not started.
    """

    moved: int | None
    prepared: int
    failed: int
    total: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """How far a run is, and how long the rest usually takes.

    Attributes:
        spokes: None if the run is not about spokes.
        batch: the number of the batch that is being moved, and of how many; None without any.
        moved_s: until the last spoke is moved; None if none is left to be moved.
        done_s: until all is done; None if that is not known.
    """

    spokes: SpokeCounts | None
    batch: tuple[int, int] | None
    moved_s: float | None
    done_s: float | None


Foresee = Callable[[RunState], Outlook]
"""Returns what is left of a run, given the states of its tasks."""
