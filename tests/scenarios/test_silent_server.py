"""Commands that wait for a server that never answers end on the first signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hostile_server import serving

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
ENDED_S = 2.0
"""How long a command may take to end, in wall seconds; the machine may be busy."""
COMMANDS = (("status",), ("doctor",), ("switch", "--to", "ipsec", "--yes", "--planned"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str], list[str]]]:
    """A folder with a site file, the variables that lead to a silent server, and its requests."""

    def silence(head: str) -> Iterator[bytes]:
        time.sleep(60.0)
        yield b""

    with serving(tmp_path, silence) as server:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AZURE_", "ERFAILOVER_"))
        } | {
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "ERFAILOVER_ENDPOINT": server.url,
            "ERFAILOVER_STATE_DIR": str(tmp_path / "state"),
            "AZURE_AUTHORITY_HOST": server.url,
            "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
            "AZURE_TENANT_ID": SUBSCRIPTION,
            "AZURE_CLIENT_ID": SUBSCRIPTION,
            "AZURE_CLIENT_SECRET": "secret",
            "REQUESTS_CA_BUNDLE": str(server.authority),
        }
        subprocess.run(
            [sys.executable, "-m", "erfailover", "init"], cwd=tmp_path, env=environment, check=True
        )
        yield tmp_path, environment, server.heads


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda item: item[0])
def test_a_command_that_waits_for_a_silent_authority_ends_on_the_first_signal(
    site: tuple[Path, dict[str, str], list[str]], arguments: tuple[str, ...], sent: signal.Signals
) -> None:
    folder, environment, heads = site
    process = subprocess.Popen(
        [sys.executable, "-m", "erfailover", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_signals,
    )
    deadline = time.monotonic() + 30.0
    while not heads:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(sent)
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - began < ENDED_S
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert "Traceback" not in err


def _heed_signals() -> None:
    for signals in (signal.SIGINT, signal.SIGHUP):
        signal.signal(signals, signal.SIG_DFL)
