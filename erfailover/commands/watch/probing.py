"""The probes of a watch: those that run here at each reading, those that Azure runs beside it.

A probe by Run Command takes 17 s, and 52 s at the 90th percentile (recorded): longer than all else
that a reading waits for. So such probes are asked beside the readings, and a reading takes the last
result. It waits for a new one if another signal is down: no result counts in two such readings.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from erfailover.commands.context import Context
from erfailover.commands.probes import runner
from erfailover.errors import Failure
from erfailover.model.probes import LOCAL
from erfailover.model.watch import SignalStatus
from erfailover.planning.probes.results import ProbeResult
from erfailover.planning.watch import signals
from erfailover.runtime.clock import start

OLDEST_S = 60.0
"""How old the last result may be, beyond an interval, in seconds."""
WAIT_S = 3600.0
ASKS = 2
"""How often probes that fail are asked from one reading to the next, at most."""


@dataclass(frozen=True)
class _Answer:
    """What probes have answered, and when they were asked and have answered, in seconds."""

    asked_s: float
    answered_s: float
    results: Sequence[ProbeResult] = ()


@dataclass
class ProbeAsker:
    """Asks the probes of a watch. Used from one thread.

    Attributes:
        context: the site.
    """

    context: Context
    _latest: _Answer | None = None
    _used: _Answer | None = None
    _running: Future[None] | None = None
    _asks: int = 0
    """How often the probes may be asked before the next reading."""
    _not_before_s: float = float("-inf")

    def begin(self) -> None:
        """Begin what is asked beside a reading, unless it is under way."""
        if self._select(local=False):
            self._asks = ASKS
            if self._running is None or self._running.done():
                self._running = start(self.context.clock, self._ask_beside, "probes")

    def ask_here(self) -> list[ProbeResult]:
        """Return the results of the probes that run here, asked now."""
        return self._run(self._select(local=True))

    def collect(self, *, is_needed: bool, waits: bool) -> list[ProbeResult]:
        """Return the last results of the other probes; none if they are too old.

        Args:
            is_needed: whether another signal is down: then none that was returned before.
            waits: whether to wait for results that are needed, or not too old.
        """
        if not self._select(local=False):
            return []
        while waits and not self._is_usable(is_needed):
            if self._running is None or self._running.done():
                self.begin()
            self._wait(is_needed)
        if not self._is_usable(is_needed):
            return []
        self._used = self._latest
        return list(self._used.results) if self._used else []

    def forget(self) -> None:
        """Use nothing that was asked before now: the paths have changed."""
        self._not_before_s = self.context.clock.now()

    def _is_usable(self, is_needed: bool) -> bool:
        answer = self._latest
        if answer is None or answer.asked_s < self._not_before_s:
            return False
        age_s = self.context.clock.now() - answer.answered_s
        if age_s > self.context.site_file.site.watch.interval_s + OLDEST_S:
            return False
        return not (is_needed and answer is self._used)

    def _wait(self, is_needed: bool) -> None:
        """Wait for an answer that can be used, or until no more is asked."""
        running = self._running
        if running is None:
            return
        self.context.clock.wait_for(lambda: self._is_usable(is_needed) or running.done(), WAIT_S)
        if running.done():
            running.result()  # raises what is a bug

    def _ask_beside(self) -> None:
        """Ask; again if the results are down, for the next readings need new ones."""
        clock, watch = self.context.clock, self.context.site_file.site.watch
        while self._asks > 0:
            self._asks -= 1
            asked_s = clock.now()
            results = self._run(self._select(local=False))
            self._latest = _Answer(asked_s, clock.now(), results)
            clock.notify()
            if signals.judge_probes(self._latest.results).status is not SignalStatus.DOWN:
                return
            clock.sleep(watch.confirm_after_s)  # a machine runs one command at a time: others' turn

    def _select(self, *, local: bool) -> dict[str, bool]:
        """Return the probes of the watch that run here, or those that do not; all should pass."""
        site = self.context.site_file.site
        names = site.watch.probes
        return {name: True for name in names if isinstance(site.probes[name], LOCAL) is local}

    def _run(self, names: dict[str, bool]) -> list[ProbeResult]:
        if not names:
            return []
        try:
            return runner.run(self.context, names)
        except Failure:
            return []
