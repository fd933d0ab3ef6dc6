"""What a site's state is kept in: one interface, and a backend for each place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from erfailover.lease import Holder, LeaseRecord, Standing


@dataclass(frozen=True, slots=True)
class Taken:
    """How a lease was come by.

    Attributes:
        record: the lease, now ours.
        standing: what it was found to be.
        previous: whose lease was taken over; None where it was free.
        where: the store that holds it.
    """

    record: LeaseRecord
    standing: Standing
    previous: LeaseRecord | None
    where: str


@dataclass(frozen=True, slots=True)
class Held:
    """How a lease stands, looked at without taking it.

    Attributes:
        record: whose it is or was; None where it is free, or its holder did not say.
    """

    standing: Standing
    record: LeaseRecord | None = None


class Store(Protocol):
    """The journal and the lease of one site. Safe to use from several threads.

    Every method raises ``StateFailure`` where the store cannot be reached or used.
    """

    @property
    def name(self) -> str:
        """Where it is, for messages."""

    @property
    def renew_every_s(self) -> float:
        """How often a lease is to be renewed, in wall seconds."""

    @property
    def relied_on_s(self) -> float:
        """How long after a renewal nobody else can have the lease, in wall seconds.

        Zero where ``renew`` itself can always tell.
        """

    def read(self) -> bytes:
        """The whole journal; empty where there is none."""

    def append(self, lines: bytes) -> None:
        """Add whole lines to the journal; returns when they are kept."""

    def acquire(self, holder: Holder, *, take_over: bool) -> Taken:
        """Take the lease.

        Raises:
            Refused: somebody else holds it; the message says who, since when, and what they do.
        """

    def look(self) -> Held:
        """How the lease stands; nothing is taken or written.

        Raises:
            Refused: what is kept of it cannot be understood.
        """

    def renew(self) -> None:
        """Make sure that the lease is still ours, and prolong it.

        Raises:
            Refused: somebody else has it, or nobody; the message says who.
        """

    def release(self) -> None:
        """Give the lease up; nothing happens where it is no longer ours."""

    def close(self) -> None:
        """Close every connection that was opened."""
