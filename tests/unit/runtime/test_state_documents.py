"""Documents with versions: one contract for this machine's files and for blobs in Azurite."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ServiceResponseError
from azure.storage.blob import BlobClient, ContainerClient

from erfailover.azure.blob_documents import BlobDocuments
from erfailover.errors import StateFailure
from erfailover.model.state_location import BlobLocation
from erfailover.runtime.clock import SystemClock
from erfailover.runtime.state.documents import Conflict, Document, Documents, LocalDocuments
from tests.support.needs import needs_npm
from tests.tools.azurite import ACCOUNT, Azurite, Credential, running

ON_AZURITE = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    needs_npm,
]


class Hurried(SystemClock):
    """The machine's clock, without its waits."""

    def sleep(self, seconds: float) -> None:
        """Do not wait."""


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with running(tmp_path_factory.mktemp("azurite")) as result:
        yield result


@pytest.fixture
def open_blobs(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> Callable[[], BlobDocuments]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azurite.ca_file))
    name = f"state-{uuid.uuid4().hex[:8]}"
    with ContainerClient(azurite.endpoint, name, credential=Credential()) as container:
        container.create_container()
    location = BlobLocation(ACCOUNT, name, "sites/poc/watch")
    return lambda: BlobDocuments(location, azurite.endpoint, Hurried(), make_credential=Credential)


@pytest.fixture(params=["local", pytest.param("blob", marks=ON_AZURITE)])
def open_documents(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Documents]:
    """Opens the same documents, as another process does."""
    if request.param == "blob":
        result: Callable[[], Documents] = request.getfixturevalue("open_blobs")
        return result
    return lambda: LocalDocuments(tmp_path / "state" / "documents")


def read(documents: Documents, key: str = "pause") -> Document:
    document = documents.read(key)
    assert document is not None
    return document


def test_what_one_writes_another_reads(open_documents: Callable[[], Documents]) -> None:
    one, other = open_documents(), open_documents()
    assert one.read("pause") is None
    first = one.write("pause", b"first", None)
    assert first.data == b"first"
    assert read(other) == first
    second = other.write("pause", b"second", first.version)
    assert second.version != first.version
    assert read(one) == second
    assert one.read("approval") is None


def test_a_document_that_has_changed_is_not_overwritten(
    open_documents: Callable[[], Documents],
) -> None:
    one, other = open_documents(), open_documents()
    first = one.write("pause", b"first", None)
    with pytest.raises(Conflict, match="pause"):
        other.write("pause", b"another", None)
    second = other.write("pause", b"second", first.version)
    with pytest.raises(Conflict, match="pause"):
        one.write("pause", b"third", first.version)
    with pytest.raises(Conflict, match="pause"):
        one.delete("pause", first.version)
    assert read(one) == second


def test_the_same_data_is_a_conflict_too(open_documents: Callable[[], Documents]) -> None:
    first = open_documents().write("pause", b"first", None)
    for version in (None, "another version"):
        with pytest.raises(Conflict):
            open_documents().write("pause", b"first", version)
    assert read(open_documents()) == first


def test_a_deleted_document_is_gone(open_documents: Callable[[], Documents]) -> None:
    one, other = open_documents(), open_documents()
    first = one.write("pause", b"first", None)
    other.delete("pause", first.version)
    assert one.read("pause") is None
    one.delete("pause", first.version)
    with pytest.raises(Conflict):
        one.write("pause", b"second", first.version)
    assert one.write("pause", b"second", None).data == b"second"


def test_of_concurrent_changes_none_is_lost(open_documents: Callable[[], Documents]) -> None:
    open_documents().write("pause", b"0", None)

    def count_up(_: int) -> None:
        documents = open_documents()
        added = 0
        while added < 5:
            document = read(documents)
            try:
                documents.write("pause", b"%d" % (int(document.data) + 1), document.version)
            except Conflict:
                continue
            added += 1

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count_up, range(4)))
    assert read(open_documents()).data == b"20"


def insist_on_failures(documents: Documents, match: str) -> None:
    acts: tuple[Callable[[], object], ...] = (
        lambda: documents.read("pause"),
        lambda: documents.write("pause", b"", None),
        lambda: documents.write("pause", b"", "version"),
        lambda: documents.delete("pause", "version"),
    )
    for act in acts:
        with pytest.raises(StateFailure, match=match) as failure:
            act()
        assert failure.value.hint


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    insist_on_failures(LocalDocuments(tmp_path / "file" / "documents"), "file/documents")


def test_a_lock_that_is_not_given_up_is_named(tmp_path: Path) -> None:
    documents = LocalDocuments(tmp_path, sleep=lambda seconds: None)
    documents.write("pause", b"first", None)
    from erfailover.runtime.state.folder import hold_lock

    with hold_lock(tmp_path / "documents.lock", lambda seconds: None):
        with pytest.raises(StateFailure, match=r"documents\.lock is locked"):
            documents.write("pause", b"second", read(documents).version)
        assert read(documents).data == b"first"


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    LocalDocuments(tmp_path / "new").write("pause", b"first", None)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    for file in (tmp_path / "new").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600


def test_an_endpoint_that_does_not_answer_is_named() -> None:
    documents = BlobDocuments(
        BlobLocation(ACCOUNT, "state", "sites/poc/watch"),
        f"https://127.0.0.1:9/{ACCOUNT}",
        Hurried(),
        make_credential=Credential,
    )
    insist_on_failures(documents, "azblob://devstoreaccount1/state/sites/poc/watch")


@pytest.mark.slow
@needs_npm
def test_a_missing_container_is_named_with_the_command_that_creates_it(azurite: Azurite) -> None:
    documents = BlobDocuments(
        BlobLocation(ACCOUNT, "missing", "sites/poc/watch"),
        azurite.endpoint,
        Hurried(),
        make_credential=Credential,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(azurite.ca_file))
        insist_on_failures(documents, "missing")


@pytest.mark.slow
@needs_npm
def test_a_change_whose_answer_is_lost_is_made_once(
    open_blobs: Callable[[], BlobDocuments], monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = open_blobs()
    lost: list[str] = []

    def lose_first_answer(name: str) -> None:
        original = getattr(BlobClient, name)

        def call(self: BlobClient, *arguments: Any, **options: Any) -> Any:
            result = original(self, *arguments, **options)
            if lost.count(name) < 1:
                lost.append(name)
                raise ServiceResponseError("the connection was dropped")
            return result

        monkeypatch.setattr(BlobClient, name, call)

    lose_first_answer("upload_blob")
    assert documents.read("pause") is None
    first = documents.write("pause", b"first", None)
    assert read(open_blobs()) == first
    lost.clear()
    second = documents.write("pause", b"second", first.version)
    assert read(open_blobs()) == second
    lose_first_answer("delete_blob")
    documents.delete("pause", second.version)
    assert documents.read("pause") is None
    assert lost == ["upload_blob", "delete_blob"]
