"""What the lab's commands answer if the packages of the extra ``lab`` are missing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SENTENCE = "erfailover: The lab is not installed. Install it with: pip install 'erfailover[lab]'\n"
HIDE = """
import os
from importlib.machinery import PathFinder

find, hidden = PathFinder.find_spec, os.environ["HIDDEN"].split()


def find_spec(cls, name, path=None, target=None):
    return None if name.partition(".")[0] in hidden else find(name, path, target)


PathFinder.find_spec = classmethod(find_spec)
"""
"""Every Python that a test starts looks for modules with this, and finds none that is hidden."""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    (tmp_path / "sitecustomize.py").write_text(HIDE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *map(str, sys.path)]))
    monkeypatch.setenv("ERFAILOVER_LAB_STATE_DIR", str(tmp_path / "lab"))

    def run(hidden: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "HIDDEN": hidden, **variables}
        command = [sys.executable, "-m", *words]
        return subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return run


@pytest.mark.parametrize("hidden", ["aiohttp", "jwt", "trustme", "aiohttp jwt trustme"])
@pytest.mark.parametrize("words", ["erfailover lab up", "erfailover.lab --help"])
def test_whichever_package_is_missing_one_sentence_says_what_to_install(
    run: Run, hidden: str, words: str
) -> None:
    result = run(hidden, *words.split())
    assert (result.returncode, result.stdout, result.stderr) == (2, "", SENTENCE)


@pytest.mark.parametrize(
    "words",
    [
        "erfailover lab",
        "erfailover lab --help",
        "erfailover lab fault add --help",
        "erfailover lab nonsense",
        "erfailover help lab up",
        "erfailover.lab",
        "erfailover.lab serve",
    ],
)
def test_every_command_of_the_lab_says_it(run: Run, words: str) -> None:
    result = run("trustme", *words.split())
    assert (result.returncode, result.stdout, result.stderr) == (2, "", SENTENCE)


@pytest.mark.parametrize("words", ["status --lab", "demo"])
def test_commands_that_start_a_lab_say_it_too(run: Run, words: str) -> None:
    result = run("trustme", "erfailover", *words.split())
    assert (result.returncode, result.stdout) == (2, "")
    message = SENTENCE.removeprefix("erfailover: ")
    assert result.stderr == f"erfailover: the lab did not start: {message}"


def test_a_shell_that_asks_for_completions_hears_nothing(run: Run) -> None:
    requested = {"_ERFAILOVER_COMPLETE": "bash_complete", "COMP_WORDS": "erfailover lab u"}
    result = run("trustme", "erfailover", **requested, COMP_CWORD="2")
    assert (result.stdout, result.stderr) == ("", "")


def test_with_nothing_missing_the_lab_answers(run: Run) -> None:
    result = run("", "erfailover", "lab", "--help")
    assert result.returncode == 0
    assert result.stdout.startswith("Usage: erfailover lab ")
