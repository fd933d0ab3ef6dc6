"""Start the agent as pid 1 of its namespaces: ``erfailover.lab.linux.launch`` runs it."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path
from types import FrameType

RUN = Path("/run/erfailover")


def main() -> int:
    """Reap what is left to pid 1 until the server ends, and return its exit code."""
    if os.getpid() != 1:
        print("the agent must be pid 1 of namespaces of its own", file=sys.stderr)
        return 2
    # A handler, unlike SIG_IGN, is not inherited by the programs that the agent starts.
    signal.signal(signal.SIGINT, _ignore)
    server = os.fork()
    if server == 0:
        _serve()
    while True:
        ended, status = os.wait()
        if ended == server:
            return os.waitstatus_to_exitcode(status) & 0xFF


def _ignore(number: int, frame: FrameType | None) -> None:
    """Leave the end to the lab: it closes stdin."""


def _serve() -> None:
    """Serve until stdin ends; the rest dies with pid 1, so nothing is taken down."""
    code = 1
    try:
        _prepare()
        from erfailover.lab.linux.agent.server import serve_pipes  # noqa: PLC0415

        serve_pipes(RUN)
        code = 0
    except Exception as error:
        print(f"the agent ended: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def _prepare() -> None:
    """Hide the host's /run behind a private one and allow as many open files as possible."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, b"mode=755") != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), "tmpfs on /run")
    RUN.mkdir(mode=0o700)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    sys.exit(main())
