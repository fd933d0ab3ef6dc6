"""Decide which writes a run may send, given what it last heard from the store of its lease. Pure.

The lease keeps two runs from writing to a site at the same time. The store that keeps it may fall
silent in the middle of a switch, and it may be the switch itself that cut it off. These rules say
what may still be sent then:

a. No spoke is taken off its path before the store has confirmed a record of the run, its direction
   and its spokes.
b. Any other write is sent only within ``relied_on_s`` of *sending* the last renewal that the store
   confirmed. The time is taken from a clock that counts suspended time.
c. While a spoke has no path and is owed one, the make of the recorded direction may be sent for
   ``step_deadline_s`` after that renewal. It may be rolled back only within (b).
d. Whoever acquires the lease completes the recorded spokes in the recorded direction at once, and
   makes sure of it until nothing that the lost holder has sent can arrive any more. It moves them
   in the other direction only ``compute_reversal_delay_s`` later.

In all of them the holder stops by itself, by its own clock, without being contacted. The clocks of
two machines need not agree, only run at rates that differ by at most ``DRIFT`` from the true one.
``tests/unit/model/test_fencing_model_check.py`` plays every interleaving of two runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

ACCEPTED_LATE_S = 60.0
"""How long after it was sent Azure may still accept a write, in seconds (assumed: the time after
which the client gives an answer up)."""

DRIFT = 0.01
"""By how much the rate of a machine's clock may be off."""


class Write(Enum):
    """What a write is for."""

    BREAK = "takes a spoke off its path"
    MAKE = "puts a spoke that was taken off its path on the path that was recorded"
    OTHER = "anything else, the rollback of a break included"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a run knows of its lease.

    Attributes:
        confirmed_s: when the last renewal that the store confirmed was sent, in seconds of a clock
            that counts suspended time.
        recorded: whether the store has confirmed the record that rule (a) asks for.
        lost: whether another run holds the lease.
    """

    confirmed_s: float
    recorded: bool = False
    lost: bool = False


def may_send(
    write: Write, grant: Grant, now_s: float, relied_on_s: float, step_deadline_s: float
) -> bool:
    """Return whether a write may be sent now.

    Args:
        write: what it is for.
        grant: what is known of the lease.
        now_s: the time, by the clock of ``grant.confirmed_s``.
        relied_on_s: for how long after a renewal no other run can have the lease.
        step_deadline_s: for how long a path that is owed is restored.
    """
    if grant.lost:
        return False
    age_s = now_s - grant.confirmed_s
    if write is Write.MAKE and grant.recorded:
        return age_s < max(relied_on_s, step_deadline_s)
    if write is Write.BREAK and not grant.recorded:
        return False
    return age_s < relied_on_s


def compute_arrival_limit_s(relied_on_s: float) -> float:
    """Return until when a write of rule (b) by the lost holder may be accepted, in seconds.

    Counted by the clock of the run that acquired the lease, from the moment it did. Until then it
    makes sure that what it made has not been undone.
    """
    return _allow_for_drift(relied_on_s) + ACCEPTED_LATE_S * (1 + DRIFT)


def compute_reversal_delay_s(step_deadline_s: float) -> float:
    """Return how long a recorded spoke is not moved in the other direction, in seconds.

    Counted by the clock of the run that acquired the lease, from the moment it did: the lost
    holder can have had no confirmation after that. It is ``step_deadline_s`` and
    ``ACCEPTED_LATE_S``, and what the rates of two clocks make of them.
    """
    return _allow_for_drift(step_deadline_s) + ACCEPTED_LATE_S * (1 + DRIFT)


def _allow_for_drift(seconds: float) -> float:
    """Return how long to wait until another machine's clock has surely counted some seconds."""
    return seconds * (1 + DRIFT) / (1 - DRIFT)
