"""Journal and lease in Azure Blob storage, against Azurite over https.

A blob lease runs on Azurite's own clock, so a test that waits one out takes its 15 s.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient

from erfailover.azure.blob_store import BLOCK, LEASE_S, BlobStore
from erfailover.errors import Refused, StateFailure
from erfailover.model.lease import Holder, LeaseStanding
from erfailover.model.state_location import BlobLocation
from erfailover.runtime.clock import SystemClock
from tests.support.needs import needs_npm
from tests.support.stores import ANNA, BERT
from tests.tools.azurite import ACCOUNT, Azurite, Credential, running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    needs_npm,
]


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with running(tmp_path_factory.mktemp("azurite")) as result:
        yield result


@dataclass
class Storage:
    """An account with a container; opens stores of one site in it."""

    azurite: Azurite
    container: str

    def store(
        self,
        lives: Callable[[Holder], bool | None] = lambda holder: None,
        lines: list[str] | None = None,
    ) -> BlobStore:
        return BlobStore(
            BlobLocation(ACCOUNT, self.container, "sites/poc"),
            self.azurite.endpoint,
            lives=lives,
            say=(lines if lines is not None else []).append,
            make_credential=Credential,
        )


@pytest.fixture
def storage(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> Storage:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azurite.ca_file))
    name = f"state-{uuid.uuid4().hex[:8]}"
    with ContainerClient(azurite.endpoint, name, credential=Credential()) as container:
        container.create_container()
    return Storage(azurite, name)


def test_there_is_an_empty_journal_before_anybody_wrote(storage: Storage) -> None:
    assert storage.store().read() == b""


def test_what_the_holder_appends_is_read_by_everybody(storage: Storage) -> None:
    holder = storage.store()
    holder.acquire(ANNA, take_over=False)
    holder.append(b"one\n")
    holder.append(b"two\n")
    assert storage.store().read() == b"one\ntwo\n"
    holder.release()
    later = storage.store()
    later.acquire(BERT, take_over=False)
    later.append(b"three\n")
    assert later.read() == b"one\ntwo\nthree\n"


@pytest.mark.parametrize("late", [b"two\n", b"two\nthree\n", b"older\n"])
def test_a_block_that_lands_after_its_answer_was_given_up_does_not_end_the_journal(
    storage: Storage, late: bytes
) -> None:
    holder = storage.store()
    holder.acquire(ANNA, take_over=False)
    holder.append(b"one\n")
    token = holder._token
    assert token is not None
    holder._blob.append_block(late, length=len(late), lease=token)
    holder.append(b"two\nthree\n")
    holder.append(b"four\n")
    older = b"" if b"two\nthree\n".startswith(late) else late
    assert storage.store().read() == b"one\n" + older + b"two\nthree\nfour\n"


def test_nobody_appends_without_the_lease(storage: Storage) -> None:
    storage.store().acquire(ANNA, take_over=False)
    with pytest.raises(Refused):
        storage.store().append(b"one\n")


def test_more_than_azure_takes_at_once_is_appended_in_parts(storage: Storage) -> None:
    holder = storage.store()
    holder.acquire(ANNA, take_over=False)
    lines = b"x" * BLOCK + b"\n"
    holder.append(lines)
    assert holder.read() == lines


def test_a_second_operator_is_told_who_holds_it(storage: Storage) -> None:
    holder = storage.store()
    holder.acquire(ANNA, take_over=False)
    with pytest.raises(Refused) as refused:
        storage.store().acquire(BERT, take_over=False)
    assert "anna@ops1, process 4242: erfailover switch --to ipsec" in refused.value.message
    assert "--take-over" in (refused.value.hint or "")
    assert str(holder._token) not in f"{refused.value.message} {refused.value.hint} {holder!r}"
    holder.renew()


def test_a_lease_that_was_given_up_is_free(storage: Storage) -> None:
    first = storage.store()
    first.acquire(ANNA, take_over=False)
    first.release()
    assert storage.store().acquire(BERT, take_over=False).standing is LeaseStanding.FREE


def test_the_lease_of_a_process_that_is_gone_is_waited_out(storage: Storage) -> None:
    storage.store().acquire(ANNA, take_over=False)
    lines: list[str] = []
    lease = storage.store(lives=lambda holder: False, lines=lines).acquire(BERT, take_over=False)
    assert lease.standing is LeaseStanding.ORPHANED
    assert lease.previous is not None
    assert lease.previous.holder == ANNA
    assert "Waiting for the lease of anna@ops1" in lines[0]


def test_a_live_lease_that_is_taken_over_is_broken_given_15_s_and_its_holder_stopped(
    storage: Storage,
) -> None:
    first, second = storage.store(), storage.store()
    first.acquire(ANNA, take_over=False)
    began = SystemClock().now()
    lease = second.acquire(BERT, take_over=True)
    assert SystemClock().now() - began >= LEASE_S
    assert lease.standing is LeaseStanding.LIVE
    for act in (first.renew, lambda: first.append(b"one\n")):
        with pytest.raises(Refused, match="lost: it is now held by bert@ops2"):
            act()
    first.release()
    second.renew()
    second.append(b"two\n")
    assert second.read() == b"two\n"


def test_a_container_that_is_not_there_is_named_with_the_command_that_makes_it(
    storage: Storage,
) -> None:
    storage.container = "nothing-there"
    for act in (storage.store().read, lambda: storage.store().acquire(ANNA, take_over=False)):
        with pytest.raises(StateFailure, match="nothing-there") as failure:
            act()
        assert "az storage container create" in (failure.value.hint or "")


def test_a_store_that_does_not_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = BlobLocation(ACCOUNT, "state", "sites/poc")
    store = BlobStore(
        location, f"https://127.0.0.1:9/{ACCOUNT}", make_credential=Credential, clock=Hurried()
    )
    with pytest.raises(StateFailure, match="azblob://devstoreaccount1/state/sites/poc"):
        store.acquire(ANNA, take_over=False)


class Hurried(SystemClock):
    """The machine's clock, without its waits."""

    def sleep(self, seconds: float) -> None:
        """Do not wait."""


def test_looking_at_the_lease_takes_nothing(storage: Storage) -> None:
    assert storage.store().look().standing is LeaseStanding.FREE
    anna = storage.store()
    anna.acquire(ANNA, take_over=False)
    held = storage.store().look()
    assert (held.standing, held.record and held.record.holder) == (LeaseStanding.LIVE, ANNA)
    assert storage.store(lambda holder: False).look().standing is LeaseStanding.ORPHANED
    anna.renew()
    anna.release()
    assert storage.store().look().standing is LeaseStanding.FREE
