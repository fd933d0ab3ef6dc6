"""What erfailover did: an append-only record of every run, one JSON object a line.

The world decides what is left to do; the journal explains, and knows which peerings are ours.
Each record is kept before the act it announces. A torn last line (the process died while writing)
is tolerated; a damaged record before it is reported, not guessed. Where the lines are kept is a
store's (``state``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

from erfailover.errors import UnknownReading

Record = Mapping[str, Any]


class Log(Protocol):
    """What keeps the lines of a journal: a store of ``state``."""

    @property
    def name(self) -> str:
        """Where it is, for messages."""

    def read(self) -> bytes:
        """All lines; empty where there are none."""

    def append(self, lines: bytes) -> None:
        """Add whole lines; returns when they are kept."""


@dataclass(frozen=True)
class Journal:
    """The journal of one site, and the run whose records are added to it."""

    log: Log
    run: str
    written: list[Record] = field(default_factory=list, compare=False, repr=False)
    """What this run has recorded, kept by the log or not: its report is made of it."""

    @classmethod
    def open(cls, log: Log) -> Journal:
        """The journal that a store keeps, with a new run's id."""
        return cls(log, uuid4().hex[:12])

    def write(self, event: str, **fields: Any) -> None:
        """Append one record and wait until it is kept.

        Raises:
            StateFailure: the store cannot be written to.
            Refused: the store takes records of the lease's holder alone, and that is another.
        """
        record = {"at": _now(), "run": self.run, "event": event, **fields}
        self.written.append(record)
        self.log.append((json.dumps(record, sort_keys=True) + "\n").encode("ascii"))

    def records(self) -> list[Record]:
        """Every record, oldest first.

        Raises:
            UnknownReading: a record before the last is damaged.
            StateFailure: the store cannot be read.
        """
        lines = self.log.read().split(b"\n")
        return replay(map(_text, lines), f"the journal in {self.log.name}")


def _text(line: bytes) -> str:
    """A line as text; one that is not ASCII, which no record is, as text that is no record."""
    return line.decode("ascii") if line.isascii() else "damaged"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def replay(lines: Iterable[str], name: str = "the journal") -> list[Record]:
    """The records in the lines of a journal.

    A line that is no record is tolerated where a process may have died while writing it: last,
    or followed by the record of another run.
    """
    records: list[Record] = []
    torn: int | None = None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            record = None
        if not isinstance(record, dict):
            if torn is not None:
                raise _damaged(name, torn)
            torn = number
            continue
        if torn is not None:
            if records and record.get("run") == records[-1].get("run"):
                raise _damaged(name, torn)
            torn = None
        records.append(record)
    return records


def _damaged(name: str, number: int) -> UnknownReading:
    return UnknownReading(
        f"{name}, line {number}: the record is damaged",
        "Look at the line and mend or remove it; nothing after it is guessed.",
    )


def peerings_made(records: Iterable[Record]) -> frozenset[str]:
    """The ids (lower case) of the peerings that were created and not deleted since."""
    made: set[str] = set()
    for record in records:
        resource = str(record.get("resource", "")).lower()
        if "/virtualnetworkpeerings/" not in resource:
            continue
        if record.get("event") == "intent" and record.get("change") == "create":
            made.add(resource)
        elif record.get("event") == "done" and record.get("change") == "delete":
            made.discard(resource)
    return frozenset(made)


def prestaged(records: Iterable[Record]) -> bool:
    """Whether the last ``prestage`` or ``unprestage`` that was begun was a ``prestage``."""
    found = False
    for record in records:
        if record.get("event") == "begun" and record.get("command") in ("prestage", "unprestage"):
            found = record["command"] == "prestage"
    return found
