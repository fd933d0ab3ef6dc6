"""The proof of concept's story by az alone: what docs/lab.md walks through, run as it stands."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from erfailover.lab.cli import process
from erfailover.lab.server import state_folder
from tests.support import az as az_cli

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "az-walkthrough"
SPEED = 150.0
"""Fast enough that three gateways take no longer than the machines made meanwhile."""


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What a shell has after ``erfailover lab env``, az on its path, and nothing else."""
    program = az_cli.install_az().program
    folder = state_folder.get_state_folder(tmp_path / "lab")
    running, _ = process.start(folder, speed=SPEED)
    try:
        path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        yield {"PATH": path, "HOME": str(tmp_path)} | process.build_variables(running)
    finally:
        process.stop(folder)


def test_az_alone_builds_breaks_switches_and_switches_back(
    environment: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [str(SCRIPT)],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert done.stdout.rstrip().endswith("Done: every reading was as expected.")
    assert done.stdout.count("ok: vm1 reaches 10.5.0.4") == 3
    assert done.stdout.count("ok: vm1 does not reach 10.5.0.4") == 1
    assert done.stdout.count("ok: vm1 reaches 8.8.4.4") == 4
    log = (tmp_path / "lab" / "lab.log").read_text()
    assert "Traceback" not in log


def test_the_walk_through_refuses_another_cloud(tmp_path: Path) -> None:
    """With an az that is set to the public cloud, nothing is created."""
    fake = tmp_path / "bin" / "az"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\necho "$*" >>"$0.calls"\necho AzureCloud\n')
    fake.chmod(0o755)
    path = f"{fake.parent}{os.pathsep}{os.environ['PATH']}"
    shell = shutil.which("sh") or "/bin/sh"
    done = subprocess.run(
        [shell, str(SCRIPT)], env={"PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "AzureCloud" in done.stderr
    calls = Path(f"{fake}.calls").read_text().splitlines()
    assert [call.split(" --")[0] for call in calls] == ["account show"]
