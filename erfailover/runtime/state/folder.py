"""A folder of this machine's state: its lock, and the errors of its files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor

from erfailover.errors import StateFailure
from erfailover.runtime import files

LOCK_TRIES, LOCK_PAUSE_S = 200, 0.05
"""The lock is held for milliseconds; whoever keeps it for 10 s has been stopped."""


@contextmanager
def hold_lock(file: Path, sleep: Callable[[float], None]) -> Iterator[None]:
    """Hold the operating system's lock of a file, never a soft lock; make its folder if needed.

    Args:
        file: the lock; the lock ends with its process.
        sleep: waits, in wall seconds.

    Raises:
        StateFailure: another process has held it for ``LOCK_TRIES * LOCK_PAUSE_S`` seconds.
        OSError: the file cannot be opened or locked.
    """
    files.make_private_folder(file.parent)
    with files.open_private(file) as stream:
        for _ in range(LOCK_TRIES):
            if lock_descriptor(stream.fileno(), blocking=False):
                break
            sleep(LOCK_PAUSE_S)
        else:
            raise StateFailure(
                f"{file} is locked by another process",
                "Look for an erfailover process that was stopped (Ctrl-Z). Resume or end it.",
            )
        yield


@contextmanager
def translate_errors(folder: Path) -> Iterator[None]:
    """Raise ``StateFailure`` for an error of the operating system.

    Args:
        folder: the folder that the body of the ``with`` reads or writes.
    """
    try:
        yield
    except OSError as error:
        what = error.strerror or type(error).__name__
        raise StateFailure(
            f"cannot read or write the state of the site in {folder}: {what}",
            "Make the folder writable, or set ERFAILOVER_STATE_DIR to another.",
        ) from error
