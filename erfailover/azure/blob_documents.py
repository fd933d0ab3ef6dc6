"""Documents in Azure Blob storage, shared by the machines that watch and operate a site.

Each is a block blob; its version is the blob's ETag. Documented rules this rests on: a Put Blob or
Delete Blob with ``If-Match`` is done only if the blob still has that ETag (otherwise 412,
``ConditionNotMet``), a Put Blob with ``If-None-Match: *`` only if there is no blob (otherwise 409,
``BlobAlreadyExists``), and every write changes the ETag.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from azure.core import MatchConditions
from azure.storage.blob import BlobClient, ContentSettings

from erfailover.azure.blob_access import BlobAccess, download
from erfailover.azure.client.retries import READ
from erfailover.errors import AzureFailure
from erfailover.runtime.state.documents import Document, build_conflict

WRITE = "write"
"""The name of a blob's metadata that says which write it is of."""
GONE = "BlobNotFound"
CHANGED = frozenset({"BlobAlreadyExists", "ConditionNotMet", "TargetConditionNotMet", GONE})
"""Codes that say that a blob is not in the state that the condition of a write names."""


@dataclass(eq=False)
class BlobDocuments(BlobAccess):
    """Documents in a folder of a container: ``<folder>/<key>.json``."""

    def read(self, key: str) -> Document | None:
        """Return a document; None if it does not exist."""
        try:
            return self._call(f"reading {key}", lambda: download(self._get_document(key)), READ)
        except AzureFailure as failure:
            if failure.code == GONE:
                return None
            raise self._build_state_failure(failure) from failure

    def write(self, key: str, data: bytes, version: str | None) -> Document:
        """Write a document; raises ``Conflict`` if it has changed since it had the version.

        A write whose answer was lost is sent again. Its condition then fails, and the blob's
        metadata says that it is this write that was done.
        """
        write = uuid4().hex

        def upload() -> Any:
            return self._get_document(key).upload_blob(
                data,
                overwrite=True,
                metadata={WRITE: write},
                content_settings=ContentSettings(content_type="application/json"),
                **_build_condition(version),
            )

        try:
            return Document(data, str(self._call(f"writing {key}", upload, READ)["etag"]))
        except AzureFailure as failure:
            if failure.code not in CHANGED:
                raise self._build_state_failure(failure) from failure
        properties = self._read_properties(key)
        if properties is None or properties.metadata.get(WRITE) != write:
            raise build_conflict(key, self.name)
        return Document(data, str(properties.etag))

    def delete(self, key: str, version: str) -> None:
        """Delete a document; raises ``Conflict`` if it has changed since it had the version."""

        def delete() -> None:
            self._get_document(key).delete_blob(**_build_condition(version))

        try:
            self._call(f"deleting {key}", delete, READ)
        except AzureFailure as failure:
            if failure.code not in CHANGED:
                raise self._build_state_failure(failure) from failure
        else:
            return
        if self._read_properties(key) is not None:
            raise build_conflict(key, self.name)

    def _read_properties(self, key: str) -> Any:
        """Return the properties of a blob; None if it does not exist."""
        try:
            return self._call(
                f"reading {key}", lambda: self._get_document(key).get_blob_properties(), READ
            )
        except AzureFailure as failure:
            if failure.code == GONE:
                return None
            raise self._build_state_failure(failure) from failure

    def _get_document(self, key: str) -> BlobClient:
        return self._get_client(f"{key}.json")


def _build_condition(version: str | None) -> dict[str, Any]:
    """Return the condition of a request: that a blob has a version, or None for no blob."""
    if version is None:
        return {"match_condition": MatchConditions.IfMissing}
    return {"etag": version, "match_condition": MatchConditions.IfNotModified}
