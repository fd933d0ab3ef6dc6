"""Shell completion: by real shells where they are here, by their protocol where they are not."""

from __future__ import annotations

import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import pytest

from erfailover.cli import completion
from erfailover.config.loader import read_template

ROOT = Path(__file__).parents[3]
RUNS = ("4f1d8a0c2b3e", "9c0d1e2f3a4b")


@pytest.fixture
def shelf(tmp_path: Path) -> dict[str, str]:
    """A folder with a site file, a journal with two runs, and ``erfailover`` on the path."""
    program = tmp_path / "bin" / "erfailover"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m erfailover "$@"\n')
    program.chmod(0o755)
    (tmp_path / "erfailover.yaml").write_text(read_template())
    folder = tmp_path / "state" / "sites" / "poc-11111111-2222-3333-4444-555555555555"
    folder.mkdir(parents=True)
    records = [
        {"at": f"2026-01-0{at}T00:00:00+00:00", "run": run, "event": "begun", "command": "switch"}
        for at, run in enumerate(RUNS, 1)
    ]
    lines = [json.dumps({**record, "to": "ipsec"}) for record in records]
    (folder / "journal.jsonl").write_text("\n".join([*lines, '{"event": "begun"']))
    by_name = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {
        **by_name,
        "PATH": f"{program.parent}:{by_name['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "ERFAILOVER_STATE_DIR": str(tmp_path / "state"),
    }


def ran(words: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        capture_output=True,
        text=True,
        env=dict(environment),
        cwd=environment["HOME"],
        timeout=60,
        check=False,
    )


def complete_line(line: str, environment: Mapping[str, str], shell: str = "bash") -> list[str]:
    """What is offered at the end of a line, by the protocol of a shell."""
    words = line.split(" ")
    protocol = {
        "COMP_WORDS": "\n".join(words) if shell == "bash" else line,
        "COMP_CWORD": words[-1] if shell == "fish" else str(len(words) - 1),
        "_ERFAILOVER_COMPLETE": f"{shell}_complete",
    }
    done = ran([sys.executable, "-m", "erfailover"], {**environment, **protocol})
    assert done.stderr == ""
    lines = [name for name in done.stdout.splitlines() if name]
    if shell in ("zsh", "powershell"):
        return lines[1::3]
    return [name.partition(",")[2].partition("\t")[0] for name in lines]


OFFERED = [
    ("erfailover sw", ["switch"]),
    ("erfailover drill ", ["run", "start", "stop"]),
    ("erfailover switch --to ", ["ipsec", "expressroute"]),
    ("erfailover switch --canary ", ["vnet1"]),
    ("erfailover switch --to ipsec --spoke ", ["vnet1"]),
    ("erfailover status --spoke v", ["vnet1"]),
    ("erfailover switch --no-ho", ["--no-hold-wait"]),
    ("erfailover status -o t", ["table", "tsv"]),
    ("erfailover verify --expect o", ["office=up", "office=down"]),
    ("erfailover history ", [RUNS[1], RUNS[0]]),
    ("erfailover history 4f", [RUNS[0]]),
    ("erfailover schema dr", ["drill", "drill-run"]),
    ("erfailover help drill sta", ["start"]),
    ("erfailover completion z", ["zsh"]),
    ("erfailover lab st", ["status"]),
    ("erfailover lab up --sp", ["--speed"]),
    ("erfailover drill start --gateway ", []),
    ("erfailover switch --canary nobody", []),
]
"""The gateway's name is typed for confirmation, so it is not offered."""


def test_bash_completes(shelf: dict[str, str]) -> None:
    script = [
        'eval "$(erfailover completion bash)"',
        "complete -p erfailover >/dev/null || exit 9",
        'offered() { COMPREPLY=(); COMP_WORDS=("$@") COMP_CWORD=$(($# - 1));',
        "_erfailover_completion erfailover;",
        'echo "${COMPREPLY[*]}"; }',
    ]
    for line, _ in OFFERED:
        script.append("offered " + " ".join(shlex.quote(part) for part in line.split(" ")))
    done = ran(["bash", "--norc", "-c", "\n".join(script)], shelf)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    by_name = dict(zip((line for line, _ in OFFERED), done.stdout.split("\n"), strict=False))
    assert {line: text.split() for line, text in by_name.items()} == dict(OFFERED)


@pytest.mark.parametrize("shell", ["zsh", "fish", "powershell"])
@pytest.mark.parametrize("at", [3, 7, 13])
def test_zsh_fish_and_powershell_are_answered_by_their_protocol(
    at: int, shell: str, shelf: dict[str, str]
) -> None:
    line, offered = OFFERED[at]
    assert complete_line(line, shelf, shell) == offered


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes(shelf: dict[str, str]) -> None:
    script = 'erfailover completion fish | source\ncomplete -C "erfailover switch --canary v"'
    done = ran(["fish", "--no-config", "-c", script], shelf)
    assert done.stdout.split() == ["vnet1"], done.stderr


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes(shelf: dict[str, str]) -> None:
    script = (
        "compdef() { : }\n"
        "compadd() { print -l -- ${(P)@[-1]} }\n"
        'eval "$(erfailover completion zsh)"\n'
        "words=(erfailover switch --canary v) CURRENT=4\n"
        "_erfailover_completion\n"
    )
    done = ran(["zsh", "-f", "-c", script], shelf)
    assert done.stdout.split()[-1:] == ["vnet1"], done.stderr


def test_powershell_is_given_a_script_that_asks_by_the_variable_of_completion(
    shelf: dict[str, str],
) -> None:
    script = ran([sys.executable, "-m", "erfailover", "completion", "powershell"], shelf).stdout
    assert "Register-ArgumentCompleter -Native -CommandName erfailover" in script
    assert "$env:_ERFAILOVER_COMPLETE = 'powershell_complete'" in script


@pytest.mark.skipif(shutil.which("pwsh") is None, reason="PowerShell is not installed")
def test_powershell_completes(shelf: dict[str, str]) -> None:
    script = (
        "erfailover completion powershell | Out-String | Invoke-Expression\n"
        "$line = 'erfailover switch --canary v'\n"
        "(TabExpansion2 $line $line.Length).CompletionMatches.CompletionText\n"
    )
    done = ran(["pwsh", "-NoProfile", "-Command", script], shelf)
    assert done.stdout.split() == ["vnet1"], done.stderr


@pytest.mark.parametrize(
    "broken",
    [
        {"COMP_WORDS": 'erfailover switch "', "COMP_CWORD": "2"},
        {"COMP_WORDS": "erfailover", "COMP_CWORD": "many"},
        {},
        {"_ERFAILOVER_COMPLETE": "nonsense"},
        {"_ERFAILOVER_COMPLETE": "tcsh_complete"},
        {"COMP_WORDS": "erfailover lab", "COMP_CWORD": "x"},
    ],
)
def test_nonsense_is_answered_with_silence(broken: dict[str, str], shelf: dict[str, str]) -> None:
    environment = {**shelf, "_ERFAILOVER_COMPLETE": "bash_complete", **broken}
    done = ran([sys.executable, "-m", "erfailover"], environment)
    assert done.stderr == ""
    assert "Traceback" not in done.stdout


def found_here(what: str, incomplete: str = "") -> list[str]:
    """What is offered for a value in this folder."""
    ctx = click.Context(click.Command("any"))
    return [item.value for item in completion.find_items(what, ctx, incomplete)]


@pytest.mark.parametrize("content", [None, "spokes: [", "- 1", "spokes: 3\nsite: [x]", "\x00"])
def test_a_site_file_that_cannot_be_used_offers_nothing(
    content: str | None, shelf: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shelf["HOME"])
    monkeypatch.setenv("ERFAILOVER_STATE_DIR", shelf["ERFAILOVER_STATE_DIR"])
    assert found_here("runs") == [RUNS[1], RUNS[0]]
    file = Path("erfailover.yaml")
    file.unlink() if content is None else file.write_text(content)
    for what in ("spokes", "expectations", "runs"):
        assert found_here(what) == []


def test_the_site_file_is_the_one_that_the_line_or_the_variable_names(
    shelf: dict[str, str],
) -> None:
    home = Path(shelf["HOME"])
    (home / "other.yaml").write_text(
        read_template().replace("virtual_network: vnet1", "name: shop", 1)
    )
    assert complete_line("erfailover switch --site other.yaml --canary ", shelf) == ["shop"]
    named = {**shelf, "ERFAILOVER_SITE": "other.yaml"}
    assert complete_line("erfailover switch --canary ", named) == ["shop"]


def test_a_completion_takes_little_time_and_loads_no_azure(shelf: dict[str, str]) -> None:
    def cpu_s() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert complete_line("erfailover switch --canary v", shelf) == ["vnet1"]
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(cpu_s() for _ in range(4)) < 0.25
    script = (
        "import sys, click\n"
        "from erfailover.cli.main import cli\n"
        "from erfailover.cli import completion\n"
        "ctx = click.Context(cli.commands['switch'])\n"
        "print([each.value for each in completion.find_items('spokes', ctx, '')])\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'azure', 'pydantic'}))\n"
    )
    done = ran([sys.executable, "-c", script], shelf)
    assert done.stdout.splitlines() == ["['vnet1']", "[]"], done.stderr


def test_after_a_comma_the_next_probe_is_offered(
    shelf: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shelf["HOME"])
    offered = ["office=up,internet=up", "office=up,internet=down"]
    assert found_here("expectations", "office=up,i") == offered
