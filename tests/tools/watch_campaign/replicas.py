"""Replicas of ``erfailover watch`` as processes, and what their logs say of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.tools.watch_campaign.gate import Gate

ROOT = Path(__file__).parents[3]
END_S = 60.0
"""How long a replica may take to end after SIGTERM, in wall seconds."""


@dataclass
class Replica:
    """One process, on a machine of its own.

    Attributes:
        store: the gate to the store; ``lab`` the one to Azure, by which its writes are known.
        lines: its log, with the moment at which each line was read.
        is_leader: whether it leads, by its log.
        led_at: when it last began to lead; None if it never did.
        still_since: when it was stopped or killed; None while it runs.
    """

    number: int
    store: Gate
    lab: Gate
    process: subprocess.Popen[str]
    lines: list[tuple[float, str]] = field(default_factory=list)
    is_leader: bool = False
    led_at: float | None = None
    still_since: float | None = None
    is_killed: bool = False

    @property
    def name(self) -> str:
        """How others name it."""
        return f"process {self.process.pid}"

    @property
    def is_running(self) -> bool:
        """Whether it lives and is not stopped."""
        return self.still_since is None and self.process.poll() is None

    def read_log(self) -> None:
        """Read its log until it ends."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            now = time.time()
            self.lines.append((now, line.rstrip("\n")))
            if f"{self.name} leads" in line:
                self.is_leader, self.led_at = True, now
            elif "this process no longer leads" in line:
                self.is_leader = False

    def kill(self) -> None:
        """End it at once."""
        self.still_since = time.time()
        self.process.kill()
        self.is_killed, self.is_leader = True, False

    def stop(self) -> None:
        """Stop it, as a hypervisor stops a machine."""
        self.process.send_signal(signal.SIGSTOP)
        self.still_since = time.time()

    def continue_(self) -> None:
        """Let it go on."""
        self.still_since = None
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Ask it to end."""
        self.process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """End it for good."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def start(
    number: int, store: Gate, lab: Gate, folder: Path, environment: dict[str, str], variant: str
) -> Replica:
    """Start a replica, with a state folder of its own.

    Args:
        number: which.
        store: the gate to the store.
        lab: the gate to Azure.
        folder: where its site file is.
        environment: the variables that all replicas share.
        variant: ``replica.RIGHT``, or a wrong one.
    """
    own = {name: value for name, value in os.environ.items() if not _is_of_azure(name)}
    own |= environment
    own |= {
        "ERFAILOVER_STATE_DIR": str(folder / f"state-{number}"),
        "AZURE_CONFIG_DIR": str(folder / f"az-{number}"),
        "PYTHONPATH": str(ROOT),
    }
    arguments = ["watch", "--site", "erfailover.yaml", "--listen", "none", "-v", "--log-format"]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.tools.watch_campaign.replica", f"machine-{number}"),
            *(variant, *arguments, "json"),
        ],
        cwd=folder,
        env=own,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    replica = Replica(number, store, lab, process)
    threading.Thread(target=replica.read_log, daemon=True).start()
    return replica


def _is_of_azure(name: str) -> bool:
    return name.startswith(("AZURE_", "ERFAILOVER_"))
