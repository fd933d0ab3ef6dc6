"""No test reaches anything but this machine, and Ctrl-C reaches every test."""

from __future__ import annotations

import signal
import socket
from typing import Any

import pytest

pytest.register_assert_rewrite("tests.support")

from tests.support.linux_plane import LINUX_PLANE_SKIPPED  # noqa: E402

# A shell starts background jobs with SIGINT ignored; the tests of Ctrl-C need Python's own handler.
signal.signal(signal.SIGINT, signal.default_int_handler)

LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection of this process that leaves the machine."""
    connect = socket.socket.connect

    def connect_to_loopback(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if self.family in (socket.AF_INET, socket.AF_INET6) and not host.startswith(LOOPBACK):
            raise OSError(f"a test tried to reach {host}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_to_loopback)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it aloud when the Linux data plane was skipped: nobody reads the letter s."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = {str(each.longrepr[2]) for each in skipped if isinstance(each.longrepr, tuple)}
    for reason in sorted(each for each in reasons if LINUX_PLANE_SKIPPED in each):
        terminalreporter.section(LINUX_PLANE_SKIPPED, red=True)
        terminalreporter.line(reason, red=True)
