"""The lab's clocks: modelled (Azure's) seconds against the wall's.

A *scaled* clock runs N times faster than the wall. A *stepped* clock stops while any
participant works and jumps to the next wake-up when all of them sleep, so that our own CPU time
is not multiplied; lab and controller then share one in a single process.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


class Clock(Protocol):
    """The clock interface that the lab needs."""

    def now(self) -> float:
        """Return the modelled seconds since the clock was made."""

    async def pause(self, seconds: float) -> None:
        """Hold back an answer for a number of modelled seconds."""


class ScaledClock:
    """A clock that runs ``speed`` times faster than the wall clock."""

    def __init__(self, speed: float) -> None:
        if speed <= 0:
            raise ValueError(f"the clock's speed must be above 0, not {speed}")
        self.speed = speed
        self._start = time.monotonic()

    def now(self) -> float:
        """Return the modelled seconds since the clock was made."""
        return (time.monotonic() - self._start) * self.speed

    async def pause(self, seconds: float) -> None:
        """Hold back an answer for a number of modelled seconds."""
        await asyncio.sleep(seconds / self.speed)


@dataclass(eq=False, slots=True)
class _Sleeper:
    wake_at: float
    ready: Callable[[], bool] = lambda: False
    wake: Callable[[], object] | None = None
    awake: threading.Event = field(default_factory=threading.Event)


@dataclass(eq=False)
class SteppedClock:
    """A clock that jumps to the next wake-up when every participant sleeps.

    A participant is a thread at work. A thread that waits for an HTTP answer is at work, so a
    lab that holds the answer back sleeps in its stead (``pause``). The thread that makes the
    clock is the first participant; it lets further ones in with ``join`` before it starts them
    and each ends with ``leave``.
    """

    _now: float = 0.0
    _participants: int = 1
    _sleepers: list[_Sleeper] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def now(self) -> float:
        """Return the modelled seconds since the clock was made."""
        return self._now

    def join(self, participants: int = 1) -> None:
        """Count threads that are about to start as working."""
        with self._lock:
            self._participants += participants

    def leave(self) -> None:
        """Count a thread as finished, and wake every waiter so that it re-checks its condition."""
        with self._lock:
            self._participants -= 1
            self._settle()

    def sleep(self, seconds: float) -> None:
        """Sleep for a number of modelled seconds."""
        self.wait_for(lambda: False, seconds)

    def wait_for(self, ready: Callable[[], bool], timeout_s: float) -> bool:
        """Wait for a condition; return False on timeout.

        ``ready`` is checked whenever another thread calls ``notify``, ``sleep`` or ``leave``.
        """
        with self._lock:
            sleeper = _Sleeper(self._now + max(timeout_s, 0.0), ready)
            self._sleepers.append(sleeper)
            self._settle()
        try:
            sleeper.awake.wait()
        except BaseException:  # Ctrl-C: this thread is at work again
            with self._lock:
                if sleeper in self._sleepers:
                    self._sleepers.remove(sleeper)
            raise
        with self._lock:
            return ready()

    def notify(self) -> None:
        """Wake every waiter so that it re-checks its condition."""
        with self._lock:
            self._settle()

    async def pause(self, seconds: float) -> None:
        """Hold back an answer: sleep in place of the thread that waits for it."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        with self._lock:
            self._sleepers.append(
                _Sleeper(
                    self._now + max(seconds, 0.0),
                    wake=lambda: loop.call_soon_threadsafe(done.set),
                )
            )
            self._settle()
        await done.wait()

    def _settle(self) -> None:
        """Wake the sleepers that are ready; if no thread is working, jump to the next wake-up."""
        for sleeper in [waiting for waiting in self._sleepers if waiting.ready()]:
            self._wake_up(sleeper)
        if self._sleepers and len(self._sleepers) >= self._participants:
            soonest = min(waiting.wake_at for waiting in self._sleepers)
            if soonest == float("inf"):
                raise RuntimeError("every participant sleeps and none has a deadline")
            self._now = max(self._now, soonest)
            for sleeper in [waiting for waiting in self._sleepers if waiting.wake_at <= self._now]:
                self._wake_up(sleeper)

    def _wake_up(self, sleeper: _Sleeper) -> None:
        self._sleepers.remove(sleeper)
        sleeper.awake.set()
        if sleeper.wake is not None:
            sleeper.wake()
