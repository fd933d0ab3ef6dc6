"""A lease while it is held: renewed in the background, checked before every write.

Wall time throughout: others judge a lease by their own clocks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

from erfailover.errors import Refused, StateFailure
from erfailover.runtime.state.store import Store


@dataclass(eq=False)
class HeldLease:
    """A lease that was acquired; a context manager that gives it up at the end.

    Attributes:
        store: whose lease it is.
        monotonic: wall seconds since some moment that does not change.
    """

    store: Store
    monotonic: Callable[[], float] = time.monotonic
    _renewed: float = 0.0
    _lost: Refused | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _ended: threading.Event = field(default_factory=threading.Event, repr=False)
    _thread: threading.Thread | None = field(default=None, repr=False)

    def __enter__(self) -> HeldLease:
        self._renewed = self.monotonic()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        with self._lock:
            self._lost = self._lost or Refused("the lease of the site was given up")
        self._give_up()

    def check(self) -> None:
        """Make sure that the lease is ours, right before a write.

        Raises:
            Refused: it was lost.
            StateFailure: its store does not answer, and its last word is too old to rely on.
        """
        with self._lock:
            if self._lost is not None:
                raise self._lost
            asked = self.monotonic()
            try:
                self.store.renew()
            except Refused as lost:
                self._lost = lost
                raise
            except StateFailure:
                if self.monotonic() - self._renewed >= self.store.relied_on_s:
                    raise
            else:
                self._renewed = asked

    def _keep(self) -> None:
        """Renew until the end; what goes wrong shows at the next check."""
        while not self._ended.wait(self.store.renew_every_s):
            try:
                self.check()
            except Refused:
                return
            except StateFailure:
                continue

    def _give_up(self) -> None:
        """Release; where the store does not answer, the lease runs out by itself."""
        try:
            self.store.release()
        except (Refused, StateFailure):
            return
