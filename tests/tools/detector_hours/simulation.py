"""The watcher's loop in a made-up world: readings, decisions, switches, an operator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from erfailover.model.history import RunRecord
from erfailover.model.site import Path
from erfailover.model.watch import (
    Observation,
    Pause,
    Signal,
    SignalStatus,
    SpokeState,
    WatchReading,
    WatchState,
)
from erfailover.planning.watch.assessment import assess
from erfailover.planning.watch.history import AUTOMATIC_REASON, SwitchHistory, build_history
from erfailover.planning.watch.memory import Memory, from_data
from erfailover.planning.watch.policy import Action
from tests.tools.detector_hours.spans import Span, Spans, find_longest_free
from tests.tools.detector_hours.world import HOUR_S, World, build_world

UP, DOWN, UNKNOWN = SignalStatus.UP, SignalStatus.DOWN, SignalStatus.UNKNOWN
MISSED_S = 180.0
"""A failure that could be seen and acted on for longer than this must have led to a switch."""
DAY_S = 86400.0


@dataclass
class Outcome:
    """What happened in some hours."""

    hours: float = 0.0
    readings: int = 0
    failures: int = 0
    long_failures: int = 0
    switches: int = 0
    failbacks: int = 0
    lockouts: int = 0
    longest_wait_s: float = 0.0
    """The longest part of a failure that could be seen and acted on, before the switch."""
    wrong: list[str] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Add what happened in other hours."""
        for name, value in vars(other).items():
            before = getattr(self, name)
            setattr(self, name, max(before, value) if name.endswith("_s") else before + value)

    @property
    def is_clean(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.wrong or self.forbidden or self.missed)


class Simulation:
    """One watcher in one world."""

    def __init__(self, world: World, random: Random) -> None:
        self.world, self.random = world, random
        self.outcome = Outcome(hours=(world.end - world.start) / HOUR_S)
        self.memory, self.history = Memory(), SwitchHistory()
        self.runs: list[RunRecord] = []
        self.on_backup = False
        self.away: list[Span] = []
        """When the spokes were on the backup, when a cooldown or a lockout was in force."""
        self.automatic: list[float] = []
        self.cooldown: list[Span] = []
        self.locked_at: float | None = None
        self.obstacles = world.list_obstacles()

    def run(self) -> Outcome:
        """Watch from the beginning to the end."""
        at, world = self.world.start, self.world
        operators = iter(world.operators.spans)
        operator = next(operators, None)
        recovered: float | None = None
        while at < world.end:
            while operator is not None and operator[1] <= at:
                self._record(operator, "an operator's")
                operator = next(operators, None)
            began = at
            ended = began + self.random.uniform(0.2, 8)
            if world.silent.holds(began) and self.random.random() < 0.5:
                at = began + world.rules.interval_s
                continue
            reading = self._read(began, ended)
            self.outcome.readings += 1
            at = self._act(began, reading)
            if self.random.random() < 0.02:  # a standby takes over, with the memory that was kept
                self.memory = from_data(json.loads(json.dumps(self.memory.to_data())))
            if self.locked_at is not None and at > self.locked_at + 2 * HOUR_S:
                self.away.append((self.locked_at, at))
                self.memory, self.locked_at = self.memory.unlock(at), None
            recovered = self._fail_back_by_hand(at, recovered)
        if self.locked_at is not None:
            self.away.append((self.locked_at, at))
        if self.on_backup:
            self.away[-1] = (self.away[-1][0], at)
        self._find_missed()
        return self.outcome

    def _fail_back_by_hand(self, at: float, recovered: float | None) -> float | None:
        """Have an operator switch back an hour after the primary is back."""
        if not self.on_backup or self.memory.state is not WatchState.RECOVERING:
            return None
        if recovered is None or at < recovered + HOUR_S or self.world.down.holds(at):
            return at if recovered is None else recovered
        self._move(at, at + 30, Path.EXPRESSROUTE, "an operator's")
        return None

    def _read(self, began: float, ended: float) -> WatchReading:
        world = self.world
        moments = {signal: self.random.uniform(began, ended) for signal in world.signals}
        signals = {
            signal: Observation(self._see(signal, moment)) for signal, moment in moments.items()
        }
        path = str(Path.IPSEC if self.on_backup else Path.EXPRESSROUTE)
        spokes: tuple[SpokeState, ...] = (SpokeState("spoke1", path), SpokeState("spoke2", path))
        backup = (
            UNKNOWN
            if world.backup_unknown.holds(ended)
            else DOWN
            if world.unready.holds(ended)
            else UP
        )
        witness = UP
        if world.cut_off.touches(began, ended):
            witness = DOWN
            worst = self.random.choice([DOWN, UNKNOWN])
            signals = dict.fromkeys(signals, Observation(worst))
        elif world.silent.holds(began):
            signals, spokes = dict.fromkeys(signals, Observation(UNKNOWN)), ()
        operator = "anna@ops1" if world.operators.touches(began, ended) else None
        return WatchReading(
            at=ended,
            signals=signals,
            backup=Observation(backup),
            spokes=spokes,
            witness=Observation(witness),
            operator_run=operator,
        )

    def _see(self, signal: Signal, at: float) -> SignalStatus:
        world = self.world
        if world.unknown[signal].holds(at):
            return UNKNOWN
        return DOWN if world.down.holds(at) is not world.lies[signal].holds(at) else UP

    def _act(self, began: float, reading: WatchReading) -> float:
        """Act on a reading; return when the next begins."""
        world, at = self.world, reading.at
        pause = Pause("work", since=began) if world.pauses.holds(at) else None
        result = assess(
            "poc",
            self.memory,
            reading,
            world.rules,
            world.hold_time_s,
            self.history,
            at,
            pause,
        )
        self.memory = result.step.memory
        if self.memory.locked_out is not None and self.locked_at is None:
            self.locked_at = at
            self.outcome.lockouts += 1
            if self._count_day(at) < world.rules.max_switches_per_day:
                self.outcome.forbidden.append(f"{at:.1f}: locked out below the limit")
        if result.decision.action is Action.SWITCH and result.decision.target is not None:
            self._judge(began, at, result.decision.target)
            ended = at + self.random.uniform(5, 40)
            self.automatic.append(at)
            self._move(at, ended, result.decision.target, AUTOMATIC_REASON)
            return ended
        return max(at, began) + max(0.1, began + result.step.next_reading_in_s - at)

    def _count_day(self, at: float) -> int:
        since = max(at - DAY_S, self.memory.counted_from)
        return sum(moment > since for moment in self.automatic)

    def _judge(self, began: float, at: float, target: Path) -> None:
        """Judge a switch by the truth."""
        world, outcome = self.world, self.outcome
        where = f"{at:.1f} ({target})"
        if target is Path.IPSEC:
            outcome.switches += 1
            if not world.down.touches(began, at):
                outcome.wrong.append(f"{where}: the primary was up")
        else:
            outcome.failbacks += 1
            if all(world.down.holds(at - ago) for ago in (0, at - began)):
                outcome.wrong.append(f"{where}: the primary was down")
        if any(start <= at < end for start, end in self.cooldown):
            outcome.forbidden.append(f"{where}: within the cooldown")
        if self._count_day(at) >= world.rules.max_switches_per_day:
            outcome.forbidden.append(f"{where}: too many in a day")
        if self.locked_at is not None:
            outcome.forbidden.append(f"{where}: locked out")
        # Maintenance, pauses, operators' runs and their cooldowns.
        if any(spans.holds(at) for spans in self.obstacles[-4:]):
            outcome.forbidden.append(f"{where}: withheld by the operator")

    def _move(self, began: float, ended: float, target: Path, reason: str) -> None:
        if target is Path.IPSEC:
            self.away.append((began, self.world.end))
        else:
            self.away[-1] = (self.away[-1][0], ended)
        self.on_backup = target is Path.IPSEC
        self.cooldown.append((ended, ended + self.world.rules.cooldown_s))
        self._record((began, ended), reason)

    def _record(self, span: Span, reason: str) -> None:
        began, ended = (datetime.fromtimestamp(at, UTC).isoformat() for at in span)
        self.runs.append(
            RunRecord(str(len(self.runs)), "switch", began, ended=ended, reason=reason)
        )
        self.runs = self.runs[-40:]
        self.history = build_history(self.runs)

    def _find_missed(self) -> None:
        obstacles = [*self.obstacles, Spans(self.away), Spans(self.cooldown)]
        for failure in self.world.down.spans:
            lasted_s = failure[1] - failure[0]
            self.outcome.failures += 1
            self.outcome.long_failures += lasted_s > MISSED_S
            free = find_longest_free(failure, obstacles)
            free_s = free[1] - free[0]
            self.outcome.longest_wait_s = max(self.outcome.longest_wait_s, free_s)
            if free_s > MISSED_S:
                self.outcome.missed.append(f"{free[0]:.1f}: {free_s:.0f} s of {lasted_s:.0f} s")


def iter_outcomes(seed: int, hours: float, hours_a_world: float = 25.0) -> Iterator[Outcome]:
    """Watch world after world, for so many hours in all."""
    number = 0
    while hours > 0:
        random = Random(f"{seed}/{number}")
        part = min(hours, hours_a_world)
        yield Simulation(build_world(random, part), random).run()
        hours, number = hours - part, number + 1


def run_hours(seed: int, hours: float) -> Outcome:
    """Return what happened in all hours."""
    total = Outcome()
    for outcome in iter_outcomes(seed, hours):
        total.add(outcome)
    return total
