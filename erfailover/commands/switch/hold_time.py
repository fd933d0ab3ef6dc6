"""The hold time of a switch back: read how long the primary has been healthy, and wait.

What counts is decided by ``planning.switch.hold_time``. Never writes.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.text import Text

from erfailover.azure.readers.circuits import read_edge_sessions
from erfailover.azure.readers.network import observe
from erfailover.commands.context import Context
from erfailover.commands.live_view import LiveView
from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.durations import format_duration
from erfailover.model.edge_sessions import EdgeSessions
from erfailover.model.observed import EXPRESSROUTE, SiteSnapshot
from erfailover.model.site import Role
from erfailover.planning import conditions
from erfailover.planning.switch import gates
from erfailover.planning.switch.hold_time import (
    READING_COUNTS_S,
    HoldTimeCount,
    SessionUptime,
    compute_left_s,
    describe_basis,
    find_longest_session,
)
from erfailover.runtime.clock import Clock, run_all

PAUSE_S = 5.0
"""The pause between two readings, which take 5 s: they must be at most 15 s apart."""
STAND_IN_PAUSE_S = 15.0
"""The same for a VPN gateway, whose own session has counted meanwhile."""


class HoldTime:
    """The hold time of one switch back."""

    def __init__(self, context: Context) -> None:
        self._context, self._site, self._clock = context, context.site, context.clock
        self._hold_s = context.site.timing.failback_hold_time_s
        self._count = HoldTimeCount()
        self._sessions: tuple[EdgeSessions, ...] | None = None
        self._sessions_read_s, self._restarts_known = 0.0, 0

    def describe_basis(self, observed: SiteSnapshot) -> str:
        """Return how the hold time is measured, in words; empty if the gateway is not known."""
        gateway = observed.gateways.get(Role.PRIMARY)
        if gateway is None:
            return ""
        if gateway.type != EXPRESSROUTE:
            return describe_basis(self._site, gateway.type)
        self._read_sessions()
        return describe_basis(self._site, gateway.type, self._get_longest_session())

    def wait(self, observed: SiteSnapshot, *, patient: bool) -> Condition:
        """Wait until the primary has been healthy for the hold time, with a countdown.

        Args:
            observed: with the primary's gateway.
            patient: whether to wait at all.

        Returns:
            Whether it has. Returns at the latest after twice the hold time and a minute, and as
            soon as waiting cannot help.
        """
        gateway = observed.gateways.get(Role.PRIMARY)
        express = gateway is not None and gateway.type == EXPRESSROUTE
        deadline = self._clock.now() + 2 * self._hold_s + 60.0
        if express:
            observed = self._observe(express=True)
        output = self._context.output
        with Countdown(output.console, self._clock, is_quiet=output.quiet) as countdown:
            while True:
                condition = gates.check_hold_time(
                    self._site, observed, self._count, self._get_longest_session()
                )
                left = self._compute_left_s(observed, condition, express=express)
                if left is None or not patient or self._clock.now() > deadline:
                    return condition
                countdown.show(left, condition, self._count.restarts)
                pause_s = PAUSE_S if express else min(left, STAND_IN_PAUSE_S)
                self._clock.sleep(max(1.0, pause_s))
                observed = self._observe(express=express)

    def _compute_left_s(
        self, observed: SiteSnapshot, condition: Condition, *, express: bool
    ) -> float | None:
        """Return how much longer to wait, in seconds; None if the wait is over or cannot help."""
        if condition.status is ConditionStatus.HOLDS:
            return None
        if express:
            started = self._count.last_s is not None or self._count.restarts > 0
            useless = condition.status is ConditionStatus.FAILS and not started
            return (
                None
                if useless
                else compute_left_s(self._count, self._get_longest_session(), self._hold_s)
            )
        gateway = observed.gateways.get(Role.PRIMARY)
        prefixes = self._site.remote_prefixes
        held_s = conditions.compute_held_s(gateway, prefixes) if gateway else None
        if held_s is None or condition.status is ConditionStatus.UNKNOWN:
            return None
        return max(1.0, self._hold_s - held_s)

    def _observe(self, *, express: bool) -> SiteSnapshot:
        """Read the primary's gateway; of ExpressRoute also what the hold time rests on.

        The sessions are read again if this reading may end the wait, and after a prefix was
        missing: they may have flapped.
        """
        reads: list[Callable[[], Any]] = [self._read_gateway]
        near = (
            compute_left_s(self._count, self._get_longest_session(), self._hold_s)
            <= READING_COUNTS_S
        )
        if express and (near or self._count.restarts > self._restarts_known):
            self._restarts_known = self._count.restarts
            reads.append(self._read_sessions)
        (at_s, observed), *_ = run_all(self._clock, reads)
        gateway, prefixes = observed.gateways.get(Role.PRIMARY), self._site.remote_prefixes
        learned = conditions.check_gateway_learned(gateway, Role.PRIMARY, prefixes)
        self._count = self._count.add_reading(at_s, learned)
        snapshot: SiteSnapshot = observed
        return snapshot

    def _read_gateway(self) -> tuple[float, SiteSnapshot]:
        """Return a picture of the primary's gateway, with when it was answered."""
        observed = observe(self._context.reader, self._site, [Role.PRIMARY], [])
        return self._clock.now(), observed

    def _read_sessions(self) -> None:
        gateway_id = self._site.build_gateway_id(self._site.primary.gateway)
        self._sessions = read_edge_sessions(self._context.reader, gateway_id)
        self._sessions_read_s = self._clock.now()

    def _get_longest_session(self) -> SessionUptime:
        """Return the longest session as it is now, if it has stayed up since it was read."""
        if self._sessions is None:
            return SessionUptime(None, "", ("not read yet",))
        session_uptime = find_longest_session(self._sessions, self._hold_s)
        return session_uptime.add_seconds(self._clock.now() - self._sessions_read_s)


class Countdown:
    """Shows how much of the hold time is left: on one line of a terminal, else a line an event."""

    def __init__(self, console: Console, clock: Clock, *, is_quiet: bool = False) -> None:
        self._console, self._clock, self._is_quiet = console, clock, is_quiet
        self._until_s, self._seen = 0.0, ""
        self._event: tuple[ConditionStatus, int] | None = None
        self._live = (
            LiveView(console, self._render_line) if console.is_terminal and not is_quiet else None
        )

    def __enter__(self) -> Countdown:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live and self._live.is_started:
            self._live.stop()

    def show(self, left_s: float, condition: Condition, restarts: int) -> None:
        """Show how long to wait yet, and what for.

        Args:
            left_s: how much is left, in seconds.
            condition: what was seen last.
            restarts: how often the count began again: each time is an event.
        """
        self._until_s, self._seen = self._clock.now() + left_s, condition.message
        event = condition.status, restarts
        if self._live is not None and not self._live.is_started:
            self._live.start()
        if self._live is None and event != self._event and not self._is_quiet:
            self._console.print(self._format_text(), markup=False)
        self._event = event

    def _format_text(self) -> str:
        duration = format_duration(max(0.0, self._until_s - self._clock.now()))
        return f"Waiting for the hold time: {duration} left; {self._seen}"

    def _render_line(self) -> Text:
        return Text(self._format_text(), no_wrap=True, overflow="ellipsis")
