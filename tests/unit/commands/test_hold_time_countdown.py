"""The countdown of the hold time: on one line of a terminal, a line an event elsewhere."""

from __future__ import annotations

import io
import re

from rich.console import Console

from erfailover.commands.switch.hold_time import Countdown
from erfailover.lab.core.clock import SteppedClock
from erfailover.model.conditions import Condition, ConditionStatus

SEEN = "er: every remote prefix seen for 20 s of 2 min; " + "the session is up " * 10


def waiting(verdict: ConditionStatus = ConditionStatus.FAILS) -> Condition:
    return Condition("held", verdict, SEEN)


def render_countdown(*, terminal: bool) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=80, soft_wrap=True)
    clock = SteppedClock()
    with Countdown(console, clock) as countdown:
        for number in range(10):
            countdown.show(100.0 - 10 * number, waiting(), restarts=int(number > 5))
            clock.sleep(10.0)
        countdown.show(50.0, waiting(ConditionStatus.UNKNOWN), restarts=1)
    return file.getvalue()


def test_what_is_piped_has_a_line_for_each_event() -> None:
    lines = render_countdown(terminal=False).splitlines()
    assert [line.split(" left")[0] for line in lines] == [
        "Waiting for the hold time: 1 min 40 s",
        "Waiting for the hold time: 40 s",
        "Waiting for the hold time: 50 s",
    ]


def test_a_terminal_has_one_line_that_is_gone_at_the_end() -> None:
    message = render_countdown(terminal=True)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", message)
    lines = [part for part in re.split(r"[\r\n]+", text) if part.strip()]
    assert lines
    assert all(len(line) <= 80 and line.startswith("Waiting for the hold") for line in lines)
    assert message.count("\n") <= 1
    assert "\x1b[2K" in message


def test_the_line_counts_down_between_two_readings() -> None:
    clock = SteppedClock()
    countdown = Countdown(Console(file=io.StringIO()), clock)
    countdown.show(95.0, waiting(), 0)
    clock.sleep(3.0)
    assert str(countdown._render_line()).startswith("Waiting for the hold time: 1 min 32 s left")
    clock.sleep(200.0)
    assert str(countdown._render_line()).startswith("Waiting for the hold time: 0 s left")
