"""Pause and approval as the documents of ``runtime.state.documents`` hold them: JSON. Pure.

Loads pydantic only when a document is read or written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from erfailover.model.lease import LAST_TIME
from erfailover.model.watch import Approval, Pause

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PauseRecord:
    """What is recorded of pauses. Moments are seconds since 1970, as in ``model.watch``.

    Attributes:
        pause: the last one, over or not; None after ``erfailover resume``.
        resumed_at: when ``erfailover resume`` was last used; None if never.
        resumed_by: who used it.
        resume_reason: why, in the operator's words.
    """

    pause: Pause | None = None
    resumed_at: float | None = None
    resumed_by: str = ""
    resume_reason: str = ""

    def find_pause(self, now: float) -> Pause | None:
        """Return the pause that applies at a moment; None if none does."""
        return None if self.pause is None or self.pause.is_over(now) else self.pause


def format_pause_record(record: PauseRecord) -> bytes:
    """Return a record of pauses as JSON."""
    return _format(PauseRecord, record)


def parse_pause_record(data: bytes) -> PauseRecord:
    """Return the record of pauses in a JSON text; raises ``ValueError`` if it is none."""
    record = _parse(PauseRecord, data)
    pause = record.pause
    _insist_on_moments(record.resumed_at, *((pause.since, pause.until) if pause else ()))
    return record


def format_approval(approval: Approval) -> bytes:
    """Return an approval as JSON."""
    return _format(Approval, approval)


def parse_approval(data: bytes) -> Approval:
    """Return the approval in a JSON text; raises ``ValueError`` if it is none."""
    approval = _parse(Approval, data)
    _insist_on_moments(approval.created, approval.expires, approval.approved_at)
    return approval


def _format(kind: type[T], value: T) -> bytes:
    from pydantic import TypeAdapter  # takes a tenth of a second

    return TypeAdapter(kind).dump_json(value, indent=2)


def _parse(kind: type[T], data: bytes) -> T:
    from pydantic import TypeAdapter

    return TypeAdapter(kind).validate_json(data)


def _insist_on_moments(*moments: float | None) -> None:
    if not all(moment is None or 0 <= moment < LAST_TIME for moment in moments):
        raise ValueError("a moment is out of range")
