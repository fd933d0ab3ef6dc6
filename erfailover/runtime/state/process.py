"""This process as the holder of a lease, and the state of other holders' processes."""

from __future__ import annotations

import getpass
import os
import socket
from contextlib import suppress
from pathlib import Path

import psutil

from erfailover.model.lease import Holder

ENDED = frozenset({psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD})
"""States of a process that has ended and is only still listed."""
HIDDEN = "hidden"
"""State of a process that exists, but whose state the system does not disclose."""
STOPPED = frozenset({psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP})
"""States of a process that does nothing until it is resumed."""
LARGEST_PID = 2**31 - 1
SAME_START_S = 2.0
"""Two readings of one start time may differ by this: the boot time is given in whole seconds."""


def build_holder(command: str) -> Holder:
    """Return the holder that this process is."""
    started = _get_start_ticks(psutil.Process())
    return Holder(_get_user(), socket.gethostname(), os.getpid(), command, _read_machine(), started)


def describe_user() -> str:
    """Return who runs this process, and where: ``anna@ops1``."""
    return f"{_get_user()}@{socket.gethostname()}"


def is_alive(holder: Holder) -> bool | None:
    """Return whether a holder's process lives; None if that cannot be known from here.

    A process of another machine, or of another container of this one, is not known.
    """
    state = _read_state(holder)
    return None if state is None else state not in ENDED


def is_stopped(holder: Holder) -> bool:
    """Return whether a holder's process is known to live and to be stopped (Ctrl-Z)."""
    return _read_state(holder) in STOPPED


def is_running(holder: Holder) -> bool:
    """Return whether a holder's process is known to live and not to be stopped."""
    state = _read_state(holder)
    return state is not None and state not in ENDED | STOPPED | {HIDDEN}


def _read_state(holder: Holder) -> str | None:
    """Return psutil's state of a holder's process, or HIDDEN; None if it cannot be known."""
    here = (socket.gethostname(), _read_machine())
    if (holder.host, holder.machine) != here or not 0 < holder.pid <= LARGEST_PID:
        return None
    try:
        process = psutil.Process(holder.pid)
        return process.status() if _has_started(process, holder.started) else psutil.STATUS_DEAD
    except psutil.ZombieProcess:
        return psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return HIDDEN if _has_process(holder.pid) else psutil.STATUS_DEAD
    except psutil.AccessDenied:
        return HIDDEN


def _has_process(pid: int) -> bool:
    """Return whether a process exists that psutil does not find.

    Linux hides the processes of other users if /proc is mounted with hidepid.
    """
    if os.name != "posix":  # elsewhere signal 0 is not harmless, and nothing is hidden
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it may not be signalled
        pass
    return True


def _has_started(process: psutil.Process, started: str) -> bool:
    """Return whether a process started at a recorded time; True if none was recorded."""
    if not started.isdecimal():
        return True
    return abs(int(_get_start_ticks(process)) - int(started)) <= SAME_START_S * 100


def _get_start_ticks(process: psutil.Process) -> str:
    """Return when a process started, in hundredths of a second, as proc(5) and a lease have it.

    On Linux that is since the boot: the time since 1970 would change with every correction of
    the wall clock. On other systems it is since 1970.
    """
    since = psutil.boot_time() if psutil.LINUX else 0.0
    return str(round((process.create_time() - since) * 100))


def _get_user() -> str:
    with suppress(ImportError, KeyError, OSError):
        return getpass.getuser()
    return f"uid {os.getuid()}" if hasattr(os, "getuid") else "an unknown user"


def _read_machine() -> str:
    """Return Linux's boot id and PID namespace; empty on a system that has neither."""
    parts = []
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip())
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)
