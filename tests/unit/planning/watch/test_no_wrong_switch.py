"""No sequence of readings, however wild, makes a switch that a limit forbids.

The readings of these tests obey nothing: statuses, places, gaps and clocks are arbitrary. What was
switched is kept apart from the code under test and judged in another way.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from erfailover.model.site import Path
from erfailover.model.watch import Pause
from erfailover.model.watch_settings import MaintenanceWindow
from erfailover.planning.watch.assessment import assess
from erfailover.planning.watch.history import SwitchHistory
from erfailover.planning.watch.memory import Memory, from_data
from erfailover.planning.watch.policy import Action
from tests.unit.planning.watch.scenes import HOLD_S, NIGHT, PLACES, RULES, read

DAY_S = 86400
WINDOW = MaintenanceWindow("23:00", "01:00")


@dataclass
class World:
    """A watcher, and what it was seen to do."""

    rules: Any
    memory: Memory = field(default_factory=Memory)
    at: float = NIGHT
    switches: list[tuple[float, Path]] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    down_readings: list[float] = field(default_factory=list)
    resumed: float = 0.0
    judges: bool = True

    def take(
        self, gap_s: float, signals: str, place: str, backup: str, witness: str, control: str
    ) -> None:
        """Take one more reading; a switch that is decided is made and takes 20 s."""
        self.at += gap_s
        if control == "resume":
            self.memory, self.resumed = self.memory.unlock(self.at), self.at
        pause = Pause("work", since=0) if control == "paused" else None
        operator = "anna" if control == "operator" else None
        reading = read(
            signals, self.at, place=place, backup=backup, witness=witness, operator=operator
        )
        history = SwitchHistory(
            max(self.ends, default=None), "a switch", tuple(at for at, _ in self.switches)
        )
        result = assess("poc", self.memory, reading, self.rules, HOLD_S, history, self.at, pause)
        self.memory = from_data(result.step.memory.to_data())
        usable = witness == "U" and set(PLACES[place]) - {"unknown"}
        if result.decision.action is Action.SWITCH:
            if self.judges:
                self._judge(result.decision.target, signals, place, backup, witness, control)
            self.switches.append((self.at, result.decision.target or Path.IPSEC))
            self.at += 20
            self.ends.append(self.at)
        if operator:
            self.ends.append(self.at)
        if usable and signals.count("D") > 1:
            self.down_readings.append(reading.at)

    def _judge(
        self,
        target: Path | None,
        signals: str,
        place: str,
        backup: str,
        witness: str,
        control: str,
    ) -> None:
        assert control not in ("paused", "operator")
        assert witness == "U"
        assert self.memory.locked_out is None
        for end in self.ends:
            assert not end - 1e-6 <= self.at < end + self.rules.cooldown_s
        today = [at for at, _ in self.switches if at > max(self.at - DAY_S, self.resumed)]
        assert len(today) < self.rules.max_switches_per_day
        minute = int(self.at // 60) % 1440
        assert 60 <= minute < 23 * 60
        paths = set(PLACES[place])
        if target is Path.IPSEC:
            assert backup == "U"
            assert signals.count("D") > 1
            assert "expressroute" in paths or "ipsec" not in paths
            assert any(self.at - at >= 5 for at in self.down_readings)
        else:
            assert set(signals) == {"U"}
            assert "ipsec" in paths
            assert "expressroute" not in paths


SIGNALS = st.sampled_from(["DDD", "DDU", "UUU", "UUU", "DUU", "??D", "???", "D?D", "UU?"])
GAPS = st.sampled_from([0.5, 5, 5.5, 6, 30, 60, 119, 121, 500, 1781, 2000]) | st.floats(
    0, 30000, allow_nan=False
)
STEPS = st.lists(
    st.tuples(
        GAPS,
        SIGNALS,
        st.sampled_from(["primary"] * 5 + ["backup"] * 5 + sorted(PLACES)),
        st.sampled_from("UUUUD?"),
        st.sampled_from("UUUUUD?"),
        st.sampled_from([""] * 9 + ["paused", "operator", "resume"]),
    ),
    min_size=5,
    max_size=120,
)
LAX = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)


@LAX
@given(STEPS, st.sampled_from([1, 2, 5]), st.sampled_from([60.0, 1800.0]))
def test_no_sequence_of_readings_breaks_a_limit(
    steps: list[Any], most: int, cooldown_s: float
) -> None:
    rules = replace(
        RULES,
        failback="automatic",
        max_switches_per_day=most,
        cooldown_s=cooldown_s,
        maintenance=(WINDOW,),
    )
    world = World(rules)
    for step in steps:
        world.take(*step)


@LAX
@given(STEPS, st.lists(st.floats(-5000, 0), max_size=5))
def test_a_clock_that_goes_backwards_makes_no_two_switches_within_the_cooldown(
    steps: list[Any], jumps: list[float]
) -> None:
    """The end of the last switch is then in the future: nothing is switched until it is past."""
    rules = replace(RULES, failback="automatic", max_switches_per_day=99)
    world = World(rules, judges=False)
    for number, step in enumerate(steps):
        if number % 7 == 6 and jumps:
            world.at += jumps.pop()
        before, ends, at = len(world.switches), list(world.ends), world.at + step[0]
        world.take(*step)
        if len(world.switches) > before:
            assert all(at >= end + rules.cooldown_s for end in ends)


def test_the_sequences_do_make_switches() -> None:
    """A long plain sequence: failure, recovery, failback; so the tests above can fail."""
    world = World(replace(RULES, failback="automatic", maintenance=(WINDOW,)))
    for signals, place, gap_s in [
        ("UUU", "primary", 30),
        ("DDU", "primary", 30),
        ("DDU", "primary", 6),
        ("UUU", "backup", 1900),
        ("UUU", "backup", 100),
        ("UUU", "backup", 100),
        ("DDU", "primary", 1900),
        ("DDU", "primary", 6),
    ]:
        world.take(gap_s, signals, place, "U", "U", "")
    assert [target for _, target in world.switches] == [Path.IPSEC, Path.EXPRESSROUTE]
    assert world.memory.locked_out is not None
