"""The controller's clock: waits, deadlines and reports in Azure's seconds.

Everything that waits takes a clock. The system's clock can run at a lab's speed
(``ERFAILOVER_CLOCK_SPEED``), so that a minute of the lab is a minute here. Tests bring their
own clock, which jumps; it has the same methods.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

T = TypeVar("T")

SIGNAL_S = 0.5
"""How long the main thread waits at a time, in wall seconds.

Python handles signals in that thread, but the system may deliver one to any: nothing then wakes the
main thread, and Ctrl-C or SIGTERM would wait for the end of what it waits for (observed).
"""


class Clock(Protocol):
    """What the controller needs of a clock. All times are in Azure's seconds."""

    def now(self) -> float:
        """Seconds since some moment that does not change."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def wait_for(self, ready: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something is so, at most for a time; tells whether it is.

        ``ready`` is called by any thread that notifies: it changes nothing, and takes no lock
        that such a thread may hold.
        """

    def notify(self) -> None:
        """Wake those that wait for something to happen."""

    def join(self, participants: int = 1) -> None:
        """Threads are about to start."""

    def leave(self) -> None:
        """Note that a thread has ended."""


@dataclass(eq=False, slots=True)
class _Waiter:
    ready: Callable[[], bool]
    woken: threading.Event = field(default_factory=threading.Event)

    def is_ready(self) -> bool:
        """Return whether to wake it; a condition that fails does so in the thread that waits."""
        try:
            return self.ready()
        except Exception:
            return True


class SystemClock:
    """The machine's own clock, run ``speed`` times faster.

    ``notify`` checks every condition and wakes only the threads whose condition holds: hundreds
    of threads wait in a large switch, and waking all of them each time took a third of its
    processor time.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"the clock's speed must be above 0, not {speed}")
        self.speed = speed
        self._lock = threading.RLock()
        self._waiters: list[_Waiter] = []

    def now(self) -> float:
        """Seconds since some moment that does not change."""
        return time.monotonic() * self.speed

    def sleep(self, seconds: float) -> None:
        """Wait."""
        until = time.monotonic() + max(seconds, 0.0) / self.speed
        while (left_s := until - time.monotonic()) > 0:
            time.sleep(_shorten_for_signals(left_s))

    def wait_for(self, ready: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something is so, at most for a time; tells whether it is."""
        until = time.monotonic() + max(timeout_s, 0.0) / self.speed
        while True:
            with self._lock:
                left_s = until - time.monotonic()
                if ready():
                    return True
                if left_s <= 0:
                    return False
                waiter = _Waiter(ready)
                self._waiters.append(waiter)
            try:
                waiter.woken.wait(_shorten_for_signals(left_s))
            finally:
                with self._lock:
                    if waiter in self._waiters:
                        self._waiters.remove(waiter)

    def notify(self) -> None:
        """Wake those that wait for something to happen."""
        with self._lock:
            woken = [waiter for waiter in self._waiters if waiter.is_ready()]
            for waiter in woken:
                self._waiters.remove(waiter)
                waiter.woken.set()

    def join(self, participants: int = 1) -> None:
        """Threads are about to start: of no consequence here."""

    def leave(self) -> None:
        """Note that a thread has ended."""
        self.notify()


def _shorten_for_signals(seconds: float) -> float:
    if threading.current_thread() is threading.main_thread():
        return min(seconds, SIGNAL_S)
    return seconds


def start(clock: Clock, work: Callable[[], T], name: str = "worker") -> Future[T]:
    """Do something in a new thread that the clock knows of.

    The thread is a daemon: an interrupted program does not wait for it. It runs in the context
    of the thread that starts it: the same listener gets its waits (``waits``).
    """
    future: Future[T] = Future()
    context = copy_context()

    def run() -> None:
        try:
            future.set_result(context.run(work))
        except BaseException as error:
            future.set_exception(error)
        finally:
            clock.leave()

    clock.join()
    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def run_all(clock: Clock, work: Sequence[Callable[[], T]]) -> list[T]:
    """Do several things at once and wait for all; the first error is raised after that."""
    futures = [start(clock, function) for function in work]
    while not clock.wait_for(lambda: all(future.done() for future in futures), 3600.0):
        continue
    return [future.result() for future in futures]
