"""``lab fault`` against a lab that runs as a process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from erfailover.lab.cli import process
from erfailover.lab.cli.main import main
from erfailover.lab.server import state_folder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    process.start(state_folder.StateFolder(tmp_path), speed=1000)
    yield tmp_path
    process.stop(state_folder.StateFolder(tmp_path))


def test_faults_are_armed_listed_and_cleared_by_commands(folder: Path, tmp_path: Path) -> None:
    def lab(*arguments: str) -> str:
        runner = CliRunner()
        result = runner.invoke(
            main, ["fault", *arguments[:1], "--state-dir", str(folder), *list(arguments[1:])]
        )
        assert result.exit_code == 0, result.output
        return result.output

    scenario = tmp_path / "faults.yaml"
    scenario.write_text("- kind: throttle\n  seconds: 7\n- unreliable-reads\n")
    assert lab("add", "answer", "--status", "503", "--header", "a=b", "--body", "{}") == (
        "Added: f1\n"
    )
    assert lab("load", str(scenario)) == "Added: f2 f3 f4 f5\n"
    rows = json.loads(lab("list", "-o", "json"))
    assert rows[0]["headers"] == {"a": "b"}
    assert rows[1] == {"id": "f2", "kind": "throttle", "seconds": 7.0, "seen": 0, "fired": 0}
    assert lab("clear", "f2") == "Cleared: f2\n"
    assert lab("clear") == "Cleared: f1 f3 f4 f5\n"


def test_a_circuit_that_is_not_there_is_named(folder: Path) -> None:
    words = ["fault", "session", "--state-dir", str(folder), "c9", "--seconds", "30"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert "Circuit c9 does not exist" in result.output


def test_without_a_lab_the_exit_code_is_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["fault", "list", "--state-dir", str(tmp_path)])
    assert result.exit_code == 2
    assert "No lab is running" in result.output


def test_a_scenario_with_a_wrong_fault_names_it(tmp_path: Path) -> None:
    scenario = tmp_path / "faults.yaml"
    scenario.write_text("- kind: nonsense\n")
    result = CliRunner().invoke(main, ["fault", "load", str(scenario)])
    assert result.exit_code == 2
    assert "Fault 1: kind must be one of" in result.output
