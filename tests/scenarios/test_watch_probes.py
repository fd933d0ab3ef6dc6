"""Probes of a watch that Azure runs: asked beside the readings, and never counted twice."""

from __future__ import annotations

from itertools import pairwise

import pytest

from erfailover.commands.probes import runner
from erfailover.commands.watch.probing import ProbeAsker
from erfailover.model.watch import Signal, SignalStatus
from erfailover.planning.probes.results import ProbeResult
from tests.support.stage import Stage
from tests.support.watched import open_context, set_watch, watching

RUN_COMMAND_S = 17.0


class Machine:
    """A machine on which each probe takes a while."""

    def __init__(self, stage: Stage, *, up: bool | None = True, took_s: float = RUN_COMMAND_S):
        self.stage, self.up, self.took_s = stage, up, took_s
        self.asked: list[float] = []

    def run(self, context: object, names: dict[str, bool]) -> list[ProbeResult]:
        self.asked.append(self.stage.clock.now())
        self.stage.clock.sleep(self.took_s)
        return [ProbeResult(name, "ping", self.up, True, str(len(self.asked))) for name in names]


@pytest.fixture
def machine(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Machine:
    result = Machine(stage)
    monkeypatch.setattr(runner, "run", result.run)
    return result


@pytest.fixture
def asker(provisioned: Stage, machine: Machine) -> ProbeAsker:
    set_watch(provisioned.folder, probes="[office]")
    return ProbeAsker(open_context(provisioned))


def collect(asker: ProbeAsker, *, is_needed: bool) -> str:
    """Return which run of the probes a reading collects."""
    asker.begin()
    results = asker.collect(is_needed=is_needed, waits=True)
    return results[0].output if results else ""


def test_the_first_reading_waits_and_the_next_takes_what_is_there(
    asker: ProbeAsker, machine: Machine
) -> None:
    clock = machine.stage.clock
    began = clock.now()
    assert collect(asker, is_needed=False) == "1"
    assert clock.now() - began == RUN_COMMAND_S
    clock.sleep(13.0)
    assert collect(asker, is_needed=False) == "1"
    assert clock.now() - began == RUN_COMMAND_S + 13.0
    clock.sleep(30.0)
    assert collect(asker, is_needed=False) == "2"


def test_a_result_never_counts_twice_if_another_signal_is_down(
    asker: ProbeAsker, machine: Machine
) -> None:
    machine.up = False
    results = [collect(asker, is_needed=True) for _ in range(6)]
    assert results == ["1", "2", "3", "4", "5", "6"]
    assert collect(asker, is_needed=False) == "6"


def test_results_that_count_are_five_seconds_apart(asker: ProbeAsker, machine: Machine) -> None:
    machine.up, machine.took_s = False, 1.0
    for _ in range(6):
        collect(asker, is_needed=True)
    asked = machine.asked
    assert min(later - asked_s for asked_s, later in pairwise(asked)) >= 6.0


def test_probes_that_fail_are_asked_twice_in_an_interval_at_most(
    asker: ProbeAsker, machine: Machine
) -> None:
    machine.up = False
    collect(asker, is_needed=False)
    machine.stage.clock.sleep(3600.0)
    assert len(machine.asked) == 2


def test_what_is_old_or_from_before_a_switch_is_not_used(
    asker: ProbeAsker, machine: Machine
) -> None:
    clock = machine.stage.clock
    assert collect(asker, is_needed=False) == "1"
    clock.sleep(91.0)
    assert collect(asker, is_needed=False) == "2"
    asker.begin()
    clock.sleep(1.0)
    asker.forget()
    assert asker.collect(is_needed=False, waits=False) == []
    assert collect(asker, is_needed=False) == "4"


def test_a_bug_ends_the_wait(asker: ProbeAsker, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> list[ProbeResult]:
        raise ZeroDivisionError

    monkeypatch.setattr(runner, "run", fail)
    with pytest.raises(ZeroDivisionError):
        collect(asker, is_needed=False)


def test_readings_are_as_quick_as_without_a_machines_probe(
    provisioned: Stage, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.took_s = 25.0
    with watching(provisioned, monkeypatch, probes="[office]") as watched:
        watched.run_for(200.0)
        view = watched.watcher.view
        assert view.reading is not None
        assert view.reading_s is not None
        assert view.reading_s < 15.0
        assert view.reading.signals[Signal.PROBES].status is SignalStatus.UP
        assert watched.states == ["HEALTHY"]
