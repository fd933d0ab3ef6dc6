"""The Linux data plane in tests: what it needs is installed, or the test skipped aloud."""

from __future__ import annotations

import functools
import os
import shutil

import pytest

from erfailover.lab.linux.requirements import list_missing
from tests.support.debian import install_packages

LINUX_PLANE_SKIPPED = "The Linux data plane was not tested"
"""The reason begins with it where namespaces are refused or programs are missing."""

_PACKAGES = (
    "bird2 bubblewrap charon-systemd strongswan-swanctl libcharon-extra-plugins "
    "libstrongswan-standard-plugins nftables iproute2 iptables conntrack iputils-ping traceroute "
    "tcpdump procps"
)


@functools.cache
def _find_missing() -> tuple[str, ...]:
    if shutil.which("apt-get") and os.geteuid() == 0:
        install_packages(lambda: not list_missing(), *_PACKAGES.split())
    return tuple(list_missing())


def require_linux_plane() -> None:
    """Install what the Linux data plane needs; skip the test, loudly, if it cannot run here."""
    if missing := _find_missing():
        pytest.skip(f"{LINUX_PLANE_SKIPPED}: {' '.join(missing)}")
