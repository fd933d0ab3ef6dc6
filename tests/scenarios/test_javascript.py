"""The JavaScript SDK, which we did not write, finds the lab by its variables and works with it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from erfailover.lab.core.clock import ScaledClock, SteppedClock
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server.server import LabServer
from tests.support.arm_client import Arm
from tests.support.needs import needs_npm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SOURCE = Path(__file__).parents[1] / "tools" / "js"
CACHE = Path(__file__).parent.parent.parent / ".cache"
SPEED = 200.0


def install_packages() -> Path:
    """A folder with the client and the packages of its lock file, from npm on first use."""
    lock = (SOURCE / "package-lock.json").read_bytes()
    folder = CACHE / f"js-{hashlib.sha256(lock).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    for path in SOURCE.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    mark = folder / ".installed"
    if not mark.exists():
        npm = ["npm", "ci", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(npm, cwd=folder, check=True)
        mark.touch()
    return folder


@needs_npm
def test_the_javascript_sdk_lists_creates_and_polls() -> None:
    folder = install_packages()
    lab = Lab(ScaledClock(SPEED), seed=3)
    with LabServer(lab) as server:
        arm = Arm(lab, SteppedClock(), server.endpoint, str(server.ca_file))
        arm.make_group()
        arm.pool.clear()
        by_name = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        done = subprocess.run(
            ["node", "client.mjs", arm.group],
            cwd=folder,
            env=by_name | server.build_environment(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "networks": ["hub"],
        "pending": "Updating",
        "state": "Succeeded",
        "bgpPeeringAddress": "10.9.0.254",
        "peers": [],
        "learned": [["10.9.0.0/16", "Network"]],
        "refused": "InUseSubnetCannotBeDeleted",
    }
