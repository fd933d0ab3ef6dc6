"""What a shell user expects of a command line: examples, names, suggestions, its own commands."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from pathlib import Path

import click
import pytest

from erfailover import __version__
from erfailover.cli import version
from erfailover.cli.examples import EXAMPLES
from erfailover.cli.main import cli, invoke
from erfailover.cli.options import WordChoice
from erfailover.reporting import formats
from erfailover.reporting.formats import FORMATS
from tests.support.commands import every

COMMANDS = [name for name, _ in every()]


def help_of(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert invoke([*name.split(), "--help"] if name != "help" else ["help", "help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_a_summary_and_examples_and_fits_80_columns(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = help_of(name, capsys)
    usage, summary = text.split("\n\n")[:2]
    assert usage.startswith(f"Usage: erfailover {name}".rstrip())
    assert summary.strip().splitlines()[0][0].isupper()
    assert "\nExamples:\n" in text, f"erfailover/cli/examples.py has none for {name!r}"
    assert max(map(len, text.splitlines())) <= 80, text


def test_the_list_of_commands_cuts_no_summary_short(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    commands = help_of("", capsys).split("Commands:\n")[1].split("\n\n")[0]
    assert "..." not in commands
    assert len(commands.splitlines()) == len(cli.commands)


def split_example(line: str) -> list[str]:
    """The words after ``erfailover`` in an example; a shell's doing around it left out."""
    inside = re.search(r"\$\((erfailover .*?)\)", line)
    words = shlex.split((inside.group(1) if inside else line).replace("\\\n", " "))
    assert words[0] == "erfailover", line
    ends = [words.index(name) for name in (">", "|") if name in words]
    return words[1 : min(ends, default=None)]


@pytest.mark.parametrize(
    "line", [line for items in EXAMPLES.values() for _, line in items], ids=str
)
def test_every_example_can_be_typed(line: str) -> None:
    command: click.Command = cli
    words = split_example(line)
    ctx = click.Context(cli, info_name="erfailover")
    while isinstance(command, click.Group):
        name, result, words = command.resolve_command(ctx, words)
        assert result is not None
        assert name is not None
        command, ctx = result, result.make_context(name, list(words), parent=ctx)
        words = [*ctx._protected_args, *ctx.args]


def test_examples_are_of_commands_that_there_are() -> None:
    assert set(EXAMPLES) == set(COMMANDS)
    for name, items in EXAMPLES.items():
        for _, line in items:
            assert line.find(f"erfailover {name}".rstrip()) >= 0, (name, line)


def test_every_word_to_choose_is_suggested_where_it_is_mistyped() -> None:
    for name, command in every():
        for parameter in command.params:
            if isinstance(parameter.type, click.Choice):
                assert isinstance(parameter.type, WordChoice), (name, parameter.name)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("swich --to ipsec", "switch"),  # codespell:ignore swich
        ("statsu", "status"),
        ("drill strat", "start"),  # codespell:ignore strat
        ("switch --to ipesc", "ipsec"),
        ("switch --to expresroute", "expressroute"),
        ("status -o jsn", "json"),
        ("status --outptu json", "--output"),
        ("export teraform", "terraform"),  # codespell:ignore teraform
        ("schema staus", "status"),  # codespell:ignore staus
        ("completion bsh", "bash"),
        ("help swich", "switch"),  # codespell:ignore swich
    ],
)
def test_what_is_mistyped_is_suggested(
    line: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(line.split()) == 2
    err = capsys.readouterr().err
    assert "Did you mean" in err
    assert meant in err.split("Did you mean")[1]


def test_words_are_taken_in_whatever_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["version", "-o", "JSON"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_the_names_that_az_and_kubectl_have_are_the_same_here() -> None:
    for name, command in every():
        options = {param.name: set(param.opts) for param in command.params}
        if "output" in options:
            assert options["output"] == {"-o", "--output"}, name
            assert options["query"] == {"--query"}, name
        if "yes" in options:
            assert options["yes"] == {"-y", "--yes"}, name
        if "verbose" in options:
            assert options["verbose"] == {"-v", "--verbose"}, name


def test_the_formats_that_are_offered_are_those_that_there_are() -> None:
    assert FORMATS == formats.FORMATS


def test_a_wrong_query_is_told_before_anything_is_done(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "none.yaml"
    assert invoke(["switch", "--to", "ipsec", "--site", str(file), "--query", "a["]) == 2
    err = capsys.readouterr().err
    assert "--query" in err
    assert "character 3" in err
    assert "none.yaml" not in err


def test_a_query_without_a_format_prints_json_as_az_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert invoke(["version", "--query", "[erfailover]"]) == 0
    assert json.loads(capsys.readouterr().out) == [__version__]


def test_a_query_that_does_not_suit_the_result_exits_with_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert invoke(["version", "--query", "sum(python)"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "--query" in err


def test_version_tells_of_every_package_that_is_required() -> None:
    declared = configparser.ConfigParser()
    declared.read(Path(__file__).parents[3] / "setup.cfg")
    names = {
        extra: {re.split(r"[ \[>=<;]", line)[0] for line in lines.split("\n") if line}
        for extra, lines in {
            "": declared["options"]["install_requires"],
            **declared["options.extras_require"],
        }.items()
    }
    assert names[""] <= set(version.PACKAGES)
    items = set(version.EXTRAS)
    assert {extra for extra in names if extra not in ("", "dev")} >= items
    for extra in items:
        assert names[extra] == set(version.EXTRAS[extra])


def test_version_says_what_is_not_installed() -> None:
    data = version.build_data()
    data["extras"]["blob"]["azure-storage-blob"] = None
    assert "pip install 'erfailover[blob]'" in version.format_text(data)


def test_help_of_a_command_is_the_command_s_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["help", "drill", "start"]) == 0
    by_word = capsys.readouterr().out
    assert invoke(["drill", "start", "--help"]) == 0
    assert by_word == capsys.readouterr().out
    assert invoke(["help"]) == 0
    assert "Exit codes:" in capsys.readouterr().out


def test_help_of_what_has_no_commands_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["help", "switch", "now"]) == 2
    assert "'now'" in capsys.readouterr().err


ASKS = {"switch", "prestage", "unprestage", "provision", "destroy", "approve"}
ASKS |= {"drill run", "drill start", "drill stop"}


def options_of(command: click.Command) -> set[str]:
    return {name for param in command.params for name in (*param.opts, *param.secondary_opts)}


def test_yes_is_an_option_only_where_something_is_asked() -> None:
    takes = {name for name, command in every() if "--yes" in options_of(command)}
    assert takes == ASKS


def test_quiet_is_an_option_where_progress_is_shown() -> None:
    takes = {name for name, command in every() if {"-q", "--quiet"} <= options_of(command)}
    assert takes == {*ASKS, "verify"}


@pytest.mark.parametrize(
    "name", sorted({name for name, command in every() if "--site" in options_of(command)} - ASKS)
)
def test_yes_is_refused_where_nothing_is_asked(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*name.split(), *(["terraform"] if name == "export" else [])]
    assert invoke([*words, "--yes"]) == 2
    assert "No such option '--yes'" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["xml", "text", "html", "j"])
def test_a_word_that_resembles_none_is_not_taken_for_another(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["version", "-o", word]) == 2
    err = capsys.readouterr().err
    assert "Did you mean" not in err
    assert all(name in err for name in FORMATS)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("status --watch 2", "2 s is too small; expected at least 5 s."),
        ("status --watch 4.5", "4.5 s is too small; expected at least 5 s."),
        ("status --watch 100000", "100000 s is too large; expected at most 86400 s."),
        ("status --watch nan", "nan is not a number of seconds."),
        ("switch --to ipsec --max-failures -1", "-1 is too small; expected at least 0."),
    ],
)
def test_a_number_out_of_range_is_told_in_words(
    line: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(line.split()) == 2
    assert text in capsys.readouterr().err


WRITING = [name for name, command in every() if any(p.name == "take_over" for p in command.params)]


def test_every_command_that_writes_takes_a_reason_and_a_ticket() -> None:
    assert [
        *("provision", "destroy", "switch", "prestage", "unprestage", "drill start", "drill stop")
    ] == WRITING
    for name, command in every():
        options = {option for param in command.params for option in param.opts}
        assert ({"--reason", "--ticket"} <= options) is (name in (*WRITING, "drill run")), name


@pytest.mark.parametrize("ticket", ["", " ", "a b", "CHG/1", "x" * 65, "a\n", "é", "a\r\nX: y"])
def test_a_ticket_is_a_plain_word(ticket: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["switch", "--to", "ipsec", "--ticket", ticket]) == 2
    assert "expected 1 to 64 of the characters" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("reason", "wrong"),
    [
        *(("", "found none"), ("   ", "found none"), ("x" * 501, "found 501")),
        *((f"a{name}b", "a control character") for name in "\n\r\t\x1b\x00\x7f\x85"),
        *((f"a{name}b", "a control character") for name in "\u2028\u202e\u2066\udcff"),
    ],
)
def test_a_reason_is_one_line_of_text(
    reason: str, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["drill", "stop", "--reason", reason]) == 2
    err = " ".join(capsys.readouterr().err.split())
    assert wrong.replace("a control", "another control") in err


def test_a_moment_that_is_none_says_what_was_expected(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--since", "7x"], ["--since", "7d", "4f1d8a"], ["--format", "json"]):
        assert invoke(["history", *words]) == 2
    err = " ".join(capsys.readouterr().err.split())
    assert "expected a date (2026-11-01)" in err
    assert "omit RUN and --report" in err
