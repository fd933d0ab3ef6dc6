"""The page of the Linux data plane names what ``lab up`` checks."""

from __future__ import annotations

import re

from erfailover.lab.core.data_planes import DEFAULT_SPEEDS, LINUX, LINUX_SPEED_LIMIT
from erfailover.lab.linux.agent import disks, machine_limits
from erfailover.lab.linux.requirements import LIBIPSEC_PLUGINS, PACKAGES, PLUGINS
from tests.tools.docs.shell import ROOT

PAGE = (ROOT / "docs" / "data-plane.md").read_text(encoding="utf-8")
PROSE = " ".join(PAGE.split())
ALWAYS_INSTALLED = {"coreutils", "mount", "util-linux"}
"""Packages without which there is no Debian."""


def test_the_line_to_install_has_every_package_that_is_checked() -> None:
    line = re.search(r"^apt-get install (.*)$", PAGE, re.MULTILINE)
    assert line is not None
    required = {
        *PACKAGES.values(),
        *PLUGINS.values(),
        *LIBIPSEC_PLUGINS.values(),
    } - ALWAYS_INSTALLED
    assert line[1].split() == sorted(required)


def test_speeds_and_limits_are_those_of_the_code() -> None:
    assert f"{DEFAULT_SPEEDS[LINUX]:g} by default, {LINUX_SPEED_LIMIT:g} at most" in PROSE
    assert f"It can have {machine_limits.TASKS} processes." in PROSE
    assert f"{machine_limits.MEMORY_BYTES >> 30} GiB of memory at most" in PROSE
    assert f"Its disk has {disks.DISK_BYTES >> 20} MiB" in PROSE
