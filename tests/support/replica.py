"""A process that leads if it can, and writes the time whenever it finds that it leads.

Run as a module: the file for the times, then a folder, or an endpoint and a container.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from erfailover.azure.blob_store import BlobStore
from erfailover.commands.state_store import WATCH_LEASE_S
from erfailover.commands.watch.leadership import TRY_EVERY_S, Leadership
from erfailover.model.state_location import BlobLocation
from erfailover.runtime.state.local import LocalStore
from erfailover.runtime.state.process import build_holder
from erfailover.runtime.state.store import Store
from tests.tools.azurite import ACCOUNT, Credential

PAUSE_S = 0.02


@dataclass(frozen=True)
class Replica:
    """Such a process, and the file of its times."""

    process: subprocess.Popen[bytes]
    file: Path

    def read_times(self) -> list[float]:
        """Return the moments at which it has found that it leads, in seconds since 1970."""
        if not self.file.exists():
            return []
        return [float(line) for line in self.file.read_text().splitlines(keepends=True)]

    def wait_for_lead(self, timeout_s: float, after: float = 0.0) -> float:
        """Return the first moment after another at which it has found that it leads."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            times = [at for at in self.read_times() if at > after]
            if times:
                return times[0]
            assert self.process.poll() is None, "it has ended"
            time.sleep(0.05)
        raise AssertionError(f"it has not led within {timeout_s} s")


def start_replica(file: Path, where: Sequence[str]) -> Replica:
    """Start a process that leads if it can."""
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.replica", str(file), *where],
        cwd=root,
        env={**os.environ, "PYTHONPATH": root},
        stdin=subprocess.DEVNULL,
    )
    return Replica(process, file)


def _open(where: Sequence[str]) -> Store:
    if len(where) == 1:
        return LocalStore(Path(where[0]), lease_s=WATCH_LEASE_S)
    endpoint, container = where
    location = BlobLocation(ACCOUNT, container, "sites/poc/watch")
    return BlobStore(location, endpoint, lives=lambda holder: None, make_credential=Credential)


def main() -> None:
    """Lead if possible, until killed."""
    file, *where = sys.argv[1:]
    leadership = Leadership(_open(where), build_holder("watch"))
    tried = -TRY_EVERY_S
    with Path(file).open("a", buffering=1) as times:
        while True:
            now = time.time()
            if leadership.is_leader():
                times.write(f"{now}\n")
            elif time.monotonic() - tried >= TRY_EVERY_S:
                leadership.try_lead()
                tried = time.monotonic()
            time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
