"""This process, as others are told of it; and whether another process of this machine lives."""

from __future__ import annotations

import getpass
import os
import socket
from contextlib import suppress
from pathlib import Path

from erfailover.model.lease import Holder

GONE = frozenset("ZX")
"""States of a process in /proc that has ended and is only still listed."""


def this_process(command: str) -> Holder:
    """The holder that this process is."""
    pid = os.getpid()
    _, started = _listed(pid)
    return Holder(_user(), socket.gethostname(), pid, command, _machine(), started)


def alive(holder: Holder) -> bool | None:
    """Whether a holder's process lives; None where that cannot be known from here.

    A process of another machine, or of another container of this one, is not known.
    """
    if (holder.host, holder.machine) != (socket.gethostname(), _machine()):
        return None
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    except (OverflowError, OSError):
        return None
    state, started = _listed(holder.pid)
    if state in GONE:
        return False
    return not (started and holder.started and started != holder.started)


def _user() -> str:
    with suppress(KeyError, OSError):
        return getpass.getuser()
    return f"uid {os.getuid()}"


def _machine() -> str:
    """The kernel's boot id and the PID namespace; empty where the system has neither."""
    parts = []
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip())
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _listed(pid: int) -> tuple[str, str]:
    """The state and the start time of a process in /proc (proc(5)); empty where unknown."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return "", ""
    fields = text.rpartition(")")[2].split()
    return (fields[0], fields[19]) if len(fields) > 19 else ("", "")
