"""Note which spokes of a switch are owed a path, and where each was left. Thread-safe."""

from __future__ import annotations

import threading

from erfailover.planning.switch.recovery import PathState
from erfailover.runtime.clock import Clock


class Ledger:
    """Which spokes have no path because of this run, and where each was left."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._owed: dict[str, None] = {}
        self._places: dict[str, PathState] = {}
        self._accepted: set[str] = set()
        self._lock = threading.Lock()

    def owe(self, spoke: str) -> None:
        """Note that a spoke is about to be taken off its path."""
        with self._lock:
            self._owed[spoke] = None

    def settle(self, spoke: str, place: PathState) -> None:
        """Note where a spoke was left; only one on a path is no longer owed any."""
        with self._lock:
            self._places[spoke] = place
            if place in (PathState.TARGET, PathState.ORIGIN):
                self._owed.pop(spoke, None)
        self._clock.notify()

    def note_accepted(self, resource_id: str) -> None:
        """Note that Azure has accepted a break."""
        with self._lock:
            self._accepted.add(resource_id.lower())

    def is_accepted(self, resource_id: str) -> bool:
        """Return whether Azure has accepted the break of a peering."""
        with self._lock:
            return resource_id.lower() in self._accepted

    @property
    def owed(self) -> tuple[str, ...]:
        """The spokes that are owed a path."""
        with self._lock:
            return tuple(self._owed)

    @property
    def places(self) -> dict[str, PathState]:
        """Where each spoke was left that this run took off its path, or tried to."""
        with self._lock:
            return dict(self._places)
