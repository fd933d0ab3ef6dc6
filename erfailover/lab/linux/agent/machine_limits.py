"""How many processes and how much memory a machine may have: groups of the kernel's (cgroup).

The limits of a single process (``enter``) bound neither their number, for the host's root, nor
their sum, so a group is better where the agent may make one. Groups outlive a process that is
killed: what an earlier agent left behind, empty, is removed at the start.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

TASKS = 128
"""Processes and threads of a machine."""
MEMORY_BYTES = 1 << 30
"""Memory of a machine, what it wrote to its file systems included."""
_LIMITS = {
    "pids.max": TASKS,
    "memory.limit_in_bytes": MEMORY_BYTES,
    "memory.max": MEMORY_BYTES,
}
"""The files of both versions of cgroup; a group has those of its controllers."""
_CONTROLLERS = ("pids", "memory")
_PREFIX = "erfailover-"
_REMOVE_S = 2.0
_FILLED_S = 30.0

Groups = tuple[Path, ...]


class MachineLimits:
    """The groups of the machines."""

    def __init__(self, parent: Path | None = None) -> None:
        """Make groups in ``parent``, a folder of cgroup's version 2 that the agent may write.

        Without it, groups are made where version 1 has this process, if the agent may write there.
        """
        self._parents = (parent,) if parent is not None else tuple(_find_parents())
        self._run = secrets.token_hex(4)
        for each in self._parents:
            _remove_left_groups(each)

    def list_groups(self) -> Groups:
        """Return the groups that exist."""
        found = (parent.glob(f"{_PREFIX}{self._run}-*") for parent in self._parents)
        return tuple(itertools.chain.from_iterable(found))

    def make_groups(self, node: str) -> Groups:
        """Return new groups for a machine, with their limits; none if the agent may make none."""
        groups = []
        for parent in self._parents:
            group = parent / f"{_PREFIX}{self._run}-{node}"
            with contextlib.suppress(OSError):
                group.mkdir(exist_ok=True)
                for name, limit in _LIMITS.items():
                    if (group / name).exists():
                        (group / name).write_text(str(limit))
                groups.append(group)
        return tuple(groups)

    def remove_groups(self, groups: Groups) -> None:
        """Remove the groups of a machine whose processes are ending."""
        until = time.monotonic() + _REMOVE_S
        while not all([_remove(group) for group in groups]) and time.monotonic() < until:
            time.sleep(0.01)


def limits_tasks(groups: Groups) -> bool:
    """Return whether groups limit the number of processes."""
    return any((group / "pids.max").exists() for group in groups)


def count_tasks() -> int:
    """Return the number of tasks that exist in the agent's process namespace."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                count += len(os.listdir(f"/proc/{name}/task"))
    return count


def _find_parents() -> Iterator[Path]:
    """Yield this process's own groups of version 1."""
    with open("/proc/self/cgroup") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            for controller in set(controllers.split(",")) & set(_CONTROLLERS):
                parent = Path("/sys/fs/cgroup", controller, path.lstrip("/"))
                if os.access(parent, os.W_OK):
                    yield parent


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
