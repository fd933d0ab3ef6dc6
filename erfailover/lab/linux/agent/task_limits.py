"""How many processes a machine may have: a group of the kernel's (cgroup), or else a limit.

The kernel's limit of processes (RLIMIT_NPROC) does not bind the host's root, and counts all
machines together, so a group is better. Groups outlive a process that is killed; what an
earlier agent left behind is removed at the start.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from pathlib import Path

TASKS = 128
"""Processes and threads of a machine."""
_PREFIX = "erfailover-"
_REMOVE_S = 2.0
_FILLED_S = 30.0


class TaskLimits:
    """The process groups of the machines."""

    def __init__(self, parent: Path | None = None) -> None:
        """Make groups in ``parent``: a folder of cgroup that the agent may write, if any."""
        self._parent = parent or _find_parent()
        self._run = secrets.token_hex(4)
        if self._parent is not None:
            _remove_left_groups(self._parent)

    def make_group(self, node: str) -> Path | None:
        """Return a new group for a machine; None if the agent may make none."""
        if self._parent is None:
            return None
        group = self._parent / f"{_PREFIX}{self._run}-{node}"
        try:
            group.mkdir(exist_ok=True)
            (group / "pids.max").write_text(str(TASKS))
        except OSError:
            return None
        return group

    def remove_group(self, group: Path | None) -> None:
        """Remove the group of a machine whose processes are ending."""
        until = time.monotonic() + _REMOVE_S
        while group is not None and not _remove(group) and time.monotonic() < until:
            time.sleep(0.01)


def count_tasks() -> int:
    """Return the number of tasks that exist in the agent's process namespace."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                count += len(os.listdir(f"/proc/{name}/task"))
    return count


def _find_parent() -> Path | None:
    """Return this process's own group of the controller ``pids``, if that is cgroup v1."""
    with open("/proc/self/cgroup") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if "pids" in controllers.split(","):
                parent = Path("/sys/fs/cgroup/pids", path.lstrip("/"))
                return parent if os.access(parent, os.W_OK) else None
    return None


def _remove_left_groups(parent: Path) -> None:
    """Remove the empty groups of agents that were killed, but none that is just being filled."""
    for left in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _FILLED_S:
                _remove(left)


def _remove(group: Path) -> bool:
    """Remove an empty group; return whether it is gone."""
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
