"""Pause and approval of a site's watch, in the documents that its replicas and operators share.

Each change reads a document, changes it, and writes it back unless another process has changed it
meanwhile; then it begins again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

from erfailover.errors import StateFailure
from erfailover.model.watch import Approval, Pause
from erfailover.model.watch_documents import (
    PauseRecord,
    format_approval,
    format_pause_record,
    parse_approval,
    parse_pause_record,
)
from erfailover.runtime.state.documents import Conflict, Documents

log = logging.getLogger("erfailover.watch.records")

PAUSE, APPROVAL = "pause", "approval"
"""The keys of the documents."""

CHANGE_TRIES = 20
"""How often a change is tried while other processes change the same document."""


def read_pause(documents: Documents) -> tuple[Pause | None, float | None]:
    """Return the last pause, over or not, and when ``erfailover resume`` was last used.

    Returns:
        None for no pause since then, and None for never; moments are seconds since 1970.

    Raises:
        StateFailure: the store cannot be used, or what it holds cannot be understood.
    """
    record = read_pause_record(documents)
    return record.pause, record.resumed_at


def read_pause_record(documents: Documents) -> PauseRecord:
    """Return all that is recorded of pauses; raises ``StateFailure`` as ``read_pause``."""
    document = documents.read(PAUSE)
    if document is None:
        return PauseRecord()
    try:
        return parse_pause_record(document.data)
    except ValueError:
        raise StateFailure(
            f"whether the site is paused is unknown: {PAUSE} in {documents.name} is damaged",
            "Replace it by the command that you want: erfailover pause, or erfailover resume.",
        ) from None


def change_pause(
    documents: Documents, change: Callable[[PauseRecord], PauseRecord]
) -> tuple[PauseRecord, PauseRecord]:
    """Change what is recorded of pauses; return it as it was and as it is now.

    Args:
        documents: the store.
        change: returns the new record; called again if another process was faster. A record that
            cannot be understood is replaced.

    Raises:
        StateFailure: the store cannot be used.
    """
    before = after = PauseRecord()

    def change_data(data: bytes | None) -> bytes | None:
        nonlocal before, after
        before = PauseRecord()
        if data is not None:
            with suppress(ValueError):
                before = parse_pause_record(data)
        after = change(before)
        return data if after is before else format_pause_record(after)

    _change(documents, PAUSE, change_data)
    return before, after


def read_approval(documents: Documents) -> Approval | None:
    """Return the approval that was last requested, whether given, expired or neither.

    Returns:
        None if there is none; the same if it cannot be understood, because then none was given.

    Raises:
        StateFailure: the store cannot be used.
    """
    document = documents.read(APPROVAL)
    return None if document is None else _parse_approval(document.data)


def write_approval(documents: Documents, approval: Approval) -> None:
    """Request an approval; it replaces the one that was requested before.

    Raises:
        StateFailure: the store cannot be used.
    """
    _change(documents, APPROVAL, lambda _: format_approval(approval))


def change_approval(documents: Documents, change: Callable[[Approval | None], Approval]) -> None:
    """Change the approval that was last requested.

    Args:
        documents: the store.
        change: returns the new one, or raises; called again if another process was faster.

    Raises:
        StateFailure: the store cannot be used.
    """
    _change(
        documents,
        APPROVAL,
        lambda data: format_approval(change(None if data is None else _parse_approval(data))),
    )


def clear_approval(documents: Documents, approval_id: str) -> None:
    """Remove an approval; nothing happens if another one has replaced it.

    Raises:
        StateFailure: the store cannot be used.
    """

    def clear(data: bytes | None) -> bytes | None:
        approval = None if data is None else _parse_approval(data)
        return None if approval is not None and approval.id == approval_id else data

    _change(documents, APPROVAL, clear)


def _change(documents: Documents, key: str, change: Callable[[bytes | None], bytes | None]) -> None:
    """Change a document: from what it holds to what it is to hold; None for no document."""
    for _ in range(CHANGE_TRIES):
        document = documents.read(key)
        before = document.data if document else None
        after = change(before)
        if after == before:
            return
        try:
            if after is not None:
                documents.write(key, after, document.version if document else None)
            elif document is not None:
                documents.delete(key, document.version)
        except Conflict as conflict:
            log.info("%s", conflict)
            continue
        return
    raise StateFailure(
        f"{key} in {documents.name} could not be changed: other processes keep changing it",
        "Run the same command again.",
    )


def _parse_approval(data: bytes) -> Approval | None:
    try:
        return parse_approval(data)
    except ValueError:
        log.warning("the requested approval is damaged, so it counts as not requested")
        return None
