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
DISKS = RUN / "disks"

_MS_BIND_ALL = 0x1000 | 0x4000


def main() -> int:
    """Reap what is left to pid 1 until the server ends, and return its exit code.

    The argument is the folder that keeps the disks of machines.
    """
    if os.getpid() != 1:
        print("the agent must be pid 1 of a new set of namespaces", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    # A handler, unlike SIG_IGN, is not inherited by the programs that the agent starts.
    signal.signal(signal.SIGINT, _ignore)
    server = os.fork()
    if server == 0:
        _serve(folder)
    while True:
        ended, status = os.wait()
        if ended == server:
            return os.waitstatus_to_exitcode(status) & 0xFF


def _ignore(number: int, frame: FrameType | None) -> None:
    """Leave the end to the lab: it closes stdin."""


def _serve(folder: Path) -> None:
    """Serve until stdin ends; the rest dies with pid 1, so nothing is taken down."""
    code = 1
    try:
        _prepare(folder)
        from erfailover.lab.linux.agent.server import serve_pipes

        serve_pipes(RUN, DISKS)
        code = 0
    except Exception as error:
        print(f"the agent ended: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def _prepare(folder: Path) -> None:
    """Hide the host's /run behind a private one and allow as many open files as possible."""
    # Opened first: it may be below the host's /run.
    disks = os.open(folder, os.O_PATH)
    _mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
    RUN.mkdir(mode=0o700)
    DISKS.mkdir()
    _mount(f"/proc/self/fd/{disks}", str(DISKS), None, _MS_BIND_ALL, None)
    os.close(disks)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    texts = [text.encode() if text is not None else None for text in (kind, options)]
    if libc.mount(source.encode(), target.encode(), texts[0], flags, texts[1]) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), target)


if __name__ == "__main__":
    sys.exit(main())
