"""The lab's state folder: its files, and the lock that a running lab holds."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from erfailover.lab.auth import identity
from erfailover.lab.auth.identity import Identity
from erfailover.lab.server.files import write_private

STATE_VARIABLE = "ERFAILOVER_LAB_STATE_DIR"


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

    def make(self) -> None:
        """Make the folder, its owner's alone."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def identity(self) -> Identity:
        """The lab's identity, made where there is none."""
        file = self.path / "identity.json"
        with contextlib.suppress(FileNotFoundError, ValueError):
            return identity.load(file.read_text())
        made = identity.make()
        write_private(file, made.as_json().encode())
        return made

    def add_subscriptions(self, count: int) -> None:
        """Have at least so many subscriptions, from the next start on."""
        write_private(
            self.path / "identity.json",
            self.identity().with_subscriptions(count).as_json().encode(),
        )

    def signing_key(self) -> bytes | None:
        """The key that signs the lab's tokens; None where there is none yet."""
        file = self.path / "signing.key"
        return file.read_bytes() if file.is_file() else None

    def keep_signing_key(self, key: bytes) -> None:
        """Keep the key, so that tokens outlive a restart."""
        write_private(self.path / "signing.key", key)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the folder while a lab serves from it; raises LabProblem where one does."""
        self.make()
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LabProblem(f"a lab runs already from {self.path}") from None
            yield
        finally:
            os.close(handle)

    def held(self) -> bool:
        """Whether a lab serves from the folder."""
        try:
            handle = os.open(self.path / "lock", os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False


def folder(chosen: Path | None) -> Folder:
    """The state folder: the one chosen, or the variable's, or the user's own."""
    if chosen is not None:
        return Folder(chosen.absolute())
    named = os.environ.get(STATE_VARIABLE)
    if named:
        return Folder(Path(named).absolute())
    return Folder(Path(platformdirs.user_state_dir("erfailover")) / "lab")
