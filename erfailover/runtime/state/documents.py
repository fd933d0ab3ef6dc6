"""Small documents that the replicas of a watch and its operators share.

Implemented here in files of this machine, and by ``azure.blob_documents`` in a storage account.
Each document has a version, and a write names the version that it replaces, so that no change by
another process is overwritten unseen.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from erfailover.errors import StateFailure
from erfailover.runtime import files, input_file
from erfailover.runtime.state.folder import hold_lock, translate_errors

MOST_BYTES = 1 << 26
"""How large a document may be: the plan of the largest site is a few megabytes."""


class Conflict(StateFailure):
    """Another process has changed the document since it was read."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a document holds, and the version that it has with it."""

    data: bytes
    version: str


class Documents(Protocol):
    """The documents of one site, by key: a word in lower case. Safe to use from several threads.

    Every method raises ``StateFailure`` if the store cannot be reached or used.
    """

    @property
    def name(self) -> str:
        """Where they are, for messages."""

    def read(self, key: str) -> Document | None:
        """Return a document; None if it does not exist."""

    def write(self, key: str, data: bytes, version: str | None) -> Document:
        """Write a document and return it with its new version.

        Args:
            key: its key.
            data: what it holds from now on.
            version: the version that it replaces; None if it must not exist yet.

        Raises:
            Conflict: it has another version, or does not exist.
        """

    def delete(self, key: str, version: str) -> None:
        """Delete a document; nothing happens if it does not exist.

        Raises:
            Conflict: it has another version.
        """

    def close(self) -> None:
        """Close every connection that was opened."""


def build_conflict(key: str, where: str) -> Conflict:
    """Return the failure to change a document that another process has changed."""
    return Conflict(
        f"{key} in {where} was changed by another process", "Run the same command again."
    )


@dataclass(frozen=True)
class LocalDocuments:
    """Documents in files of this machine, readable by their owner alone.

    Attributes:
        folder: made if it is missing.
        sleep: waits, in wall seconds.
    """

    folder: Path
    sleep: Callable[[float], None] = time.sleep

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.folder)

    def read(self, key: str) -> Document | None:
        """Return a document; None if it does not exist."""
        with translate_errors(self.folder):
            return self._read(key)

    def write(self, key: str, data: bytes, version: str | None) -> Document:
        """Write a document; raises ``Conflict`` if it has changed since it had the version."""
        with self._hold_lock():
            current = self._read(key)
            if (current and current.version) != version:
                raise build_conflict(key, self.name)
            files.write(self._get_file(key), data)
        return _build_document(data)

    def delete(self, key: str, version: str) -> None:
        """Delete a document; raises ``Conflict`` if it has changed since it had the version."""
        with self._hold_lock():
            current = self._read(key)
            if current is None:
                return
            if current.version != version:
                raise build_conflict(key, self.name)
            self._get_file(key).unlink()

    def close(self) -> None:
        """Nothing stays open."""

    def _read(self, key: str) -> Document | None:
        try:
            return _build_document(input_file.read(self._get_file(key), MOST_BYTES))
        except FileNotFoundError:
            return None

    def _get_file(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    @contextmanager
    def _hold_lock(self) -> Iterator[None]:
        with translate_errors(self.folder), hold_lock(self.folder / "documents.lock", self.sleep):
            yield


def _build_document(data: bytes) -> Document:
    return Document(data, hashlib.sha256(data).hexdigest())
