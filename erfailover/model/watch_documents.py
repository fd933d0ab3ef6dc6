"""What the documents of ``runtime.state.documents`` hold, as JSON: pause, approval, memory. Pure.

Loads pydantic only when a document is read or written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from erfailover.model import plain_json
from erfailover.model.lease import LAST_TIME
from erfailover.model.watch import Approval, Event, Pause

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


@dataclass(frozen=True, slots=True)
class LeaderRecord:
    """What a leader leaves to its successor.

    Attributes:
        memory: the detector's, as plain data.
        events: the last events, newest first.
    """

    memory: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[Event, ...] = ()


def format_leader_record(record: LeaderRecord) -> bytes:
    """Return a leader's record as JSON."""
    return _format(LeaderRecord, record)


def parse_leader_record(data: bytes | None) -> LeaderRecord:
    """Return the leader's record in a JSON text; what of it is missing or damaged is empty."""
    try:
        content = plain_json.parse_json(data or b"{}")
    except ValueError:
        return LeaderRecord()
    if not isinstance(content, dict):
        return LeaderRecord()
    kept = content.get("memory")
    try:
        events = _parse(LeaderRecord, json.dumps({"events": content.get("events", [])}).encode())
    except ValueError:
        events = LeaderRecord()
    return LeaderRecord(kept if isinstance(kept, dict) else {}, events.events)


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
