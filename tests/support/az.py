"""The az CLI from PyPI, unmodified, in a cached virtual environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

VERSION = "2.91.0"
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
