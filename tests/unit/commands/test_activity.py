"""What is waited for: a moving line on a terminal after two seconds, elsewhere a line an event."""

from __future__ import annotations

import re
import time
from io import StringIO

import pytest
from rich.console import Console

from erfailover.commands import activity
from erfailover.commands.activity import Activities
from erfailover.lab.core.clock import SteppedClock
from erfailover.reporting.progress import render_activity


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "PATIENCE_S", 0.05)


def activities(out: StringIO, *, terminal: bool, quiet: bool = False) -> Activities:
    console = Console(file=out, width=60, force_terminal=terminal)
    return Activities(console, SteppedClock(), console.print, is_quiet=quiet)


def wait_until_shown(result: Activities) -> None:
    deadline = time.monotonic() + 10.0
    while result._live is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert result._live is not None
    result._live.refresh()


@pytest.mark.usefixtures("patience")
def test_a_terminal_has_one_line_with_the_seconds_that_is_gone_at_the_end() -> None:
    out = StringIO()
    result = activities(out, terminal=True)
    with result.show_activity("Reading poc") as doing:
        result._clock.sleep(75.0)
        wait_until_shown(result)
        doing.say("Waiting for vng1")
        assert result._live
        result._live.refresh()
    message = out.getvalue()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", message)
    lines = {part.strip()[2:] for part in re.split(r"[\r\n]+", text) if part.strip()}
    assert lines == {"1 min 15 s  Reading poc", "1 min 15 s  Waiting for vng1"}
    assert message.count("\n") <= 1
    assert "\x1b[2K" in message


def test_what_takes_less_than_two_seconds_is_not_shown() -> None:
    out = StringIO()
    with activities(out, terminal=True).show_activity("Reading poc", announced=True):
        pass
    assert out.getvalue() == ""


@pytest.mark.usefixtures("patience")
def test_of_activities_within_one_another_the_inner_one_is_shown() -> None:
    out = StringIO()
    result = activities(out, terminal=True)
    with result.show_activity("Verifying"):
        with result.show_activity("Running 3 probes"):
            wait_until_shown(result)
        assert "Running 3 probes" in out.getvalue()
        assert str(result._render()).endswith("Verifying")
    assert result._live is None


def test_what_is_piped_has_a_line_for_each_event_and_nothing_that_moves() -> None:
    out = StringIO()
    result = activities(out, terminal=False)
    with result.show_activity("Reading poc") as silent:
        silent.say("Waiting for vng1")
        silent.say("Waiting for vng1")
        silent.say("Waiting for vng2")
    with result.show_activity("Running 3 probes", announced=True):
        pass
    assert out.getvalue().splitlines() == [
        "Waiting for vng1",
        "Waiting for vng2",
        "Running 3 probes ...",
    ]
    assert "\r" not in out.getvalue()
    assert "\x1b" not in out.getvalue()


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_shows_nothing(terminal: bool) -> None:
    out = StringIO()
    result = activities(out, terminal=terminal, quiet=True)
    with result.show_activity("Running 3 probes", announced=True) as doing:
        doing.say("Waiting for vng1")
        time.sleep(0.1)
    assert out.getvalue() == ""


def test_the_line_moves_and_its_seconds_come_first() -> None:
    lines = [str(render_activity("Reading poc", 12.4, frame)) for frame in range(5)]
    assert lines == [f"{name}   12 s  Reading poc" for name in "|/-\\|"]
