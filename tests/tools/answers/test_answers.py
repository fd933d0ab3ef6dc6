"""The fuzz of answers, in a program of its own: it forks.

Seeds are pinned, so that a run says something of the change that it tests. ``python -m
tests.tools.answers`` draws fresh ones.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def fuzz(seconds: int, seed: int) -> tuple[int, str]:
    """Run it; its exit code and what it printed, the seed first."""
    drawn = ("--seconds", str(seconds), "--seed", str(seed))
    done = subprocess.run(
        [sys.executable, "-m", "tests.tools.answers", *drawn],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout, done.stderr)
    return done.returncode, done.stdout


def test_no_answer_ends_a_command_with_a_bug_or_a_spoke_without_a_path() -> None:
    code, out = fuzz(20, seed=1)
    assert code == 0, out
    assert "0 failed; seed" in out.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_none_of_many_answers_does() -> None:
    code, out = fuzz(600, seed=2)
    assert code == 0, out
    assert "0 failed; seed" in out.splitlines()[-1]
