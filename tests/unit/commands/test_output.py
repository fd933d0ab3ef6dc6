"""Messages, questions and what they are about: on a terminal, in a pipe, and with --quiet."""

from __future__ import annotations

import io
import sys

import pytest

from erfailover.commands.output import Output
from erfailover.errors import Refused


class Terminal(io.StringIO):
    """Standard error or input of a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("terminal", "variables", "redraws"),
    [
        (True, {"TERM": "xterm-256color"}, True),
        (True, {"TERM": "xterm-256color", "NO_COLOR": "1"}, True),
        (True, {"TERM": "dumb"}, False),
        (True, {"TERM": "unknown"}, False),
        (False, {"TERM": "xterm-256color"}, False),
        (False, {"TERM": "xterm-256color", "FORCE_COLOR": "1"}, False),
        (False, {"TERM": "xterm-256color", "TTY_COMPATIBLE": "1"}, False),
    ],
)
def test_only_a_terminal_that_can_draw_anew_is_drawn_on(
    terminal: bool,
    variables: dict[str, str],
    redraws: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    assert Output().console.is_terminal is redraws


def capture_messages(monkeypatch: pytest.MonkeyPatch, output: Output, answer: str) -> str:
    """What a command prints that plans, warns and asks, up to the answer."""
    err = Terminal()
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    output.print_info("Reading poc ...")
    output.warn("!! the journal is damaged")
    output.present("Plan: switch poc")
    output.confirm("Switch poc?")
    output.print_info("done")
    return err.getvalue()


def test_without_quiet_everything_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert capture_messages(monkeypatch, Output(yes=True), "").splitlines() == [
        "Reading poc ...",
        "!! the journal is damaged",
        "Plan: switch poc",
        "done",
    ]


def test_quiet_with_yes_tells_only_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output(yes=True, quiet=True)
    assert capture_messages(monkeypatch, output, "") == "!! the journal is damaged\n"


def test_quiet_shows_the_plan_with_the_question_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    text = capture_messages(monkeypatch, Output(quiet=True), "y\n")
    lines = text.splitlines()
    assert lines[:2] == ["!! the journal is damaged", "Plan: switch poc"]
    assert lines[2].startswith("Switch poc? [y/N]:")
    assert "Reading" not in text
    assert "done" not in text


def test_quiet_shows_it_where_a_name_is_to_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    err = Terminal()
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(sys, "stdin", Terminal("er\n"))
    output = Output(quiet=True)
    output.present("Now: er has learned 10.5.0.0/16.")
    output.confirm_by_name("This cuts er off.", "er", None, "--gateway")
    assert err.getvalue().splitlines()[:2] == [
        "Now: er has learned 10.5.0.0/16.",
        "This cuts er off.",
    ]


def test_without_a_terminal_a_quiet_command_refuses_without_the_plan(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    output = Output(quiet=True)
    output.present("Plan: switch poc")
    with pytest.raises(Refused, match="Cannot prompt"):
        output.confirm("Switch poc?")
    assert capsys.readouterr().err == ""
