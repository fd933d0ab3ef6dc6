"""What erfailover did: an append-only record of every run, one JSON object a line.

The world decides what is left to do; the journal explains, and knows which peerings are ours.
Each record is flushed to the disk before the act it announces. A torn last line (the process
died while writing) is tolerated; a damaged record before it is reported, not guessed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from erfailover.errors import UnknownReading

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Journal:
    """The journal of one site, in one file."""

    path: Path
    run: str

    @classmethod
    def open(cls, folder: Path) -> Journal:
        """The journal in a folder, with a new run's id."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(folder / "journal.jsonl", uuid4().hex[:12])

    def write(self, event: str, **fields: Any) -> None:
        """Append one record and wait until it is on the disk."""
        record = {"at": _now(), "run": self.run, "event": event, **fields}
        line = (json.dumps(record, sort_keys=True) + "\n").encode()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if _torn(descriptor):
                line = b"\n" + line
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def records(self) -> list[Record]:
        """Every record, oldest first.

        Raises:
            UnknownReading: a record before the last is damaged.
        """
        if not self.path.exists():
            return []
        return replay(self.path.read_text(encoding="utf-8").splitlines(), str(self.path))


def _torn(descriptor: int) -> bool:
    """Whether the file's last line has no end: its writer died."""
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


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
