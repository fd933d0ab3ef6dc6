"""One replica leads, knows when it no longer does, and is replaced in time."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from azure.storage.blob import ContainerClient

from erfailover.commands.watch.leadership import Leadership
from erfailover.errors import StateFailure
from erfailover.runtime.state.local import LocalStore
from tests.support.forwarder import Forwarder, forward
from tests.support.needs import needs_npm
from tests.support.replica import Replica, start_replica
from tests.support.stores import ANNA, BERT, Remote, Wall, store
from tests.tools.azurite import Azurite, Credential, running

IN_TIME_S = 30.0
"""The lease and 15 s."""


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10.0
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    """A store that is renewed all the time, and can be made to fail."""
    return Remote(renew_every_s=0.002, inner=store(tmp_path))


def test_one_leads_and_the_other_knows_who(tmp_path: Path) -> None:
    anna, bert = Leadership(store(tmp_path), ANNA), Leadership(store(tmp_path), BERT)
    assert anna.leader is None
    assert anna.try_lead()
    assert anna.is_leader()
    assert not bert.try_lead()
    assert not bert.is_leader()
    assert anna.leader == bert.leader == ANNA.name
    assert anna.problem is bert.problem is None
    assert anna.try_lead()
    anna.resign()
    assert not anna.is_leader()
    assert bert.try_lead()
    assert not anna.try_lead()
    assert anna.leader == BERT.name
    bert.resign()
    bert.resign()
    assert anna.try_lead()
    anna.close()


def test_a_leader_sends_no_request_to_know_that_it_leads(remote: Remote) -> None:
    remote.renew_every_s = 3600.0
    anna = Leadership(remote, ANNA)
    assert anna.try_lead()
    before = list(remote.calls)
    assert anna.is_leader()
    assert anna.leader == ANNA.name
    assert anna.problem is None
    assert anna.try_lead()
    assert remote.calls == before
    anna.resign()


def test_a_leader_without_the_store_leads_for_10_s_and_again_once_it_answers(
    remote: Remote,
) -> None:
    uptime = Wall(0.0)
    anna = Leadership(remote, ANNA, uptime)
    assert anna.try_lead()
    remote.down = True
    wait_until(lambda: anna.problem is not None)
    uptime.at = 9.9
    assert anna.is_leader()
    uptime.at = 10.0
    assert not anna.is_leader()
    assert anna.leader is None
    assert "azblob://there does not answer" in str(anna.problem)
    assert not anna.try_lead()
    remote.down = False
    wait_until(anna.is_leader)
    assert anna.problem is None
    anna.resign()


def test_a_leader_that_was_stopped_knows_before_it_asks(remote: Remote) -> None:
    remote.renew_every_s = 3600.0
    uptime = Wall(0.0)
    anna = Leadership(remote, ANNA, uptime)
    assert anna.try_lead()
    uptime.at = 60.0
    assert not anna.is_leader()
    assert "has not confirmed" in str(anna.problem)
    anna.resign()


def test_who_is_stopped_while_it_acquires_the_lease_does_not_lead(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.renew_every_s = 3600.0
    uptime = Wall(0.0)

    def renew_and_be_stopped() -> None:
        uptime.at += 60.0

    monkeypatch.setattr(remote, "renew", renew_and_be_stopped)
    anna = Leadership(remote, ANNA, uptime)
    assert not anna.try_lead()
    assert not anna.is_leader()
    anna.resign()


def test_who_loses_the_lease_stops_leading_and_leads_again_when_it_is_free(
    tmp_path: Path,
) -> None:
    ours = store(tmp_path)
    ours.lease_s = 0.03
    anna, thief = Leadership(ours, ANNA), store(tmp_path)
    assert anna.try_lead()
    thief.acquire(BERT, take_over=True)
    wait_until(lambda: not anna.is_leader())
    assert not anna.try_lead()
    assert anna.leader == BERT.name
    assert anna.problem is None
    thief.release()
    assert anna.try_lead()
    anna.resign()


def test_a_store_that_cannot_be_used_is_a_problem_until_it_can(
    remote: Remote, tmp_path: Path
) -> None:
    anna = Leadership(remote, ANNA)
    remote.down = True
    assert not anna.try_lead()
    assert "does not answer" in str(anna.problem)
    assert anna.leader is None
    remote.down = False
    assert anna.try_lead()
    assert anna.problem is None
    anna.resign()

    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "lease.json").write_text("no lease")
    bert = Leadership(store(folder), BERT)
    assert not bert.try_lead()
    assert "is damaged" in str(bert.problem)


def test_a_lease_that_cannot_be_confirmed_is_given_up(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise StateFailure("gone")

    monkeypatch.setattr(remote, "renew", fail)
    anna = Leadership(remote, ANNA)
    assert not anna.try_lead()
    assert anna.problem == "gone"
    assert remote.calls[-1] == "release"


# Processes.


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Callable[..., Replica]]:
    """Starts replicas, and ends them at the end."""
    started: list[Replica] = []

    def start(*where: str) -> Replica:
        started.append(start_replica(tmp_path / f"times-{len(started)}", where))
        return started[-1]

    yield start
    for replica in started:
        replica.process.kill()
        replica.process.wait()


def insist_on_succession(old: Replica, new: Replica, fault: float) -> None:
    """Fail unless the new leader leads in time, and only after the old one has ceased to."""
    began = new.wait_for_lead(IN_TIME_S + 5.0)
    assert began - fault <= IN_TIME_S
    assert old.read_times()[-1] < began


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_stopped_leader_is_replaced_on_this_machine(
    tmp_path: Path, processes: Callable[..., Replica]
) -> None:
    first = processes(str(tmp_path / "state"))
    first.wait_for_lead(10.0)
    second = processes(str(tmp_path / "state"))
    time.sleep(2.0)
    assert second.read_times() == []
    fault = time.time()
    first.process.send_signal(signal.SIGSTOP)
    insist_on_succession(first, second, fault)
    first.process.send_signal(signal.SIGCONT)
    time.sleep(7.0)
    assert first.read_times()[-1] <= fault + 0.1
    fault = time.time()
    second.process.kill()
    began = first.wait_for_lead(IN_TIME_S, after=fault)
    assert began - fault <= 10.0
    assert second.read_times()[-1] < began


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with running(tmp_path_factory.mktemp("azurite")) as result:
        yield result


@pytest.fixture
def doors(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Forwarder]]:
    """Two ways to Azurite, one for each replica."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azurite.ca_file))
    port = urlsplit(azurite.endpoint).port
    assert port is not None
    with ExitStack() as stack:
        yield [stack.enter_context(forward(port)) for _ in range(2)]


@needs_npm
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", ["kill -9", "SIGSTOP", "cut off"])
def test_a_leader_in_blob_storage_is_replaced(
    azurite: Azurite, doors: list[Forwarder], processes: Callable[..., Replica], fault: str
) -> None:
    container = f"state-{uuid.uuid4().hex[:8]}"
    with ContainerClient(azurite.endpoint, container, credential=Credential()) as client:
        client.create_container()
    path = urlsplit(azurite.endpoint).path
    one, other = (f"https://127.0.0.1:{door.port}{path}" for door in doors)
    first = processes(one, container)
    first.wait_for_lead(15.0)
    second = processes(other, container)
    time.sleep(3.0)
    assert second.read_times() == []
    at = time.time()
    if fault == "cut off":
        doors[0].is_cut = True
    else:
        first.process.send_signal(signal.SIGKILL if fault == "kill -9" else signal.SIGSTOP)
    insist_on_succession(first, second, at)
    doors[0].is_cut = False
    if fault == "SIGSTOP":
        first.process.send_signal(signal.SIGCONT)
    time.sleep(8.0)
    began = second.read_times()[0]
    assert first.read_times()[-1] < began
    assert second.read_times()[-1] > began + 7.0


def test_the_lease_of_the_watch_on_this_machine_lasts_15_s(tmp_path: Path) -> None:
    wall = Wall()
    ours = LocalStore(tmp_path, wall, lambda holder: None, lambda holder: False, lease_s=15.0)
    assert ours.renew_every_s == 5.0
    record = ours.acquire(ANNA, take_over=False).record
    assert record.expires == wall.at + 15.0
    wall.at += 6.0
    ours.renew()
    renewed = ours.look().record
    assert renewed is not None
    assert renewed.expires == wall.at + 15.0
