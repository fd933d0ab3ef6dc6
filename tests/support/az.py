"""The az CLI from PyPI, unmodified, in a cached virtual environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from erfailover.lab.server.az_config import write_configuration
from tests.support.clocks import ResumedClock

if TYPE_CHECKING:
    from tests.support.stage import Stage

VERSION = "2.91.0"
SPEED = 20.0
"""How fast the lab's clock runs while az is waited for."""
CACHE = Path(__file__).parents[2] / ".cache" / f"az-{VERSION}"


@dataclass(frozen=True)
class Az:
    """The az CLI, as installed somewhere."""

    program: Path

    def __call__(self, *arguments: str) -> Any:
        """Run a command; what it printed as JSON, None where it printed nothing."""
        done = subprocess.run(
            [str(self.program), *arguments, "-o", "json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "AZURE_CORE_COLLECT_TELEMETRY": "no"},
        )
        assert done.returncode == 0, f"az {' '.join(arguments)}\n{done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None


def install_az() -> Az:
    """The az CLI; installed from PyPI on first use, which takes minutes.

    ``ERFAILOVER_TEST_AZ`` names one that is there already.
    """
    there = os.environ.get("ERFAILOVER_TEST_AZ")
    if there:
        return Az(Path(there))
    program = CACHE / "bin" / "az"
    mark = CACHE / ".installed"
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{CACHE}.lock"):
        if not mark.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(CACHE)], check=True)
            pip = [str(CACHE / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input"]
            subprocess.run([*pip, f"azure-cli=={VERSION}"], check=True)
            mark.touch()
    return Az(program)


def play_script(az: Az, stage: Stage, script: str) -> None:
    """Have a shell run a script whose az is signed in to the lab of a stage; it must succeed."""
    endpoint = stage.environment["ERFAILOVER_ENDPOINT"]
    folder = write_configuration(stage.folder / "az", stage.lab.identity, endpoint)
    stage.lab.clock = ResumedClock(SPEED, stage.clock.now())
    file = stage.folder / "switch.sh"
    file.write_text(script)
    done = subprocess.run(
        ["/bin/sh", str(file)],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "AZURE_CONFIG_DIR": str(folder),
            "PATH": f"{az.program.parent}{os.pathsep}{os.environ['PATH']}",
        },
    )
    assert done.returncode == 0, done.stderr[-3000:]
