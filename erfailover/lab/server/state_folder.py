"""The lab's state folder: its files, and the lock that a running lab holds."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout, UnixFileLock, WindowsFileLock

from erfailover.lab.auth import identity
from erfailover.lab.auth.identity import Identity
from erfailover.lab.server.files import make_private_folder, write_private

STATE_VARIABLE = "ERFAILOVER_LAB_STATE_DIR"
HOLD_TIMEOUT_S = 1.0
"""How long a lab that starts waits for the lock, which ``held`` takes for a moment."""


class LabProblem(Exception):
    """Something about the lab's process that its user can mend."""


class NotRunning(LabProblem):
    """No lab runs in a state folder."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A lab's state folder."""

    path: Path

    @property
    def note(self) -> Path:
        """Where the running lab says where it serves."""
        return self.path / "lab.json"

    @property
    def log(self) -> Path:
        """What the lab's process writes."""
        return self.path / "lab.log"

    @property
    def world(self) -> Path:
        """What the lab holds, written down while it runs and when it ends."""
        return self.path / "world.snapshot"

    @property
    def az(self) -> Path:
        """The az CLI's configuration folder."""
        return self.path / "az"

    @property
    def _lock_file(self) -> Path:
        return self.path / "lock"

    def make(self) -> None:
        """Make the folder, its owner's alone."""
        make_private_folder(self.path)

    def identity(self) -> Identity:
        """The lab's identity, made where there is none."""
        file = self.path / "identity.json"
        with contextlib.suppress(FileNotFoundError, ValueError):
            return identity.load(file.read_text())
        made = identity.make()
        write_private(file, made.as_json().encode())
        return made

    def extend(self, subscriptions: int, tenants: int) -> None:
        """Have at least so many subscriptions and tenants, from the next start on."""
        known = self.identity().with_subscriptions(subscriptions).with_tenants(tenants)
        write_private(self.path / "identity.json", known.as_json().encode())

    def signing_key(self) -> bytes | None:
        """The key that signs the lab's tokens; None where there is none yet."""
        file = self.path / "signing.key"
        return file.read_bytes() if file.is_file() else None

    def keep_signing_key(self, key: bytes) -> None:
        """Keep the key, so that tokens outlive a restart."""
        write_private(self.path / "signing.key", key)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the folder while a lab serves from it; raises LabProblem if another one does."""
        self.make()
        lock = self._acquire(HOLD_TIMEOUT_S)
        if lock is None:
            raise LabProblem(f"a lab runs already from {self.path}")
        try:
            yield
        finally:
            lock.release()

    def held(self) -> bool:
        """Return whether a lab serves from the folder."""
        if not self._lock_file.is_file():
            return False
        lock = self._acquire(0)
        if lock is not None:
            lock.release()
        return lock is None

    def _acquire(self, timeout_s: float) -> FileLock | None:
        """Acquire the operating system's own lock, which ends with the process that has it.

        If there is none, filelock would make do with a file that outlives its process.
        """
        if not issubclass(FileLock, (UnixFileLock, WindowsFileLock)):
            raise LabProblem("the lab needs file locks, and this platform has none")
        lock = FileLock(self._lock_file, mode=0o600, fallback_to_soft=False)
        try:
            lock.acquire(timeout=timeout_s)
        except Timeout:
            return None
        except OSError as error:
            raise LabProblem(f"the lab cannot lock {self._lock_file}: {error}") from error
        return lock


def folder(chosen: Path | None) -> Folder:
    """The state folder: the one chosen, or the variable's, or the user's own."""
    if chosen is not None:
        return Folder(chosen.absolute())
    named = os.environ.get(STATE_VARIABLE)
    if named:
        return Folder(Path(named).absolute())
    return Folder(Path(platformdirs.user_state_dir("erfailover")) / "lab")
