"""The controller's machine during a trial: where its output, files and signals can go wrong.

Works in the forked process of a trial alone: it replaces functions of the controller's modules at
their edges. Runs share this process; that one of them has ended is made true here: what a thread
of an ended run still sends, or appends to the journal, does not arrive.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any

from azure.core.exceptions import ServiceRequestError

from erfailover.azure.client.request_log import LoggedTransport
from erfailover.cli import signals
from erfailover.commands import context as commands_context
from erfailover.commands import lease as commands_lease
from erfailover.commands import state_store
from erfailover.commands.runs import recorder
from erfailover.errors import StateFailure
from erfailover.runtime import files
from erfailover.runtime.state.lease_keeper import LeaseKeeper
from erfailover.runtime.state.local import LocalStore
from tests.tools.campaign.mutant import patch
from tests.tools.campaign.troubles import OUTPUT, SIGNALS, STORE, Trouble
from tests.tools.campaign.warm import Warm

HEARD_S = 0.05
"""Wall seconds in which the main thread hears a signal."""
FLUSH_S = 0.3
"""How long the last records of a run are waited for here, in wall seconds."""
INTENT_S = 0.1
"""How long an intent that may be recorded late is waited for here, in wall seconds."""
RELIED_ON_S = 2.0
"""How long a store elsewhere is relied on here, in modelled seconds: a break takes longer."""
SILENCE_S = 20.0
"""How long a store that hangs is waited for, in modelled seconds: Blob storage's own limit."""
ERRORS = {
    Trouble.OUTPUT_PIPE: errno.EPIPE,
    Trouble.OUTPUT_IO: errno.EIO,
    Trouble.OUTPUT_SPACE: errno.ENOSPC,
}
SENT = {
    Trouble.HANGUP: (signal.SIGHUP,),
    Trouble.TERM: (signal.SIGTERM,),
    Trouble.CTRL_C: (signal.SIGINT,),
    Trouble.CTRL_C_TWICE: (signal.SIGINT, signal.SIGINT),
}


class Machine:
    """The machine of one trial.

    Attributes:
        failing: the trouble that has come, and lasts until the run ends; None before and after.
    """

    def __init__(self, warm: Warm, trouble: Trouble | None) -> None:
        self.warm = warm
        self.trouble = trouble
        self.failing: Trouble | None = None
        self.run = 0
        self.ended = 0
        """The last run that has ended."""

    def install(self) -> None:
        """Replace what the controller meets of its machine."""
        held = partial(LeaseKeeper, now=self.warm.clock.now)
        patch(commands_lease, "LeaseKeeper", held)
        recorder.FLUSH_S = FLUSH_S
        recorder.INTENT_S = INTENT_S
        self._end_with_the_process(LoggedTransport, "send", _no_more_requests)
        self._end_with_the_process(LocalStore, "append", _no_more_records)
        open_private = files.open_private
        files.open_private = lambda path: self._wrap_stream(open_private(path), path)
        if self.trouble in STORE:
            patch(commands_context, "open_store", partial(_silent, self))
        self.warm.streams = partial(Stream, self)

    def _end_with_the_process(
        self, class_: type, name: str, refuse: Callable[[], Exception]
    ) -> None:
        """Let a method of an object fail when the run that used it first has ended."""
        works = getattr(class_, name)

        def call(itself: Any, *args: Any, **options: Any) -> Any:
            run = itself.__dict__.setdefault("run_of_the_trial", self.run)
            if run <= self.ended:
                raise refuse()
            return works(itself, *args, **options)

        patch(class_, name, call)

    def begin(self, run: int) -> None:
        """A run begins, as a new process does."""
        self.run, self.failing = run, None
        if threading.current_thread() is threading.main_thread():
            for item in (signal.SIGHUP, signal.SIGTERM):
                signal.signal(item, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signals.install()

    def end(self) -> None:
        """The run has ended: nothing of it goes on."""
        self.ended = self.run

    def strike(self, lease: Path) -> None:
        """Bring the trouble of the trial about.

        Args:
            lease: the file of the site's lease.
        """
        trouble = self.trouble
        if trouble in SIGNALS and trouble is not None:
            for item in SENT[trouble]:
                os.kill(os.getpid(), item)
                time.sleep(HEARD_S)
        elif trouble is Trouble.LEASE_GONE:
            lease.unlink()
        elif trouble is Trouble.LEASE_DAMAGED:
            lease.write_text('{"token": ', "utf-8")
        else:
            self.failing = trouble

    def _wrap_stream(self, stream: FileIO, path: Path) -> Any:
        full = self.failing is Trouble.JOURNAL_FULL and path.name == "journal.jsonl"
        return _Full(stream) if full else stream


class Stream(io.StringIO):
    """Standard output or error; on a terminal where that is going to be lost."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self._machine = machine

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._machine.trouble is Trouble.OUTPUT_IO

    def write(self, text: str) -> int:
        """Write, or fail."""
        failing = self._machine.failing
        if failing in OUTPUT and failing is not None:
            number = ERRORS[failing]
            raise OSError(number, os.strerror(number))
        return super().write(text)


class _Full:
    """A file on a disk that becomes full in the middle of a write."""

    def __init__(self, stream: FileIO) -> None:
        self._stream = stream
        self._full = False

    def __enter__(self) -> _Full:
        self._stream.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        with suppress(OSError):
            self._stream.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, data: bytes) -> int:
        """Write half of it, and nothing more after that."""
        if self._full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._full = True
        return self._stream.write(data[: len(data) // 2])


def _silent(machine: Machine, *args: Any, **options: Any) -> Any:
    """A store that is not on this machine, and falls silent with the trouble."""
    store: Any = state_store.open_store(*args, **options)

    def unless_silent(work: Callable[..., Any], *, requested: bool) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            if machine.failing in STORE:
                if requested and machine.failing is Trouble.STORE_HANGS:
                    machine.warm.clock.sleep(SILENCE_S)
                raise StateFailure("the store does not answer", "Look at its network.")
            return work(*args)

        return call

    store.is_cheap, store.relied_on_s = False, RELIED_ON_S
    store.renew = unless_silent(store.renew, requested=True)
    store.append = unless_silent(store.append, requested=False)
    return store


def _no_more_requests() -> Exception:
    return ServiceRequestError("the process has ended")


def _no_more_records() -> Exception:
    return StateFailure("the process has ended")
