"""One writer: two controllers at once, a lease that is lost midway, a holder that was killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from erfailover.model.lease import Holder
from erfailover.runtime.state.local import LocalStore
from erfailover.runtime.state.process import build_holder
from tests.support.clocks import ResumedClock
from tests.support.flags import ON_IPSEC, flags
from tests.support.processes import ELSEWHERE, SWITCH, command, puts, wait_for_puts
from tests.support.stage import Stage

SLOW = 10.0


def state(stage: Stage) -> LocalStore:
    return LocalStore(next(stage.folder.joinpath("state").rglob("journal.jsonl")).parent)


@pytest.fixture
def other() -> Iterator[Holder]:
    """A process of this machine that holds leases and does nothing."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield replace(build_holder("provision"), pid=process.pid, started="")
    process.communicate()


def test_of_two_controllers_started_together_one_writes_and_one_is_told_who(
    provisioned: Stage,
) -> None:
    stage = provisioned
    before = puts(stage)
    stage.lab.clock = ResumedClock(SLOW, stage.clock.now())
    popens = [command(*SWITCH, speed=SLOW) for _ in range(2)]
    by_name = {process.pid: process.communicate(timeout=120)[1] for process in popens}
    assert sorted(process.returncode for process in popens) == [0, 3], by_name
    winner, loser = sorted(popens, key=lambda process: process.returncode)
    assert f"process {winner.pid}: erfailover switch --to ipsec, since" in by_name[loser.pid]
    assert "--take-over" in by_name[loser.pid]
    assert puts(stage) == before + 5


@pytest.mark.parametrize(
    "words", [SWITCH, ("provision", "--yes"), ("drill", "start", "--yes"), ("destroy", "--yes")]
)
def test_while_another_writes_no_command_does_and_what_only_reads_goes_on(
    provisioned: Stage, other: Holder, words: tuple[str, ...]
) -> None:
    stage = provisioned
    before = len(stage.writes())
    state(stage).acquire(other, take_over=False)
    assert stage.run(*words) == 3
    assert f"{other.name}: erfailover provision, since" in stage.err
    assert len(stage.writes()) == before
    stage.do("status")
    stage.do("verify")
    stage.do("switch", "--to", "ipsec", "--dry-run")
    stage.do("provision", "--dry-run")
    stage.do("destroy", "--dry-run")
    stage.do("history")


@pytest.mark.parametrize("write", [1, 2, 3, 4])
def test_who_loses_the_lease_midway_stops_before_the_next_write(
    provisioned: Stage, write: int
) -> None:
    stage = provisioned
    store, before = state(stage), puts(stage)
    stolen: list[int] = []

    def steal() -> None:
        if puts(stage) >= before + write and not stolen:
            stolen.append(puts(stage))
            store.acquire(ELSEWHERE, take_over=True)

    stage.lab.listen(steal)
    assert stage.run(*SWITCH) == 3
    assert stolen == [before + write]
    assert "the lease of the site is lost: it was taken over by bert@ops2" in stage.err
    assert puts(stage) == before + write

    assert stage.run(*SWITCH) == 3
    store.release()
    stage.do(*SWITCH)
    assert puts(stage) == before + 5
    assert flags(stage.json("status")) == ON_IPSEC


def test_a_live_lease_is_taken_over_only_when_told_to_and_that_is_recorded(
    provisioned: Stage,
) -> None:
    stage = provisioned
    store = state(stage)
    store.acquire(ELSEWHERE, take_over=False)
    assert stage.run(*SWITCH) == 3
    stage.do(*SWITCH, "--take-over")
    assert "Took over the live lease of bert@ops2, process 17" in stage.err
    last = stage.json("history")[-1]
    assert last["took_over"] == "the live lease of bert@ops2, process 17 (switch --to ipsec)"
    assert "took over the live lease of bert@ops2" in stage.do("history", last["id"])
    assert not store.lease_file.exists()


def test_the_lease_of_a_killed_run_is_taken_over_at_once(provisioned: Stage) -> None:
    stage = provisioned
    before = puts(stage)
    stage.lab.clock = ResumedClock(50.0, stage.clock.now())
    process = command(*SWITCH)
    wait_for_puts(stage, process, 1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    again = command(*SWITCH)
    _, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert "Took over the orphaned lease of" in err
    assert f"process {process.pid}" in err
    assert puts(stage) == before + 5


def test_a_refused_confirmation_or_a_failure_gives_the_lease_up(provisioned: Stage) -> None:
    stage = provisioned
    assert stage.run("switch", "--to", "ipsec") == 3
    assert "--yes --planned" in stage.err
    assert not state(stage).lease_file.exists()


def test_a_wrong_place_for_the_state_is_told_with_its_line(stage: Stage) -> None:
    stage.do("init")
    site = Path("erfailover.yaml")
    site.write_text(site.read_text() + "\nstate: s3://bucket/site\n")
    line = len(site.read_text().splitlines())
    assert stage.run("status") == 2
    assert f"erfailover.yaml:{line}: state: expected azblob://" in stage.err


def test_a_shared_state_out_of_reach_is_told_and_gone_without_when_told_to(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    monkeypatch.setenv("ERFAILOVER_BLOB_ENDPOINT", "https://127.0.0.1:9/acct1")
    monkeypatch.setattr("erfailover.azure.blob_store.CALL_S", 0.0)
    site = Path("erfailover.yaml")
    site.write_text(site.read_text() + "\nstate: azblob://acct1/state/poc\n")
    before = puts(stage)
    assert stage.run(*SWITCH) == 5
    assert "azblob://acct1/state/poc" in stage.err
    assert "--break-glass" in stage.err
    assert puts(stage) == before

    stage.do(*SWITCH, "--break-glass")
    assert "!! --break-glass: the state of the site cannot be reached" in stage.err
    assert puts(stage) == before + 5
    records = [json.loads(line) for line in state(stage).read().splitlines()]
    assert records[-1]["event"] == "ended"
    assert records[-1]["outcome"] == "done"
