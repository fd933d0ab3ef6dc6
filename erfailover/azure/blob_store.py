"""Journal and lease in Azure Blob storage, shared by the machines that operate a site.

One append blob holds the journal. Its blob lease is the site's lease, so Azure itself refuses
the records of a run that has lost it; the blob's metadata says who holds it. Documented rules
this rests on: a lease lasts 15 to 60 s; one that ran out, and was not acquired by another since,
can be renewed; a proposed id makes acquiring repeatable; an append block is written whole or not
at all, at most 4 MiB at a time and 50,000 times.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

from azure.core import MatchConditions
from azure.storage.blob import BlobClient, BlobLeaseClient

from erfailover.azure.blob_access import CALL_S, BlobAccess, download
from erfailover.azure.client.retries import READ, WRITE
from erfailover.errors import AzureFailure, LeaseLost, Refused, StateFailure
from erfailover.model import plain_json
from erfailover.model.lease import (
    AcquiredLease,
    Decision,
    Holder,
    LeaseRecord,
    LeaseStanding,
    LeaseState,
    decide,
    explain_refusal,
)
from erfailover.runtime.state.process import is_alive

LEASE_S = 15
"""The shortest Azure grants: what a run that died leaves behind is waited out in this time."""

RELIED_ON_S = 10.0
"""Less than the lease lasts, by what a write takes to reach Azure."""

RENEW_S = 0.0
"""How long a renewal is tried: once, since the next one comes soon."""

BLOCK = 4 * 1024 * 1024
POSITION_NOT_MET = "AppendPositionConditionNotMet"
"""Azure's code if the blob is longer than the writer expects (documented: Append Block)."""
HOLDER = "holder"
"""The name of the blob's metadata that says who holds the lease."""


@dataclass(eq=False)
class BlobStore(BlobAccess):
    """The state of one site in a folder of a container.

    Attributes:
        wall: wall time, in seconds since 1970.
        lives: whether a holder's process lives; None if that cannot be known.
        say: tells the operator what is waited for.
    """

    wall: Callable[[], float] = time.time
    lives: Callable[[Holder], bool | None] = is_alive
    say: Callable[[str], None] = lambda text: None
    renew_every_s: float = LEASE_S / 3
    relied_on_s: float = RELIED_ON_S
    is_cheap: bool = False
    _token: str | None = field(default=None, repr=False)
    _size: int = 0
    _appending: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def read(self) -> bytes:
        """Return the whole journal; empty if there is none."""
        try:
            return self._call("reading the journal", lambda: download(self._blob), READ).data
        except AzureFailure as failure:
            if failure.code == "BlobNotFound":
                return b""
            raise self._build_state_failure(failure) from failure

    def append(self, lines: bytes) -> None:
        """Add lines to the journal; returns when Azure has them."""
        with self._appending:
            for at in range(0, len(lines), BLOCK):
                try:
                    self._append(lines[at : at + BLOCK])
                except AzureFailure as failure:
                    raise self._translate_lease_failure(failure) from failure

    def mend(self) -> tuple[str, ...]:
        """Do nothing: a blob that is appended to cannot be replaced in one step."""
        return ()

    def keep_aside(self, lines: bytes) -> str:
        """There is no place on this machine.

        Raises:
            StateFailure: always.
        """
        raise StateFailure(f"{self.name} cannot store them, and there is no copy on this machine")

    def acquire(self, holder: Holder, *, take_over: bool) -> AcquiredLease:
        """Take the lease; one that is expired, orphaned or taken over is first waited out."""
        try:
            return self._acquire(holder, take_over=take_over)
        except AzureFailure as failure:
            raise self._build_state_failure(failure) from failure

    def look(self) -> LeaseState:
        """Return the lease's state: Azure says whether it is leased, the metadata by whom."""
        try:
            properties = self._read_properties()
        except AzureFailure as failure:
            if failure.code == "BlobNotFound":
                return LeaseState(LeaseStanding.FREE)
            raise self._build_state_failure(failure) from failure
        try:
            record = LeaseRecord.from_data(plain_json.parse_json(properties.metadata[HOLDER]))
        except (KeyError, ValueError):
            record = None
        if properties.lease.status != "locked":
            return LeaseState(LeaseStanding.EXPIRED if record else LeaseStanding.FREE, record)
        gone = record is not None and self.lives(record.holder) is False
        return LeaseState(LeaseStanding.ORPHANED if gone else LeaseStanding.LIVE, record)

    def renew(self) -> None:
        """Renew the lease, which tells whether it is still ours."""
        token = self._token
        if token is None:
            raise LeaseLost(f"no lease is held in {self.name}")
        try:
            self._call(
                "renewing the lease",
                lambda: self._build_lease_client(token).renew(),
                WRITE,
                RENEW_S,
            )
        except AzureFailure as failure:
            raise self._translate_lease_failure(failure) from failure

    def release(self) -> None:
        """Give the lease up; nothing happens if it is no longer ours."""
        token, self._token = self._token, None
        if token is None:
            return
        try:
            self._set_holder(None, token)
            self._call(
                "releasing the lease", lambda: self._build_lease_client(token).release(), READ
            )
        except AzureFailure as failure:
            if not _is_about_lease(failure):
                raise self._build_state_failure(failure) from failure

    def _acquire(self, holder: Holder, *, take_over: bool) -> AcquiredLease:
        token = str(uuid4())
        if self._try(token):
            previous = self._read_holder(tries=1)
            standing = LeaseStanding.EXPIRED if previous else LeaseStanding.FREE
        else:
            previous = self._read_holder()
            decision = self._decide(previous, take_over)
            self._wait_out(decision.standing, token, previous)
            standing = decision.standing
        record = LeaseRecord(holder, self.wall())
        self._set_holder(record, token)
        self._size = self._read_properties().size
        self._token = token
        return AcquiredLease(record, standing, previous, self.name)

    def _decide(self, record: LeaseRecord | None, take_over: bool) -> Decision:
        now = self.wall()
        lives = self.lives(record.holder) if record else None
        # Azure says that it is leased, so without a record it still belongs to another run.
        decision = (
            decide(record, now, lives, take_over=take_over)
            if record
            else Decision(take_over, LeaseStanding.LIVE)
        )
        if not decision.take:
            raise Refused(*explain_refusal(self.name, record, now))
        return decision

    def _wait_out(self, standing: LeaseStanding, token: str, record: LeaseRecord | None) -> None:
        """Wait until Azure gives the lease up; a live one is broken first, and given 15 s."""
        who = record.holder.name if record else "an unknown holder"
        self.say(f"Waiting for the lease of {who} to expire (at most {LEASE_S} s) ...")
        began = self.clock.now()
        if standing is LeaseStanding.LIVE:
            self._break()
            self.clock.sleep(LEASE_S)
        while not self._try(token):
            if self.clock.now() - began > 3 * LEASE_S:
                raise Refused(*explain_refusal(self.name, self._read_holder(), self.wall()))
            self.clock.sleep(1.0)

    def _break(self) -> None:
        """End the lease: its holder can no longer renew it."""

        def break_it() -> None:
            BlobLeaseClient(self._blob).break_lease(lease_break_period=LEASE_S)

        try:
            self._call("breaking the lease", break_it, READ)
        except AzureFailure as failure:
            if not _is_about_lease(failure):
                raise

    def _try(self, token: str) -> bool:
        """Acquire the blob's lease, making the blob if there is none; whether it is ours."""
        try:
            self._call(
                "acquiring the lease",
                lambda: self._build_lease_client(token).acquire(LEASE_S),
                READ,
            )
        except AzureFailure as failure:
            if failure.code == "BlobNotFound":
                self._make_blob()
                return self._try(token)
            if _is_about_lease(failure):
                return False
            raise
        return True

    def _make_blob(self) -> None:
        def make() -> None:
            self._blob.create_append_blob(match_condition=MatchConditions.IfMissing)

        try:
            self._call("creating the journal", make, READ)
        except AzureFailure as failure:
            if failure.code != "BlobAlreadyExists" and not _is_about_lease(failure):
                raise

    def _append(self, piece: bytes) -> None:
        """Append one block. Only who has the lease appends, so all that was added is ours.

        A block whose answer was lost, or came too late, may be there already, or come after the
        next attempt: then Azure rejects the position (AppendPositionConditionNotMet).
        """
        token = self._token
        if token is None:
            raise LeaseLost(f"no lease is held in {self.name}")
        deadline = self.clock.now() + CALL_S
        while piece:
            try:
                self._call(
                    "writing the journal",
                    partial(
                        self._blob.append_block,
                        piece,
                        length=len(piece),
                        appendpos_condition=self._size,
                        lease=token,
                    ),
                    WRITE,
                )
            except AzureFailure as failure:
                has_grown = failure.code == POSITION_NOT_MET
                if not (has_grown or failure.outcome_unknown) or self.clock.now() >= deadline:
                    raise
                if not has_grown:
                    self.clock.sleep(1.0)
                piece = self._skip_appended(piece)
            else:
                self._size += len(piece)
                return

    def _skip_appended(self, piece: bytes) -> bytes:
        """Return what of a block is still to be appended; the rest is in the journal already."""
        size = self._read_properties().size
        if size <= self._size:
            return piece
        appended = self._call(
            "reading the end of the journal",
            partial(_download_part, self._blob, self._size, size - self._size),
            READ,
        )
        self._size = size
        return piece[len(appended) :] if piece.startswith(appended) else piece

    def _read_holder(self, tries: int = 3) -> LeaseRecord | None:
        """Who says to hold the lease; one that was acquired just now may not have said yet."""
        for attempt in range(tries):
            if attempt:
                self.clock.sleep(0.5)
            try:
                return LeaseRecord.from_data(
                    plain_json.parse_json(self._read_properties().metadata[HOLDER])
                )
            except (KeyError, ValueError):
                continue
        return None

    def _set_holder(self, record: LeaseRecord | None, token: str) -> None:
        metadata = {HOLDER: json.dumps(record.to_data())} if record else {}
        self._call(
            "recording the lease holder",
            lambda: self._blob.set_blob_metadata(metadata, lease=token),
            READ,
        )

    def _read_properties(self) -> Any:
        return self._call(
            "reading the properties of the journal", lambda: self._blob.get_blob_properties(), READ
        )

    def _build_lease_client(self, token: str) -> BlobLeaseClient:
        return BlobLeaseClient(self._blob, lease_id=token)

    @property
    def _blob(self) -> BlobClient:
        return self._get_client("journal.jsonl")

    def _translate_lease_failure(self, failure: AzureFailure) -> LeaseLost | StateFailure:
        if not _is_about_lease(failure):
            return self._build_state_failure(failure)
        try:
            record = self._read_holder(tries=1)
        except AzureFailure:
            record = None
        who = f"it is now held by {record.describe(self.wall())}" if record else "it was broken"
        return LeaseLost(
            f"the lease of the site is lost: {who}; no further changes are made",
            "See erfailover status and erfailover history before you run the command again.",
        )


def _is_about_lease(failure: AzureFailure) -> bool:
    """Whether a refusal is about who has the lease: its codes all begin so (documented)."""
    return bool(failure.code and failure.code.startswith("Lease"))


def _download_part(blob: BlobClient, offset: int, length: int) -> bytes:
    content: bytes = blob.download_blob(offset=offset, length=length).readall()
    return content
