"""Messages on a terminal: no word is broken, whichever way they take. Piped lines stay whole."""

from __future__ import annotations

import io

import pytest

from erfailover.cli import main
from erfailover.commands.output import Output, fit_text, show

MESSAGE = "spoke vnet-prod-weu-erp-001 is left out: its VNet could not be read, expected Succeeded "
COMMAND = f"To go back: erfailover switch --to expressroute {'--spoke vnet-prod-weu-erp-001 ' * 4}"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminals(monkeypatch: pytest.MonkeyPatch) -> tuple[Terminal, Terminal]:
    """Put terminals in place of standard output and standard error."""
    out, err = Terminal(), Terminal()
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    return out, err


def words_are_whole(text: str) -> bool:
    lines = text.splitlines()
    return " ".join(" ".join(lines).split()) == " ".join(f"{MESSAGE * 3}".split()) and all(
        len(line) <= 80 for line in lines
    )


def test_a_message_is_broken_at_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    _, err = terminals(monkeypatch)
    Output().print_info(MESSAGE * 3)
    assert words_are_whole(err.getvalue())


def test_a_result_is_broken_at_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = terminals(monkeypatch)
    Output().print_result(MESSAGE * 3, {})
    assert words_are_whole(out.getvalue())


def test_code_is_printed_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = terminals(monkeypatch)
    Output().print_result(MESSAGE * 3, {}, as_it_is=True)
    assert out.getvalue() == MESSAGE * 3 + "\n"


def test_an_error_and_its_hint_are_broken_at_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    _, err = terminals(monkeypatch)
    assert main.invoke(["status", "--site", "folder/" * 20, "--query", "["]) == 2
    lines = err.getvalue().splitlines()
    assert lines
    assert all(len(line) <= 80 or "folder/folder/" in line for line in lines)


def test_a_command_to_be_typed_stays_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminals(monkeypatch)
    assert fit_text(COMMAND) == COMMAND


def test_what_is_piped_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    Output().print_info(MESSAGE * 3)
    show(MESSAGE * 3, {}, "table")
    out, err = capsys.readouterr()
    assert out.rstrip("\n") == MESSAGE * 3
    assert err.rstrip("\n") == MESSAGE * 3
