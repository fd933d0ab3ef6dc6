"""The fuzz of answers, with a fresh seed, in a program of its own: it forks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def fuzz(seconds: int) -> tuple[int, str]:
    """Run it; its exit code and what it printed, the seed first."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.tools.answers", "--seconds", str(seconds)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout, done.stderr)
    return done.returncode, done.stdout


def test_no_answer_ends_a_command_with_a_bug_or_a_spoke_without_a_path() -> None:
    code, out = fuzz(20)
    assert code == 0, out
    assert "0 failed; seed" in out.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_none_of_many_answers_does() -> None:
    code, out = fuzz(600)
    assert code == 0, out
    assert "0 failed; seed" in out.splitlines()[-1]
