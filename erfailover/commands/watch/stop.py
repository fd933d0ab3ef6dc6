"""How a watch ends: nothing new is begun, and what has been begun is completed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from erfailover.runtime.clock import Clock


@dataclass
class Stop:
    """Whether the watch is to end.

    Attributes:
        clock: wakes those who wait.
    """

    clock: Clock
    is_set: bool = field(default=False, init=False)

    def set(self) -> None:
        """Have every loop end after its turn."""
        self.is_set = True
        self.clock.notify()

    def wait(self, seconds: float) -> bool:
        """Wait for some wall seconds, or until the watch is to end; return whether it is."""
        speed = getattr(self.clock, "speed", 1.0)
        return self.clock.wait_for(lambda: self.is_set, seconds * speed)


class Gate:
    """Lets one site's watch act until it is closed. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_closed = self._is_occupied = False

    @contextmanager
    def enter(self) -> Iterator[bool]:
        """Provide whether the body may act; ``close`` tells that it is under way."""
        with self._lock:
            may_act = self._is_occupied = not self._is_closed
        try:
            yield may_act
        finally:
            with self._lock:
                self._is_occupied = False

    def close(self) -> bool:
        """Let nothing else begin; return whether something is under way."""
        with self._lock:
            self._is_closed = True
            return self._is_occupied
