"""Programs of Debian's packages that slow tests need: Chromium, Prometheus."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest


def require_program(name: str, package: str) -> str:
    """Return the path of a program; install its package first if this machine lacks it.

    Without the right to install it, or without the package, the test is skipped with the reason.
    """
    path = shutil.which(name)
    if path:
        return path
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        pytest.skip(f"NOT TESTED: needs {name}: sudo apt-get install {package}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    output = ""
    for words in (
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", package],
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", package],
    ):
        ended = subprocess.run(words, env=environment, capture_output=True, text=True)
        output = ended.stderr.strip().splitlines()[-1] if ended.stderr.strip() else ""
        path = shutil.which(name)
        if path:
            return path
    pytest.skip(f"NOT TESTED: {package} cannot be installed: {output}")
