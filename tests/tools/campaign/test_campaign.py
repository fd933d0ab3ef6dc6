"""The fault campaign, sampled, in a program of its own: it forks, which a test runner must not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def campaign(*arguments: str) -> tuple[int, str, str]:
    """Run it; its exit code, its summary, and all that it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.tools.campaign", *arguments],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    summary = (done.stdout.strip().splitlines() or [""])[-1]
    return done.returncode, summary, done.stdout + done.stderr


def test_a_sample_of_the_campaign_holds() -> None:
    code, summary, out = campaign("--sample", "8", "--seed", "4", "--switches-only")
    assert code == 0, out
    assert "0 failed, 0 stranded, 0 Internet path cut" in summary


def test_a_sample_of_firewall_hubs_killed_at_a_write_holds() -> None:
    code, summary, out = campaign("--firewalls", "--sample", "6", "--workers", "1")
    assert code == 0, out
    assert summary == "firewall hubs: 6 runs, 0 failed"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_larger_sample_holds_with_provision_destroy_and_two_controllers() -> None:
    code, summary, out = campaign("--sample", "60", "--seed", "5")
    assert code == 0, out
    assert "0 failed, 0 stranded" in summary


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_wrong_controller_turns_the_campaign_red() -> None:
    code, _, out = campaign("--mutants")
    assert code == 0, out
    assert "NOT CAUGHT" not in out
