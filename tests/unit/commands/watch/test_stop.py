"""What a watch begins and completes when it is told to stop."""

from __future__ import annotations

import threading

from erfailover.commands.watch.stop import Gate, Stop
from erfailover.runtime.clock import SystemClock, start


def test_what_is_under_way_is_known_and_nothing_else_begins() -> None:
    gate = Gate()
    with gate.enter() as may_act:
        assert may_act
        assert gate.close()
    assert not gate.close()
    with gate.enter() as may_act:
        assert not may_act
        assert not gate.close()


def test_an_empty_gate_is_closed_at_once() -> None:
    gate = Gate()
    with gate.enter():
        pass
    assert not gate.close()


def test_something_begins_or_is_refused_but_is_never_missed() -> None:
    for _ in range(500):
        gate, together = Gate(), threading.Barrier(2)
        acted: list[bool] = []

        def act(
            gate: Gate = gate, together: threading.Barrier = together, acted: list[bool] = acted
        ) -> None:
            together.wait()
            with gate.enter() as may_act:
                acted.append(may_act)
                together.wait()

        thread = threading.Thread(target=act)
        thread.start()
        together.wait()
        under_way = gate.close()
        together.wait()
        thread.join()
        assert acted == [under_way]


def test_whoever_waits_is_woken() -> None:
    clock = SystemClock(50.0)
    stop = Stop(clock)
    waiting = start(clock, lambda: stop.wait(60.0))
    assert not stop.wait(0.05)
    stop.set()
    assert clock.wait_for(waiting.done, 50.0)
    assert waiting.result()
