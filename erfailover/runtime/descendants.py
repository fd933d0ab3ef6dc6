"""The processes that a program has started, also in other sessions, and their end.

They are found in three ways, none of which needs rights or works on one system alone: by the
process group of the program; as children of a process that is one of them; and by a variable that
the program is given and passes on. Only a process that has done all of this escapes: it is in
another session, its parent has ended, and it was started with a cleared environment.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import uuid4

import psutil

MARK = "ERFAILOVER_RUN"
"""The variable that marks what belongs to one run of a program."""
ROUNDS = 6
"""How often to look at most: those that were ended may have started others meanwhile."""
PAUSE_S = 0.02
"""The time between two looks. While a process replaces its program, its environment is empty: only
two looks in a row without a result mean that none is left."""


@dataclass(eq=False)
class Family:
    """A program and what it has started.

    Attributes:
        mark: the value of ``MARK`` that the program is given.
        pid: the program; 0 until it was started.
        before: the processes that there were before it: none of them is its own.
    """

    mark: str = field(default_factory=lambda: uuid4().hex)
    pid: int = 0
    before: frozenset[int] = field(default_factory=lambda: frozenset(psutil.pids()))

    def end(self) -> None:
        """End all of them that can be found."""
        if not self.pid:
            return
        was_empty = False
        for _ in range(ROUNDS):
            alive = self._find_alive()
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            for process in alive:
                with suppress(psutil.Error):
                    process.kill()
            if not alive and was_empty:
                return
            was_empty = not alive
            time.sleep(PAUSE_S)

    def _find_alive(self) -> list[psutil.Process]:
        """Return those that are running, except the program itself and its process group."""
        processes: dict[int, psutil.Process] = {}
        for pid in set(psutil.pids()) - self.before - {self.pid, os.getpid()}:
            with suppress(psutil.Error, OSError):
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE and self._is_own(process):
                    processes[pid] = process
        roots = list(processes.values())
        with suppress(psutil.Error):
            roots.append(psutil.Process(self.pid))
        for root in roots:
            with suppress(psutil.Error):
                children = root.children(recursive=True)
                processes |= {
                    child.pid: child for child in children if child.pid not in self.before
                }
        return [item for item in processes.values() if _is_alive(item)]

    def _is_own(self, process: psutil.Process) -> bool:
        return process.environ().get(MARK) == self.mark


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    return False
