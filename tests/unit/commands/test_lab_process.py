"""A lab that does not start ends the command with the lab's own message and exit code."""

from __future__ import annotations

import subprocess

import pytest

from erfailover.cli.main import invoke
from erfailover.commands.demo import lab_process

MISSING = """\
erfailover: The Linux data plane cannot run on this machine:
Not installed: bird. On Debian: apt-get install bird2
"""


@pytest.fixture
def failing_lab(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> list[tuple[str, ...]]:
    """Return what the lab is called with; it fails with the exit code of the parameter."""
    calls: list[tuple[str, ...]] = []

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        calls.append(arguments)
        return subprocess.CompletedProcess(arguments, request.param, "", MISSING)

    monkeypatch.setattr(lab_process, "_run_lab", run)
    return calls


@pytest.mark.parametrize(("failing_lab", "exit_code"), [(1, 1), (2, 2)], indirect=["failing_lab"])
def test_the_demo_ends_with_the_message_and_the_exit_code_of_the_lab(
    failing_lab: list[tuple[str, ...]], exit_code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["demo", "--data-plane", "linux"]) == exit_code
    printed = capsys.readouterr()
    assert printed.out == ""
    expected = MISSING.removeprefix("erfailover: ")
    assert printed.err == f"erfailover: the lab did not start: {expected}"
    assert [call[0] for call in failing_lab] == ["up", "down"]
    assert failing_lab[0][-2:] == ("--data-plane", "linux")


@pytest.mark.parametrize("failing_lab", [1], indirect=True)
def test_the_demo_on_the_model_names_no_data_plane(failing_lab: list[tuple[str, ...]]) -> None:
    assert invoke(["demo"]) == 1
    assert "--data-plane" not in failing_lab[0]
