"""How the blobs of a site's folder are reached: clients, credentials, retries, failures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

from azure.core.credentials import TokenCredential
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobClient

from erfailover.azure.client.retries import Contact, Retries
from erfailover.errors import AzureErrorKind, AzureFailure, StateFailure
from erfailover.model.state_location import BlobLocation
from erfailover.runtime.clock import Clock, SystemClock
from erfailover.runtime.state.documents import Document

T = TypeVar("T")

CONNECT_S, ANSWER_S = 5.0, 10.0
"""How long a connection and an answer may take, in wall seconds."""

CALL_S = 20.0
"""How long a call is tried, in wall seconds."""


@dataclass(eq=False)
class BlobAccess:
    """The blobs in a folder of a container.

    Attributes:
        location: account, container and folder.
        endpoint: of another cloud or an emulator, the account included; None for the public one.
        clock: storage runs on wall time, whatever speed a lab has.
        make_credential: called again after a 401, and ``renew_credential`` before it.
        transport: makes what the requests are sent by; the SDK's own if None.
        agent: what the requests say that they are from, before the SDK's own name.
    """

    location: BlobLocation
    endpoint: str | None = None
    clock: Clock = field(default_factory=SystemClock)
    make_credential: Callable[[], TokenCredential] = DefaultAzureCredential
    renew_credential: Callable[[], None] = lambda: None
    transport: Callable[[str, float, float], Any] | None = None
    agent: str | None = None
    _contact: Contact = field(default_factory=Contact)
    _clients: dict[str, BlobClient] = field(default_factory=dict, repr=False)
    _old: list[BlobClient] = field(default_factory=list, repr=False)

    @property
    def name(self) -> str:
        """The location, as the site file has it."""
        return str(self.location)

    def close(self) -> None:
        """Close every connection that was opened."""
        self._forget_clients()
        while self._old:
            self._old.pop().close()

    def _get_client(self, name: str) -> BlobClient:
        """Return the client of a blob of the folder."""
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = BlobClient(
                self._endpoint,
                self.location.container,
                f"{self.location.folder}/{name}",
                credential=self.make_credential(),
                retry_total=0,
                user_agent=self.agent,
                **self._connection,
            )
        return client

    @property
    def _endpoint(self) -> str:
        return self.endpoint or self.location.endpoint

    @property
    def _connection(self) -> dict[str, Any]:
        if self.transport is not None:
            return {"transport": self.transport(self._endpoint, CONNECT_S, ANSWER_S)}
        return {"connection_timeout": CONNECT_S, "read_timeout": ANSWER_S}

    def _renew_credential(self) -> None:
        """Forget credential and clients: the next call makes fresh ones."""
        self.renew_credential()
        self._forget_clients()

    def _forget_clients(self) -> None:
        while self._clients:
            self._old.append(self._clients.popitem()[1])

    def _call(
        self,
        what: str,
        work: Callable[[], T],
        on: frozenset[AzureErrorKind],
        at_most_s: float = CALL_S,
    ) -> T:
        retries = Retries(self.clock, self._renew_credential, self._contact)
        return retries.call(
            f"{what} in {self.name}", work, on=on, deadline=self.clock.now() + at_most_s
        )

    def _build_state_failure(self, failure: AzureFailure) -> StateFailure:
        return StateFailure(
            f"the state of the site cannot be reached: {failure.message}",
            self._suggest_remedy(failure) or failure.hint,
        )

    def _suggest_remedy(self, failure: AzureFailure) -> str | None:
        where = self.location
        if failure.code == "ContainerNotFound":
            return (
                f"Create it: az storage container create --auth-mode login --account-name "
                f"{where.account} --name {where.container}"
            )
        if failure.status == HTTPStatus.FORBIDDEN:
            return f"Assign the role Storage Blob Data Contributor on {where.account}."
        if failure.code == "BlockCountExceedsLimit":
            return "The journal blob is full. Set a new folder under state: in the site file."
        return None


def download(blob: BlobClient) -> Document:
    """Return the content of a blob; its version is the blob's ETag."""
    stream = blob.download_blob()
    content: bytes = stream.readall()
    return Document(content, str(stream.properties.etag))
