"""The Linux data plane in tests: what it needs is installed, or the test skipped aloud."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess

import pytest

from erfailover.lab.linux.requirements import list_missing
from tests.support.debian import require_program

LINUX_PLANE_SKIPPED = "The Linux data plane was not tested"
"""The reason begins with it where namespaces are refused or programs are missing."""

_PROGRAMS = {
    "bird": "bird2",
    "bwrap": "bubblewrap",
    "charon-systemd": "charon-systemd",
    "swanctl": "strongswan-swanctl",
    "nft": "nftables",
    "ip": "iproute2",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ping": "iputils-ping",
    "traceroute": "traceroute",
    "tcpdump": "tcpdump",
    "ps": "procps",
}
_LIBRARIES = "libcharon-extra-plugins libstrongswan-standard-plugins"


@functools.cache
def _find_missing() -> tuple[str, ...]:
    if shutil.which("apt-get") and os.geteuid() == 0 and list_missing():
        for program, package in _PROGRAMS.items():
            require_program(program, package)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        words = f"apt-get install -y -q --no-install-recommends {_LIBRARIES}".split()
        subprocess.run(words, env=environment, capture_output=True)
    return tuple(list_missing())


def require_linux_plane() -> None:
    """Install what the Linux data plane needs; skip the test, loudly, if it cannot run here."""
    if missing := _find_missing():
        pytest.skip(f"{LINUX_PLANE_SKIPPED}: {' '.join(missing)}")
