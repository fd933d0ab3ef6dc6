"""A lease while it is held: renewed in the background, consulted before every write.

What may be sent is decided by ``model.fencing``. Time is the machine's, suspended time
included: the store and other machines judge the lease by theirs.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType

from erfailover.errors import LeaseLost, StateFailure
from erfailover.model.fencing import Grant, Write, may_send
from erfailover.runtime.state.store import Store

log = logging.getLogger("erfailover.lease")

MAKE_PATIENCE_S = 1.0
"""How long a make waits for the store's answer, in wall seconds."""
PATIENCE_S = 10.0
"""How long a renewal waits for one that is under way, in wall seconds."""


def read_uptime_s() -> float:
    """Return the seconds since the machine started, suspended time included if it is counted."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class LeaseKeeper:
    """A lease that was acquired; a context manager that releases it at the end.

    Args:
        store: the store that keeps it.
        step_deadline_s: for how long the path of a spoke is restored, in wall seconds.
        now: the clock that the rules are applied by, in seconds.
        confirmed_s: when the last renewal that the store confirmed was sent, by that clock; None if
            the lease has only just been acquired.
    """

    def __init__(
        self,
        store: Store,
        step_deadline_s: float = 600.0,
        now: Callable[[], float] = read_uptime_s,
        confirmed_s: float | None = None,
    ) -> None:
        self._store = store
        self._step_deadline_s = step_deadline_s
        self._now = now
        self._confirmed_s = now() if confirmed_s is None else confirmed_s
        self._recorded = False
        self._lost: LeaseLost | None = None
        self._silence: StateFailure | None = None
        self._renewing = threading.Lock()
        self._ended = threading.Event()

    def __enter__(self) -> LeaseKeeper:
        threading.Thread(target=self._keep, name="lease", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._lost = self._lost or LeaseLost("the lease of the site was released")
        try:
            self._store.release()
        except Exception as failure:  # it expires by itself
            log.info("the lease could not be released: %s", failure)

    def note_record(self) -> None:
        """Note that the store has confirmed the record that must precede every break."""
        self._recorded = True

    def can_send(self, write: Write) -> bool:
        """Return whether a write may be sent now, by what is known; sends no request."""
        grant = Grant(self._confirmed_s, self._recorded, self._lost is not None)
        return may_send(write, grant, self._now(), self._store.relied_on_s, self._step_deadline_s)

    @property
    def is_lost(self) -> bool:
        """Whether another run holds the lease, or it was released."""
        return self._lost is not None

    @property
    def silence(self) -> StateFailure | None:
        """Why the last renewal has failed; None if the store has confirmed it."""
        return self._silence

    def check(self, write: Write = Write.OTHER) -> None:
        """Return if a write may be sent now.

        The store is asked each time. One that is not cheap to ask is not waited for longer than
        ``PATIENCE_S``, and by a make than ``MAKE_PATIENCE_S``: it may be silent.

        Raises:
            LeaseLost: another run holds the lease.
            StateFailure: the store has not answered for too long.
        """
        if self._store.is_cheap:
            self._renew()
        else:
            asking = threading.Thread(target=self._renew, name="lease check", daemon=True)
            asking.start()
            asking.join(MAKE_PATIENCE_S if write is Write.MAKE else PATIENCE_S)
        if self._lost is not None:
            raise self._lost
        if not self.can_send(write):
            raise self._silence or StateFailure(
                "the store has not confirmed the site's lease recently",
                "Nothing was sent. Run the same command again.",
            )

    def _renew(self) -> None:
        """Renew the lease, and note the store's answer or its silence."""
        if not self._renewing.acquire(timeout=PATIENCE_S):
            return
        try:
            if self._lost is not None:
                return
            requested = self._now()
            try:
                self._store.renew()
            except LeaseLost as lost:
                self._lost = lost
            except StateFailure as failure:
                self._silence = failure
            else:
                self._confirmed_s, self._silence = requested, None
        finally:
            self._renewing.release()

    def _keep(self) -> None:
        """Renew until the end; what goes wrong shows at the next check."""
        while not self._ended.wait(self._store.renew_every_s) and self._lost is None:
            try:
                self._renew()
            except Exception:
                log.exception("renewing the lease")
