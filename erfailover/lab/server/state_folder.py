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
"""How long a starting lab waits for the lock, which ``is_held`` takes for a moment."""


class LabError(Exception):
    """A problem with the lab's process that its user can fix."""


class LabOptionError(LabError):
    """An option asks for what the lab does not have or cannot do."""


class LabNotRunningError(LabError):
    """No lab runs in a state folder."""


@dataclass(frozen=True, slots=True)
class StateFolder:
    """A lab's state folder."""

    path: Path

    @property
    def note(self) -> Path:
        """The file in which the running lab records its address."""
        return self.path / "lab.json"

    @property
    def log(self) -> Path:
        """The log of the lab's process."""
        return self.path / "lab.log"

    @property
    def world(self) -> Path:
        """The lab's saved state, written while it runs and when it stops."""
        return self.path / "world.snapshot"

    @property
    def disks(self) -> Path:
        """The disks of machines on the Linux data plane."""
        return self.path / "disks"

    @property
    def az(self) -> Path:
        """The az CLI's configuration folder."""
        return self.path / "az"

    @property
    def _lock_file(self) -> Path:
        return self.path / "lock"

    def make(self) -> None:
        """Create the folder for its owner only."""
        make_private_folder(self.path)

    def load_identity(self) -> Identity:
        """Return the lab's identity; create it if it is missing."""
        file = self.path / "identity.json"
        with contextlib.suppress(FileNotFoundError, ValueError):
            return identity.from_json(file.read_text())
        identity_ = identity.make_identity()
        write_private(file, identity_.to_json().encode())
        return identity_

    def extend(self, subscriptions: int, tenants: int) -> None:
        """Ensure at least these numbers of subscriptions and tenants, from the next start on."""
        extended = self.load_identity().extend_subscriptions(subscriptions).extend_tenants(tenants)
        write_private(self.path / "identity.json", extended.to_json().encode())

    def read_signing_key(self) -> bytes | None:
        """Return the key that signs the lab's tokens; None if there is none yet."""
        file = self.path / "signing.key"
        return file.read_bytes() if file.is_file() else None

    def save_signing_key(self, key: bytes) -> None:
        """Save the key, so that tokens outlive a restart."""
        write_private(self.path / "signing.key", key)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the folder while a lab serves from it; raise LabError if another one does."""
        self.make()
        lock = self._acquire(HOLD_TIMEOUT_S)
        if lock is None:
            raise LabError(
                f"A lab is already running in {self.path}. Stop it with: erfailover lab down"
            )
        try:
            yield
        finally:
            lock.release()

    def is_held(self) -> bool:
        """Return whether a lab serves from the folder."""
        if not self._lock_file.is_file():
            return False
        lock = self._acquire(0)
        if lock is not None:
            lock.release()
        return lock is None

    def _acquire(self, timeout_s: float) -> FileLock | None:
        """Acquire an operating-system lock, which is released when its process ends.

        Without one, filelock would use a file that outlives its process.
        """
        if not issubclass(FileLock, (UnixFileLock, WindowsFileLock)):
            raise LabError("The lab needs file locks, which this platform does not have.")
        lock = FileLock(self._lock_file, mode=0o600, fallback_to_soft=False)
        try:
            lock.acquire(timeout=timeout_s)
        except Timeout:
            return None
        except OSError as error:
            raise LabError(f"The lab cannot lock {self._lock_file}: {error}") from error
        return lock


def get_state_folder(chosen: Path | None) -> StateFolder:
    """Return the state folder: the chosen one, the variable's, or the user's default."""
    if chosen is not None:
        return StateFolder(chosen.absolute())
    named = os.environ.get(STATE_VARIABLE)
    if named:
        return StateFolder(Path(named).absolute())
    return StateFolder(Path(platformdirs.user_state_dir("erfailover")) / "lab")
