"""A document that only the leader of a watch writes, and a new leader reads."""

from __future__ import annotations

import threading

from erfailover.runtime.state.documents import Document, Documents


class SharedDocument:
    """One document of the store. Safe to use from several threads.

    A replica that is no longer the leader cannot overwrite what its successor has written: each
    write names the version that this replica has read or written last.

    Args:
        documents: the store.
        key: the document's key.
    """

    def __init__(self, documents: Documents, key: str) -> None:
        self._documents, self._key = documents, key
        self._known: Document | None = None
        self._lock = threading.Lock()

    def load(self) -> bytes | None:
        """Return what it holds; None if it does not exist.

        Raises:
            StateFailure: the store cannot be used.
        """
        with self._lock:
            self._known = self._documents.read(self._key)
            return self._known.data if self._known else None

    def store(self, data: bytes) -> None:
        """Replace what it holds, unless it is the same.

        Raises:
            Conflict: another replica has written it.
            StateFailure: the store cannot be used.
        """
        with self._lock:
            if self._known is not None and self._known.data == data:
                return
            version = self._known.version if self._known else None
            self._known = self._documents.write(self._key, data, version)
