"""Programs of Debian's packages that slow tests need: Chromium, Prometheus."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def require_program(name: str, package: str) -> str:
    """Return the path of a program; install its package first if this machine lacks it.

    Without the right to install it, or without the package, the test is skipped with the reason.
    """
    if path := shutil.which(name):
        return path
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        pytest.skip(f"NOT TESTED: needs {name}: sudo apt-get install {package}")
    output = install_packages(lambda: shutil.which(name) is not None, package)
    if path := shutil.which(name):
        return path
    pytest.skip(f"NOT TESTED: {package} cannot be installed: {output}")


def install_packages(is_installed: Callable[[], bool], *packages: str) -> str:
    """Install packages, one process at a time; return the last line of apt-get's errors."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    output = ""
    with FileLock(Path(tempfile.gettempdir()) / "erfailover-tests-apt.lock"):
        for words in (install, ["apt-get", "update", "-q"], install):
            if is_installed():
                break
            ended = subprocess.run(words, env=environment, capture_output=True, text=True)
            output = ended.stderr.strip().splitlines()[-1] if ended.stderr.strip() else ""
    return output
