"""Operators on two machines who share journal and lease in Blob storage."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from azure.storage.blob import BlobClient, BlobLeaseClient, ContainerClient

from erfailover.azure.blob_store import BlobStore
from erfailover.commands.context import Context
from erfailover.commands.site_file import SiteFile
from erfailover.commands.watch.leadership import Leadership
from erfailover.model.state_location import parse
from erfailover.runtime.state.process import build_holder
from tests.support.flags import ON_IPSEC, flags
from tests.support.needs import needs_npm
from tests.support.processes import ELSEWHERE, SWITCH, puts
from tests.support.stage import Stage
from tests.tools.azurite import ACCOUNT, Azurite, Credential, running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    needs_npm,
]

STATE = f"azblob://{ACCOUNT}/state/sites/poc"


@dataclass
class Machines:
    """Two machines with state folders of their own, one at a time at the stage."""

    stage: Stage
    monkeypatch: pytest.MonkeyPatch

    def use(self, name: str) -> Stage:
        """Sit down at a machine."""
        self.monkeypatch.setenv("ERFAILOVER_STATE_DIR", str(self.stage.folder / name))
        return self.stage


@pytest.fixture
def azurite(tmp_path: Path) -> Iterator[Azurite]:
    folder = tmp_path / "azurite"
    folder.mkdir()
    with running(folder) as result:
        yield result


@pytest.fixture
def machines(provisioned: Stage, azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> Machines:
    """A site that was provisioned from the machine ``state`` and then given a shared state."""
    return share_state(provisioned, azurite, monkeypatch)


def share_state(stage: Stage, azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> Machines:
    bundle = stage.folder / "bundle.pem"
    lab_ca = Path(stage.environment["REQUESTS_CA_BUNDLE"])
    bundle.write_bytes(lab_ca.read_bytes() + azurite.ca_file.read_bytes())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    monkeypatch.setenv("ERFAILOVER_BLOB_ENDPOINT", azurite.endpoint)
    with ContainerClient(azurite.endpoint, "state", credential=Credential()) as container:
        container.create_container()
    site = stage.folder / "erfailover.yaml"
    site.write_text(f"{site.read_text()}\nstate: {STATE}\n")
    return Machines(stage, monkeypatch)


def outcomes(stage: Stage) -> list[tuple[str, str]]:
    return [(item["command"], item["outcome"]) for item in stage.json("history")]


def test_what_one_machine_did_the_other_knows_and_takes_back(machines: Machines) -> None:
    stage = machines.use("state")
    stage.do(*SWITCH)
    stage = machines.use("another")
    assert outcomes(stage) == [("provision", "done"), ("switch", "done")]
    stage.do("switch", "--undo", "--yes")
    assert outcomes(machines.use("state"))[-1] == ("switch", "done")
    assert stage.json("status")["path"] == "expressroute"


def test_a_second_operator_on_another_machine_is_told_who_writes(
    machines: Machines, azurite: Azurite
) -> None:
    stage = machines.use("another")
    store = BlobStore(parse(STATE), azurite.endpoint, make_credential=Credential)
    store.acquire(ELSEWHERE, take_over=False)
    before = puts(stage)
    assert stage.run(*SWITCH) == 3
    assert "bert@ops2, process 17: erfailover switch --to ipsec, since" in stage.err
    assert puts(stage) == before
    store.release()
    stage.do(*SWITCH)


def test_a_killed_run_on_this_machine_is_waited_out_and_taken_over(
    machines: Machines, azurite: Azurite
) -> None:
    stage = machines.use("state")
    dead = replace(build_holder("switch --to ipsec"), started="1")
    BlobStore(parse(STATE), azurite.endpoint, make_credential=Credential).acquire(
        dead, take_over=False
    )
    stage.do(*SWITCH)
    assert f"Waiting for the lease of {dead.name} to expire" in stage.err
    assert "Took over the orphaned lease" in stage.err
    assert str(stage.json("history")[-1]["took_over"]).startswith("the orphaned lease of")


def test_a_pause_and_the_leadership_are_shared_by_both_machines(machines: Machines) -> None:
    stage = machines.use("state")
    stage.do("pause", "--for", "2h", "--reason", "Carrier maintenance")
    assert "no state:" not in stage.err
    first = Leadership.open(Context(SiteFile(Path("erfailover.yaml"), os.environ, False)))
    assert first.try_lead()
    stage = machines.use("another")
    assert stage.json("status")["pause"]["reason"] == "Carrier maintenance"
    second = Leadership.open(Context(SiteFile(Path("erfailover.yaml"), os.environ, False)))
    assert not second.try_lead()
    assert second.leader == first.leader
    stage.do(*SWITCH)
    assert stage.json("resume")["ended"]["reason"] == "Carrier maintenance"
    assert machines.use("state").json("status")["pause"] is None
    first.close()
    assert second.try_lead()
    second.close()
    assert not list(stage.folder.glob("**/watch"))


@pytest.mark.parametrize("write", [1, 3])
def test_who_loses_the_shared_lease_midway_stops_before_the_next_write(
    machines: Machines, azurite: Azurite, write: int
) -> None:
    stage = machines.use("state")
    before = puts(stage)
    stolen: list[int] = []

    def steal() -> None:
        if puts(stage) >= before + write and not stolen:
            stolen.append(puts(stage))
            with BlobClient(
                azurite.endpoint, "state", "sites/poc/journal.jsonl", credential=Credential()
            ) as blob:
                BlobLeaseClient(blob).break_lease(lease_break_period=0)

    stage.lab.listen(steal)
    assert stage.run(*SWITCH) == 3
    assert "the lease of the site is lost" in stage.err
    assert puts(stage) == before + write
    stage.do(*SWITCH)
    assert puts(stage) == before + 5
    assert flags(stage.json("status")) == ON_IPSEC


def test_while_the_store_is_away_break_glass_goes_on_and_is_merged_afterwards(
    provisioned: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "azurite"
    folder.mkdir()
    with running(folder) as azurite:
        there = share_state(provisioned, azurite, monkeypatch)
        stage = there.use("state")
        stage.do("drill", "start", "--yes")
        endpoint = azurite.endpoint
    before = puts(stage)
    assert stage.run(*SWITCH) == 5
    assert STATE in stage.err
    assert "--break-glass" in stage.err
    assert puts(stage) == before
    assert stage.json("status")["path"] == "expressroute"
    stage.do(*SWITCH, "--break-glass")
    assert "!! Other machines can write to the site at the same time." in stage.err
    assert flags(stage.json("status")) == ON_IPSEC

    port = int(endpoint.split(":")[2].split("/")[0])
    with running(folder, port):
        stage.do("drill", "stop", "--yes")
        assert "of this machine's journal to azblob://" in stage.err
        stage = there.use("another")
        commands = ["provision", "drill start", "switch", "drill stop"]
        assert outcomes(stage) == [(command, "done") for command in commands]


def test_a_drill_holds_one_lease_from_its_first_reading_to_its_end(machines: Machines) -> None:
    stage = machines.use("another")
    stage.do("drill", "run", "--canary", "vnet1", "--yes")
    assert outcomes(stage)[-3:] == [
        ("drill run", "done"),
        ("switch", "done"),
        ("switch", "done"),
    ]
    assert stage.json("status")["path"] == "expressroute"
