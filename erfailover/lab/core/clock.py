"""The lab's clocks: modelled (Azure's) seconds against the wall's.

A *scaled* clock runs N times faster than the wall. A *stepped* clock stands still while
anybody works and jumps to the next wake-up when everybody sleeps, so that our own CPU time
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
    """What the lab needs of a clock."""

    def now(self) -> float:
        """Modelled seconds since the clock was made."""

    async def pause(self, seconds: float) -> None:
        """Hold an answer back for some modelled seconds."""


class ScaledClock:
    """Runs ``speed`` times faster than the wall."""

    def __init__(self, speed: float) -> None:
        if speed <= 0:
            raise ValueError(f"the clock's speed must be above 0, not {speed}")
        self.speed = speed
        self._start = time.monotonic()

    def now(self) -> float:
        """Modelled seconds since the clock was made."""
        return (time.monotonic() - self._start) * self.speed

    async def pause(self, seconds: float) -> None:
        """Hold an answer back for some modelled seconds."""
        await asyncio.sleep(seconds / self.speed)


@dataclass(eq=False, slots=True)
class _Sleeper:
    wake_at: float
    ready: Callable[[], bool] = lambda: False
    wake: Callable[[], object] | None = None
    awake: threading.Event = field(default_factory=threading.Event)


@dataclass(eq=False)
class SteppedClock:
    """Jumps to the next wake-up when every participant sleeps.

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
        """Modelled seconds since the clock was made."""
        return self._now

    def join(self, participants: int = 1) -> None:
        """Count threads that are about to start as being at work."""
        with self._lock:
            self._participants += participants

    def leave(self) -> None:
        """A thread has ended its work, and whoever waits for it may look."""
        with self._lock:
            self._participants -= 1
            self._settle()

    def sleep(self, seconds: float) -> None:
        """Sleep for some modelled seconds."""
        self.wait_for(lambda: False, seconds)

    def wait_for(self, ready: Callable[[], bool], timeout_s: float) -> bool:
        """Sleep until something is so, at most some modelled seconds; tells whether it is.

        ``ready`` is asked whenever another thread calls ``notify``, ``sleep`` or ``leave``.
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
        """What somebody waits for may have come about."""
        with self._lock:
            self._settle()

    async def pause(self, seconds: float) -> None:
        """Hold an answer back: sleep in the stead of the thread that waits for it."""
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
        """Wake whoever is ready; where nobody is at work, jump to the next wake-up."""
        for sleeper in [each for each in self._sleepers if each.ready()]:
            self._rouse(sleeper)
        if self._sleepers and len(self._sleepers) >= self._participants:
            soonest = min(each.wake_at for each in self._sleepers)
            if soonest == float("inf"):
                raise RuntimeError("everybody sleeps and nobody has a deadline")
            self._now = max(self._now, soonest)
            for sleeper in [each for each in self._sleepers if each.wake_at <= self._now]:
                self._rouse(sleeper)

    def _rouse(self, sleeper: _Sleeper) -> None:
        self._sleepers.remove(sleeper)
        sleeper.awake.set()
        if sleeper.wake is not None:
            sleeper.wake()
