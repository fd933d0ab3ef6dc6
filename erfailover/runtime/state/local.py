"""Journal and lease in files of this machine: the default.

Owns ``journal.jsonl``, ``lease.json`` and ``lease.lock`` in the site's state folder, all readable
by their owner alone. The lease changes only under a lock of the file system and is replaced in
one piece, so two processes never both find it free.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from erfailover.errors import LeaseLost, Refused, StateFailure
from erfailover.model import journal_lines, plain_json
from erfailover.model.lease import (
    TAKE_OVER,
    AcquiredLease,
    Decision,
    Holder,
    LeaseRecord,
    LeaseState,
    decide,
    explain_refusal,
)
from erfailover.runtime import files, input_file
from erfailover.runtime.state.folder import hold_lock, translate_errors
from erfailover.runtime.state.process import is_alive, is_running

LEASE_S = 60.0
RELIED_ON_S = 10.0
"""How long a renewal is relied on if the file can no longer be read or written, in wall seconds."""
MOST_JOURNAL_BYTES, MOST_LEASE_BYTES = 1 << 30, 1 << 16


@dataclass(eq=False)
class LocalStore:
    """The state of one site in a folder.

    Attributes:
        folder: made if it is not there, readable by its owner alone.
        wall: wall time, in seconds since 1970.
        lives: whether a holder's process lives; None if that cannot be known.
        runs: whether a holder's process is known to live and not to be stopped.
        sleep: waits, in wall seconds.
        lease_s: how long a lease lasts unless renewed, in wall seconds.
    """

    folder: Path
    wall: Callable[[], float] = time.time
    lives: Callable[[Holder], bool | None] = is_alive
    runs: Callable[[Holder], bool] = is_running
    sleep: Callable[[float], None] = time.sleep
    lease_s: float = LEASE_S
    relied_on_s: float = RELIED_ON_S
    is_cheap: bool = True
    _token: str | None = field(default=None, repr=False)
    _record: LeaseRecord | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.folder)

    @property
    def renew_every_s(self) -> float:
        """A third of the lease."""
        return self.lease_s / 3

    @property
    def journal_file(self) -> Path:
        """The journal."""
        return self.folder / "journal.jsonl"

    @property
    def lease_file(self) -> Path:
        """The lease."""
        return self.folder / "lease.json"

    def read(self) -> bytes:
        """Return the whole journal; empty if there is none."""
        with translate_errors(self.folder):
            try:
                return input_file.read(self.journal_file, MOST_JOURNAL_BYTES)
            except FileNotFoundError:
                return b""

    def append(self, lines: bytes) -> None:
        """Add lines to the journal and wait until they are on the disk.

        A last line without an end, whose writer died, is ended first. If that fails, nothing is
        added.
        """
        with translate_errors(self.folder):
            files.make_private_folder(self.folder)
            with files.open_private(self.journal_file) as stream:
                if stream.seek(0, os.SEEK_END):
                    stream.seek(-1, os.SEEK_END)
                    if stream.read(1) != b"\n":
                        lines = b"\n" + lines
                files.append(stream, lines)

    def mend(self) -> tuple[str, ...]:
        """Keep a damaged journal beside a fresh one, which has every record that can be read."""
        content = self.read()
        mended = journal_lines.remove_damage(content)
        if mended is None:
            return ()
        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.wall()))
        path = self.folder / f"journal.damaged-{at}-{secrets.token_hex(2)}.jsonl"
        with translate_errors(self.folder):
            files.write(path, content)
            files.write(self.journal_file, mended)
        return (str(path),)

    def keep_aside(self, lines: bytes) -> str:
        """There is no other place on this machine: append once more.

        Raises:
            StateFailure: the journal cannot be written to.
        """
        self.append(lines)
        return str(self.journal_file)

    def acquire(self, holder: Holder, *, take_over: bool) -> AcquiredLease:
        """Take the lease: a free, expired or orphaned one, or with ``take_over`` a live one."""
        with self._hold_lock():
            lease_record, _ = self._read_lease(damaged_is_free=take_over)
            now = self.wall()
            decision = self._decide(lease_record, now, take_over=take_over)
            if not decision.take:
                raise Refused(*explain_refusal(self.name, lease_record, now))
            record = LeaseRecord(holder, now, now + self.lease_s)
            token = str(uuid4())
            self._write_lease(record, token)
            self._token, self._record = token, record
        return AcquiredLease(
            record, decision.standing, lease_record if decision.over else None, self.name
        )

    def look(self) -> LeaseState:
        """Return the state of the lease; nothing is acquired or written."""
        with translate_errors(self.folder):
            record, _ = self._read_lease()
        return LeaseState(self._decide(record, self.wall(), take_over=False).standing, record)

    def _decide(self, record: LeaseRecord | None, now: float, *, take_over: bool) -> Decision:
        if record is None:
            return decide(None, now, None, take_over=take_over)
        lives, running = self.lives(record.holder), self.runs(record.holder)
        return decide(record, now, lives, take_over=take_over, running=running)

    def renew(self) -> None:
        """Make sure that the lease is still ours; write it again when a third of it has passed.

        A file that was removed is written again: no other run has the lease.

        Raises:
            LeaseLost: another run has it.
            StateFailure: the file is damaged, or cannot be read or written.
        """
        with self._hold_lock():
            try:
                record, token = self._read_lease()
            except Refused as damaged:
                raise StateFailure(damaged.message, damaged.hint) from damaged
            now = self.wall()
            if self._token is None or self._record is None or token not in (None, self._token):
                raise _build_lease_lost(record, now)
            expires = record.expires if record else None
            if expires is None or expires - now < self.lease_s - self.renew_every_s:
                renewed = LeaseRecord(self._record.holder, self._record.since, now + self.lease_s)
                try:
                    self._write_lease(renewed, self._token)
                except OSError:  # the disk is full: what is written there still holds for a while
                    if expires is None or expires - now <= self.relied_on_s:
                        raise

    def release(self) -> None:
        """Give the lease up; nothing happens if it is no longer ours."""
        with self._hold_lock():
            _, token = self._read_lease(damaged_is_free=True)
            if token is not None and token == self._token:
                self.lease_file.unlink(missing_ok=True)
            self._token = None

    def close(self) -> None:
        """Nothing stays open."""

    def retire_journal(self) -> None:
        """Set the journal aside: all of it is kept elsewhere by now."""
        with translate_errors(self.folder), suppress(FileNotFoundError):
            self.journal_file.replace(self.folder / "journal.merged.jsonl")

    def _read_lease(
        self, *, damaged_is_free: bool = False
    ) -> tuple[LeaseRecord | None, str | None]:
        try:
            data: Any = plain_json.parse_json(input_file.read(self.lease_file, MOST_LEASE_BYTES))
            return LeaseRecord.from_data(data), str(data["token"])
        except FileNotFoundError:
            return None, None
        except (ValueError, KeyError, input_file.FileTooLarge):
            if damaged_is_free:
                return None, None
            raise Refused(
                f"{self.lease_file} is damaged, so the run that holds the lease is unknown",
                "Make sure that no other run is changing the site, then run the command again with "
                f"{TAKE_OVER}.",
            ) from None

    def _write_lease(self, record: LeaseRecord, token: str) -> None:
        files.write(self.lease_file, json.dumps({**record.to_data(), "token": token}))

    @contextmanager
    def _hold_lock(self) -> Iterator[None]:
        with translate_errors(self.folder), hold_lock(self.folder / "lease.lock", self.sleep):
            yield


def _build_lease_lost(record: LeaseRecord | None, now: float) -> LeaseLost:
    who = f"it was taken over by {record.describe(now)}" if record else "it no longer exists"
    return LeaseLost(
        f"the lease of the site is lost: {who}; no further changes are made",
        "See erfailover status and erfailover history before you run the command again.",
    )
