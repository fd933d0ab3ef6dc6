"""What goes wrong in a cell, and what kind of thing each trouble is. Pure."""

from __future__ import annotations

from enum import StrEnum


class Trouble(StrEnum):
    """What goes wrong."""

    THROTTLED = "throttled-429"
    CONTENTION = "contention-429"
    NOT_PROVISIONED = "not-provisioned-400"
    IN_PROGRESS = "in-progress-409"
    SERVER_ERROR = "server-error-500"
    UNAVAILABLE = "unavailable-503"
    RESET = "reset"
    TIME_OUT = "time-out"
    FAILED = "operation-failed"
    CANCELED = "operation-canceled"
    EXPIRED = "expired-401"
    FORBIDDEN = "forbidden-403"
    STALE = "stale-read"
    EMPTY = "empty-read"
    EMPTY_ALWAYS = "empty-reads"
    """From this call on, as long as the run lasts."""
    LONG_WAIT = "retry-after-3600"
    """A 429 that says that no write is left, and to wait for an hour."""
    HTML = "html-200"
    """A page of a proxy's instead of Azure's answer, with status 200."""
    WRONG_TYPE = "wrong-type-200"
    """A JSON list instead of an object."""
    POLL_404 = "poll-404"
    """The operation that the call began is not found by any poll, as long as the run lasts."""
    EXPIRED_FOR_GOOD = "401-for-good"
    FORBIDDEN_FOR_GOOD = "403-for-good"
    """Of every request from this moment on, readings included, as long as the run lasts."""
    TARGET_DELETED = "target-deleted"
    TARGET_CHANGED = "target-changed"
    """Another client removes, or turns off the remote gateways of, the spoke's peering with the hub
    that it moves to."""
    ORIGIN_DELETED = "origin-deleted"
    ORIGIN_CHANGED = "origin-changed"
    """The same with the hub that it leaves."""
    REFUSED_ONCE = "make-refused-back-once"
    REFUSED_TWICE = "make-refused-back-twice"
    REFUSED_FOR_GOOD = "make-refused-back-for-good"
    """The make is refused as long as the run lasts; each write that rolls the break back is refused
    once, twice, or as long."""
    CLEARING_REFUSED = "make-refused-clearing-too"
    """The make is refused as long as the run lasts, and so is taking away the target's remote
    gateway; the write that restores the path is not."""
    OUTPUT_PIPE = "output-epipe"
    OUTPUT_IO = "output-eio"
    """The terminal is gone."""
    OUTPUT_SPACE = "output-enospc"
    JOURNAL_FULL = "journal-full"
    """Half of a record is written, then the disk is full, as long as the run lasts."""
    STORE_FAILS = "store-fails"
    STORE_HANGS = "store-hangs"
    """A store of journal and lease elsewhere; it answers with an error, or after 20 s with one."""
    LEASE_GONE = "lease-gone"
    LEASE_DAMAGED = "lease-damaged"
    HANGUP = "sighup"
    TERM = "sigterm"
    CTRL_C = "ctrl-c"
    CTRL_C_TWICE = "ctrl-c-twice"
    KILLED = "killed"
    LEASE_LOST = "lease-lost"
    """Somebody else holds the lease from now on."""


CONTENTION = frozenset({Trouble.CONTENTION, Trouble.NOT_PROVISIONED, Trouble.IN_PROGRESS})
ANSWERED_INSTEAD = CONTENTION | {
    Trouble.THROTTLED,
    Trouble.EXPIRED,
    Trouble.FORBIDDEN,
    Trouble.LONG_WAIT,
}
ENDINGS = frozenset({Trouble.FAILED, Trouble.CANCELED})
READINGS = frozenset({Trouble.STALE, Trouble.EMPTY, Trouble.EMPTY_ALWAYS})
GARBLED = frozenset({Trouble.HTML, Trouble.WRONG_TYPE})
FOR_GOOD = frozenset({Trouble.EXPIRED_FOR_GOOD, Trouble.FORBIDDEN_FOR_GOOD})
REFUSED = frozenset(
    {
        Trouble.REFUSED_ONCE,
        Trouble.REFUSED_TWICE,
        Trouble.REFUSED_FOR_GOOD,
        Trouble.CLEARING_REFUSED,
    }
)
"""The make is refused, and more."""
SOMEBODY = frozenset(
    {
        Trouble.TARGET_DELETED,
        Trouble.TARGET_CHANGED,
        Trouble.ORIGIN_DELETED,
        Trouble.ORIGIN_CHANGED,
    }
)
"""Another client changes a peering."""
OUTPUT = frozenset({Trouble.OUTPUT_PIPE, Trouble.OUTPUT_IO, Trouble.OUTPUT_SPACE})
STORE = frozenset({Trouble.STORE_FAILS, Trouble.STORE_HANGS})
SIGNALS = frozenset({Trouble.HANGUP, Trouble.TERM, Trouble.CTRL_C, Trouble.CTRL_C_TWICE})
MACHINE = (
    OUTPUT | STORE | SIGNALS | {Trouble.JOURNAL_FULL, Trouble.LEASE_GONE, Trouble.LEASE_DAMAGED}
)
"""What befalls the controller and not its requests."""
PASSES = frozenset(
    {
        *CONTENTION,
        *GARBLED,
        Trouble.THROTTLED,
        Trouble.SERVER_ERROR,
        Trouble.UNAVAILABLE,
        Trouble.RESET,
        Trouble.TIME_OUT,
        Trouble.EXPIRED,
        Trouble.OUTPUT_PIPE,
        Trouble.LEASE_GONE,
    }
)
"""Trouble that a run waits out by itself: met once, it must still succeed."""

CUT_SHORT = frozenset({Trouble.KILLED, Trouble.CTRL_C_TWICE, Trouble.LEASE_LOST})
"""The run does not end by itself, or must not go on: what it leaves counts in rows of its own."""
NEVER_ALLOWED = FOR_GOOD | {Trouble.REFUSED_FOR_GOOD, Trouble.CLEARING_REFUSED}
"""Azure refuses the make and the way back for as long as the run tries."""
