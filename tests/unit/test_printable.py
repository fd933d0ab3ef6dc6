"""Control characters from outside never reach a terminal."""

from __future__ import annotations

import io
import os
import re
import sys

import pytest
from rich.table import Table
from rich.text import Text

from erfailover.cli.main import invoke
from erfailover.commands.output import Output
from erfailover.errors import DRAWING, STYLE, AzureErrorKind, AzureFailure, escape_controls
from erfailover.reporting.console import CleanConsole
from erfailover.reporting.screen import Screen
from erfailover.runtime.logs import TextFormat
from erfailover.runtime.streams import LastingStream

HOSTILE = (
    "\x1b]0;owned\x07 \x1b[2J \x1b[31mred \x9b31m \x9d0;x\x9c \x08\x08 \r back \x7f "
    "\u202eevil\u202c \u2066x\u2069 \x00 \x1bP q \x1b\\ \ud800"
)
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def test_every_control_character_is_shown_as_an_escape() -> None:
    everything = "".join(map(chr, range(0x3000))) + "\ud800\udfff"
    assert CONTROLS.search(escape_controls(everything)) is None
    assert escape_controls("\x1b\x9b\u202e") == r"\x1b\x9b\u202e"
    assert escape_controls("Zürich\n\tφ ✓ ╔") == "Zürich\n\tφ ✓ ╔"
    assert escape_controls("a\r\nb") == "a\nb"


def test_only_styles_or_what_draws_a_live_display_can_be_let_through() -> None:
    assert (
        escape_controls("\x1b[1;31mred\x1b[0m\x1b[2J", STYLE) == "\x1b[1;31mred\x1b[0m" + r"\x1b[2J"
    )
    live = "\r\x1b[2K\x1b[1A\x1b[?25l\x1b[?1049h\x1b[H"
    assert escape_controls(live + "\x1b]8;;http://x\x07", DRAWING) == live + r"\x1b]8;;http://x\x07"


def test_a_failure_and_a_line_of_the_log_have_none() -> None:
    failure = AzureFailure(AzureErrorKind.REFUSED, HOSTILE, HOSTILE)
    assert CONTROLS.search(f"{failure} {failure.message} {failure.hint}") is None
    import logging

    record = logging.LogRecord("x", logging.INFO, "", 1, "%s", (HOSTILE,), None)
    assert CONTROLS.search(TextFormat().format(record)) is None


@pytest.mark.parametrize("is_terminal", [True, False])
def test_rich_shows_none_of_what_it_is_given(is_terminal: bool) -> None:
    out = io.StringIO()
    console = CleanConsole(file=out, force_terminal=is_terminal, color_system="standard", width=200)
    table = Table(title=HOSTILE)
    table.add_column(Text(HOSTILE))
    table.add_row(Text(HOSTILE, style="red"))
    for item in (HOSTILE, Text(HOSTILE, style="bold"), table):
        console.print(item, markup=False)
    assert CONTROLS.search(re.sub(STYLE, "", out.getvalue())) is None
    assert "owned" in out.getvalue()
    drawn = Screen(colour=True).render(Text(HOSTILE, style="red"))
    assert CONTROLS.search(re.sub(STYLE, "", drawn)) is None


def test_a_stream_lets_nothing_else_through() -> None:
    out = io.StringIO()
    LastingStream(out).write(HOSTILE)
    assert CONTROLS.search(re.sub(DRAWING, "", out.getvalue())) is None


@pytest.mark.parametrize("form", ["table", "json", "yaml", "tsv"])
def test_no_result_has_any(capsys: pytest.CaptureFixture[str], form: str) -> None:
    output = Output(form)
    output.print_result(HOSTILE, {"name": HOSTILE})
    output.print_info(HOSTILE)
    items = capsys.readouterr()
    assert CONTROLS.search(items.out + items.err) is None


def test_what_is_wrong_with_the_command_line_or_the_site_file_repeats_none(
    capsys: pytest.CaptureFixture[str], tmp_path: os.PathLike[str]
) -> None:
    site = os.path.join(tmp_path, "site.yaml")
    with open(site, "w", encoding="utf-8") as file:
        file.write('site: poc\n"ke\\e[31my\\a\u200f": 1\n')
    for words in (
        ["status", f"--{HOSTILE.replace(chr(0), '')}"],
        [HOSTILE],
        ["switch", "--to", HOSTILE],
        ["status", "--site", site],
        ["status", "--site", HOSTILE.replace("\0", "").replace("\ud800", "\udc9b")],
        ["status", "--query", HOSTILE],
        ["status", "--watch", "\x1b[31m5"],
    ):
        assert invoke(words) == 2
        items = capsys.readouterr()
        assert CONTROLS.search(items.out + items.err) is None, words
    assert sys.stdout.isatty() is False


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e308", "86401", "4", "x"])
def test_a_watch_needs_a_sensible_number_of_seconds(
    capsys: pytest.CaptureFixture[str], seconds: str
) -> None:
    assert invoke(["status", "--watch", seconds]) == 2
    assert "--watch" in capsys.readouterr().err
