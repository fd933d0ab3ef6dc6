"""The Linux data plane in tests: what it needs is installed, or the test skipped aloud."""

from __future__ import annotations

import functools
import os
import shutil

import pytest

from erfailover.lab.linux.requirements import (
    LIBIPSEC_PLUGINS,
    PACKAGES,
    PLUGINS,
    list_missing,
)
from tests.support.debian import install_packages

LINUX_PLANE_SKIPPED = "The Linux data plane was not tested"
"""The reason begins with it where namespaces are refused or programs are missing."""


@functools.cache
def _find_missing() -> tuple[str, ...]:
    if shutil.which("apt-get") and os.geteuid() == 0:
        packages = {*PACKAGES.values(), *PLUGINS.values(), *LIBIPSEC_PLUGINS.values()}
        install_packages(lambda: not list_missing(), *sorted(packages))
    return tuple(list_missing())


def require_linux_plane() -> None:
    """Install what the Linux data plane needs; skip the test, loudly, if it cannot run here."""
    if missing := _find_missing():
        pytest.skip(f"{LINUX_PLANE_SKIPPED}: {' '.join(missing)}")
