"""A clock for programs that are not on the stepped one: az, node, erfailover as a process."""

from __future__ import annotations

from erfailover.lab.core.clock import ScaledClock


class ResumedClock(ScaledClock):
    """Goes on, scaled, where another clock stood."""

    def __init__(self, speed: float, at: float) -> None:
        super().__init__(speed)
        self._at = at

    def now(self) -> float:
        """Modelled seconds since the first clock was made."""
        return self._at + super().now()
