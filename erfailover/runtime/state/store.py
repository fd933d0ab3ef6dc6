"""The interface of a store for a site's journal and lease.

Implemented by ``local`` (this machine), ``azure.blob_store`` (a storage account) and ``shared``
(the latter, with the former as its fallback).
"""

from __future__ import annotations

from typing import Protocol

from erfailover.model.lease import AcquiredLease, Holder, LeaseState


class Store(Protocol):
    """The journal and the lease of one site. Safe to use from several threads.

    Every method raises ``StateFailure`` if the store cannot be reached or used.
    """

    @property
    def name(self) -> str:
        """Where it is, for messages."""

    @property
    def renew_every_s(self) -> float:
        """How often a lease must be renewed, in wall seconds."""

    @property
    def relied_on_s(self) -> float:
        """How long after a renewal no other run can have the lease, in wall seconds."""

    @property
    def is_cheap(self) -> bool:
        """Whether ``renew`` takes no longer than a look at a file."""

    def read(self) -> bytes:
        """Return the whole journal; empty if there is none."""

    def append(self, lines: bytes) -> None:
        """Add whole lines to the journal; returns when they are kept."""

    def mend(self) -> tuple[str, ...]:
        """Set a damaged journal aside and continue with its records; return where it is kept.

        Nothing happens if it is not damaged, or cannot be replaced: then its records are read
        past the damage.
        """

    def keep_aside(self, lines: bytes) -> str:
        """Keep lines on this machine that the journal did not take; return where they are."""

    def acquire(self, holder: Holder, *, take_over: bool) -> AcquiredLease:
        """Take the lease.

        Raises:
            Refused: another run holds it; the message says who, since when, and what they do.
        """

    def look(self) -> LeaseState:
        """Return the state of the lease; nothing is acquired or written.

        Raises:
            Refused: what is kept of it cannot be understood.
        """

    def renew(self) -> None:
        """Make sure that the lease is still ours, and prolong it.

        Raises:
            LeaseLost: another run has it; the message says which.
            StateFailure: that cannot be known now.
        """

    def release(self) -> None:
        """Give the lease up; nothing happens if it is no longer ours."""

    def close(self) -> None:
        """Close every connection that was opened."""
