"""The command line where no Azure is needed: help, loading, usage, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from erfailover.cli.main import invoke

COMMANDS = [
    "init",
    "provision",
    "status",
    "doctor",
    "permissions",
    "switch",
    "drill",
    "verify",
    "destroy",
    "lab",
    "demo",
]


def test_help_names_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["--help"]) == 0
    out = capsys.readouterr().out
    for command in COMMANDS:
        assert f"\n  {command} " in out
    assert "130  interrupted" in out


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "lab"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke([command, "--help"]) == 0
    assert "Usage: erfailover" in capsys.readouterr().out


def test_help_loads_nothing_that_is_not_needed_for_it() -> None:
    script = (
        "import sys\n"
        "from erfailover.cli.main import invoke\n"
        "invoke(['--help'])\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(loaded & {'azure', 'rich', 'yaml', 'pydantic', 'aiohttp', 'tenacity'}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_loads_nothing_that_only_commands_need() -> None:
    asks = (
        "import sys; from erfailover.cli.main import invoke; "
        "invoke(['--help']); print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
    loaded = {word.partition(".")[0] for word in ran.stdout.split()}
    assert "click" in loaded
    assert loaded.isdisjoint(
        {"azure", "jinja2", "jmespath", "pydantic", "pygraphviz", "requests", "rich", "yaml"}
        | {"cryptography", "filelock", "jwt", "psutil"}
    )


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["switch"], ["switch", "--to", "nowhere"], ["status", "--no-such-option"]],
)
def test_wrong_usage_exits_with_2_and_says_what_is_wrong(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(arguments) == 2
    assert "Error" in capsys.readouterr().err


def test_a_missing_site_file_is_named_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["status", "--site", str(tmp_path / "none.yaml")]) == 2
    err = capsys.readouterr().err
    assert "none.yaml" in err
    assert "erfailover init" in err
