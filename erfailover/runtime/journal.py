"""What erfailover did: an append-only record of every run, one JSON object a line.

The world decides what is left to do; the journal explains, and knows which peerings are ours.
Each record is kept before the act it announces. What cannot be read of it is passed over and
reported (``model.journal_lines``), and blocks nothing. Where the lines are kept is a store's
(``state``).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

from erfailover.errors import LeaseLost
from erfailover.model import journal_lines
from erfailover.model.journal_lines import Record

IDLE_S = 5.0
"""How long the thread that appends waits for a record before it ends, in wall seconds."""
AGAIN_S = 0.5
"""The pause after a store failed to append, in wall seconds."""


class Log(Protocol):
    """What keeps the lines of a journal: a store of ``state``."""

    @property
    def name(self) -> str:
        """Where it is, for messages."""

    def read(self) -> bytes:
        """All lines; empty if there are none."""

    def append(self, lines: bytes) -> None:
        """Add whole lines; returns when they are kept."""


class Journal:
    """The journal of one site, and the run whose records are added to it.

    Records are appended in their order by a separate thread. So a store that is slow, full or
    silent holds up only whoever asks for its confirmation, and what could not be appended is
    tried again with the next record.

    Attributes:
        log: what keeps the lines.
        run: the id of this run.
        written: what this run has recorded, appended or not: its report is made of it.
    """

    def __init__(self, log: Log, run: str) -> None:
        self.log, self.run = log, run
        self.written: list[Record] = []
        self._pending: list[tuple[bytes, Future[None]]] = []
        self._changed = threading.Condition()
        self._appender: threading.Thread | None = None
        self._lost: LeaseLost | None = None

    @classmethod
    def open(cls, log: Log) -> Journal:
        """Return the journal that a store keeps, with a new run's id."""
        return cls(log, uuid4().hex[:12])

    def write(self, event: str, **fields: Any) -> None:
        """Append one record and wait until it is kept.

        Raises:
            StateFailure: the store cannot be written to.
            LeaseLost: the store takes records of the lease's holder alone, and that is another.
        """
        self.record_later(event, **fields).result()

    def record_later(self, event: str, **fields: Any) -> Future[None]:
        """Append one record as soon as that is possible; never fails."""
        record = {"at": _format_now(), "run": self.run, "event": event, **fields}
        line = (json.dumps(record, sort_keys=True, default=str) + "\n").encode("ascii")
        future: Future[None] = Future()
        with self._changed:
            self.written.append(record)
            if self._lost is not None:
                future.set_exception(self._lost)
                return future
            self._pending.append((line, future))
            if self._appender is None:
                self._appender = threading.Thread(target=self._append, name="journal", daemon=True)
                self._appender.start()
            self._changed.notify_all()
        return future

    def flush(self, timeout_s: float) -> bytes:
        """Wait until every record is kept; return the lines that are not by then.

        Args:
            timeout_s: how long to wait, in wall seconds.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._pending, timeout_s)
            return b"".join(line for line, _ in self._pending)

    def _append(self) -> None:
        """Append what is pending, in order; end if nothing is for a while."""
        while True:
            with self._changed:
                if not self._changed.wait_for(lambda: bool(self._pending), IDLE_S):
                    self._appender = None
                    return
                batch = list(self._pending)
            try:
                self.log.append(b"".join(line for line, _ in batch))
            except LeaseLost as lost:
                with self._changed:
                    self._lost = lost
                    batch, self._pending = self._pending, []
                    self._changed.notify_all()
                _answer(batch, lost)
                return
            except Exception as error:
                _answer(batch, error)
                time.sleep(AGAIN_S)
            else:
                with self._changed:
                    del self._pending[: len(batch)]
                    self._changed.notify_all()
                _answer(batch, None)

    def read(self) -> journal_lines.JournalLines:
        """Return every record, oldest first, and what is damaged.

        Raises:
            StateFailure: the store cannot be read.
        """
        return journal_lines.read(self.log.read())

    def read_records(self) -> tuple[Record, ...]:
        """Return every record that can be read, oldest first.

        Raises:
            StateFailure: the store cannot be read.
        """
        return self.read().records


def _answer(batch: Iterable[tuple[bytes, Future[None]]], error: Exception | None) -> None:
    """Report to the waiting threads whether their records were kept; a later success is ignored."""
    for _, future in batch:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


def _format_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def find_created_peerings(records: Iterable[Record]) -> frozenset[str]:
    """Return the ids (lower case) of the peerings that were created and not deleted since."""
    names: set[str] = set()
    for record in records:
        resource = str(record.get("resource", "")).lower()
        if "/virtualnetworkpeerings/" not in resource:
            continue
        if record.get("event") == "intent" and record.get("change") == "create":
            names.add(resource)
        elif record.get("event") == "done" and record.get("change") == "delete":
            names.discard(resource)
    return frozenset(names)


def is_prestaged(records: Iterable[Record], spokes: Iterable[str]) -> frozenset[str]:
    """Return the spokes whose last ``prestage`` or ``unprestage`` that began was a ``prestage``.

    Args:
        records: the journal.
        spokes: the names of the site's spokes: a run without ``--spoke`` is for all of them.
    """
    names, items = frozenset(spokes), frozenset[str]()
    for record in records:
        if record.get("event") == "begun" and record.get("command") in ("prestage", "unprestage"):
            chosen = names & frozenset(record.get("spokes") or names)
            items = items | chosen if record["command"] == "prestage" else items - chosen
    return items
