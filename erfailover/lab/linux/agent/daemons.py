"""A daemon in a namespace: started, watched, stopped."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from erfailover.lab.linux.agent import namespaces

_STOP_S = 3.0
_START_S = 30.0
_PAUSE_S = 0.005
_ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
}


class DaemonError(RuntimeError):
    """A daemon did not start, or did not answer."""


def start(
    node: str,
    command: tuple[str, ...],
    output: Path,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Return a daemon that has been started in a node's namespace."""
    with namespaces.enter(node), output.open("wb") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={**_ENVIRONMENT, **(environment or {})},
            start_new_session=True,
        )


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], name: str) -> None:
    """Wait until a daemon is ready; raise DaemonError if it ends or takes too long."""
    deadline = time.monotonic() + _START_S
    while not ready():
        if process.poll() is not None:
            raise DaemonError(f"{name} ended with {process.returncode}")
        if time.monotonic() > deadline:
            raise DaemonError(f"{name} was not ready in {_START_S:g} s")
        time.sleep(_PAUSE_S)


def stop(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """End daemons together; kill those that take too long."""
    processes = list(processes)
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + _STOP_S
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def replace_file(path: Path, text: str) -> None:
    """Write a file that only the agent may read, at once."""
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.rename(path)
