"""Which replica of a site's watch leads: the holder of a lease that is separate from the site's.

A leader that is killed, stopped, or cut off from the store is replaced once its lease has expired.
It knows that it no longer leads before that, by its own clock, without being contacted.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress

from erfailover.commands.context import Context
from erfailover.commands.state_store import open_leadership_store
from erfailover.errors import Failure, Refused, StateFailure
from erfailover.model.fencing import Write
from erfailover.model.lease import Holder, LeaseStanding
from erfailover.runtime.state.lease_keeper import LeaseKeeper, read_uptime_s
from erfailover.runtime.state.process import build_holder
from erfailover.runtime.state.store import Store

TRY_EVERY_S = 5.0
"""How often a standby tries to lead, in wall seconds. The lease lasts 15 s, so that a standby leads
at most 15 s + 5 s after the leader's last renewal, and the time that the store takes."""


class Leadership:
    """The leadership of a site's watch, as one replica sees it.

    ``try_lead`` and ``resign`` are called from one thread; the rest may be called from any.

    Args:
        store: the store of the lease.
        holder: this process.
        now: a clock that counts suspended time, in seconds.
    """

    def __init__(
        self, store: Store, holder: Holder, now: Callable[[], float] = read_uptime_s
    ) -> None:
        self._store = store
        self._holder = holder
        self._now = now
        self._held = ExitStack()
        self._keeper: LeaseKeeper | None = None
        self._leader: str | None = None
        self._failure: Failure | None = None

    @classmethod
    def open(cls, context: Context) -> Leadership:
        """Return the leadership of a site's watch, for this process.

        Raises:
            UsageFailure: the package for a shared store is not installed, or its endpoint is
                unknown.
        """
        store = open_leadership_store(context.site_file, lambda: context.access)
        return cls(store, build_holder("watch"))

    def is_leader(self) -> bool:
        """Return whether this process leads; sends no request.

        It leads as long as the store has confirmed its lease within ``relied_on_s`` of the store.
        """
        keeper = self._keeper
        return keeper is not None and keeper.can_send(Write.OTHER)

    @property
    def leader(self) -> str | None:
        """Who leads, as ``user@host, process N``, as far as ``try_lead`` has found out."""
        return self._holder.name if self.is_leader() else self._leader

    @property
    def problem(self) -> str | None:
        """Why the store cannot be used; None if it can.

        A leader whose last renewal failed leads on for ``relied_on_s`` after the one before.
        """
        keeper = self._keeper
        if keeper is None or keeper.is_lost:
            return None if self._failure is None else self._failure.message
        if keeper.silence is not None:
            return keeper.silence.message
        if not self.is_leader():
            return f"{self._store.name} has not confirmed the lease of the watch recently"
        return None

    def try_lead(self) -> bool:
        """Become the leader unless another process leads; return whether this process leads.

        Never takes over a live lease, and waits for none: call it every ``TRY_EVERY_S``. A store
        that does not answer is waited for, for up to 20 s a request.
        """
        if self._keeper is not None and not self._keeper.is_lost:
            return self.is_leader()
        self.resign()
        try:
            self._acquire()
        except StateFailure as failure:
            self._leader, self._failure = None, failure
        except Refused:
            self._look()
        return self.is_leader()

    def resign(self) -> None:
        """Stop leading, so that a standby can lead at once; nothing happens if it does not lead."""
        self._keeper = None
        self._held.close()

    def close(self) -> None:
        """Stop leading, and close every connection that was opened."""
        self.resign()
        self._store.close()

    def _acquire(self) -> None:
        """Acquire the lease and keep it.

        The process may be stopped at any point of this, so that what counts is when the first
        renewal was sent.
        """
        self._store.acquire(self._holder, take_over=False)
        requested = self._now()
        try:
            self._store.renew()
        except Failure:
            with suppress(Failure):
                self._store.release()
            raise
        keeper = LeaseKeeper(self._store, now=self._now, confirmed_s=requested)
        self._keeper = self._held.enter_context(keeper)
        self._leader = self._failure = None

    def _look(self) -> None:
        """Find out who leads, or why that cannot be known."""
        try:
            state = self._store.look()
        except Failure as failure:
            self._leader, self._failure = None, failure
            return
        record = state.record if state.standing is LeaseStanding.LIVE else None
        self._leader, self._failure = record.holder.name if record else None, None
