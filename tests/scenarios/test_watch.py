"""``erfailover watch`` on the sample site: who switches when, and who does not."""

from __future__ import annotations

from typing import Any

import pytest

from erfailover.commands.watch import runs
from erfailover.commands.watch.leadership import Leadership
from erfailover.commands.watch.site_watcher import MEMORY
from erfailover.lab.engine.faults import FOREVER, Fault, FaultKind
from erfailover.model.watch import WatchState
from tests.support.stage import Stage
from tests.support.watched import watching

PROBES = "[office]"
TABLES = "getBgpPeerStatus", "getLearnedRoutes"


def test_automatic_fails_over_and_back(provisioned: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with watching(
        provisioned,
        monkeypatch,
        mode="automatic",
        failback="automatic",
        probes=PROBES,
        notifications='[{command: [/bin/sh, -c, "cat >> events.jsonl"]}]',
    ) as watched:
        watched.run_for(90.0)
        assert watched.states == [WatchState.HEALTHY]
        watched.set_primary(up=False)
        watched.run_until(lambda: WatchState.ON_BACKUP in watched.states, 600.0)
        assert watched.states == ["HEALTHY", "SUSPECT", "FAILED", "ON_BACKUP"]
        watched.set_primary(up=True)
        watched.run_until(lambda: watched.states[-1] is WatchState.HEALTHY, 3600.0)
        runs = watched.list_switches()
        assert [(run["target"], run["outcome"]) for run in runs] == [
            ("ipsec", "done"),
            ("expressroute", "done"),
        ]
        ended = watched.list_events("run_ended")
        assert ["done and verified" in text and "utage" in text for text in ended] == [True, True]
    sent = (provisioned.folder / "events.jsonl").read_text("utf-8")
    assert sent.count('"io.erfailover.watch.run_ended"') == 2


def test_a_switch_does_not_read_again_what_the_watch_has_just_read(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    text = (stage.folder / "erfailover.yaml").read_text("utf-8")
    probe = 'probes:\n  elsewhere: {command: ["false"]}\n'
    (stage.folder / "erfailover.yaml").write_text(text.replace("probes:\n", probe), "utf-8")
    stage.do("prestage", "--yes")
    with watching(stage, monkeypatch, mode="automatic", probes="[elsewhere]") as watched:
        watched.run_for(90.0)
        watched.set_primary(up=False)
        stage.lab.trace.clear()
        watched.run_until(lambda: WatchState.FAILED in watched.states, 600.0)
        requests = [(entry.method, entry.path.rsplit("/", 1)[-1]) for entry in stage.lab.trace]
        before = requests[: requests.index(("PUT", "vnet1-to-vnet2"))]
        peers, routes = (before.count(("POST", name)) for name in TABLES)
        # The plan of a switch by an operator reads the routes, and not the peers, that it leaves.
        assert routes == peers > 0


def test_a_reading_that_shows_a_failure_is_repeated_at_once_but_5_s_later(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    text = (stage.folder / "erfailover.yaml").read_text("utf-8")
    probe = 'probes:\n  elsewhere: {command: ["false"]}\n'
    (stage.folder / "erfailover.yaml").write_text(text.replace("probes:\n", probe), "utf-8")
    with watching(stage, monkeypatch, probes="[elsewhere]") as watched:
        watched.set_primary(up=False)
        turns = []
        while watched.states[-1:] != [WatchState.FAILED]:
            began = stage.clock.now()
            watched.turn()
            reading = watched.watcher.view.reading
            assert reading is not None
            turns.append((began, watched.watcher.view.reading_s or 0.0, reading.at))
        (first, took_s, first_at), (second, _, second_at) = turns[-2:]
        assert second - first >= 5.0
        assert second_at - first_at >= 5.0
        assert second - first == pytest.approx(max(took_s, 5.0), abs=0.1)


def test_the_watch_counts_its_writes_to_azure(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    with watching(stage, monkeypatch, mode="automatic", probes=PROBES) as watched:
        stage.lab.trace.clear()
        watched.run_for(90.0)
        assert watched.watcher.view.counters["writes"] == count_writes(stage) > 0
        watched.set_primary(up=False)
        watched.run_until(lambda: WatchState.ON_BACKUP in watched.states, 600.0)
        # What a switch keeps in hand and does not need is counted too.
        assert 0 <= watched.watcher.view.counters["writes"] - count_writes(stage) <= 4


def count_writes(stage: Stage) -> int:
    """Return how many requests other than GET the lab has been sent in a subscription."""
    own = "/localNetworkGateways/lng1"
    return sum(
        entry.method != "GET" and "/subscriptions/" in entry.path and not entry.path.endswith(own)
        for entry in stage.lab.trace
    )


def test_observe_writes_nothing(provisioned: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with watching(provisioned, monkeypatch, probes=PROBES) as watched:
        watched.set_primary(up=False)
        before = provisioned.writes()
        watched.run_until(lambda: watched.states[-1:] == [WatchState.FAILED], 600.0)
        watched.run_for(300.0)
        reads = ("getLearnedRoutes", "getBgpPeerStatus", "runCommand")
        after = provisioned.writes()[len(before) :]
        assert [write for write in after if not write.endswith(reads)] == []
        assert watched.list_switches() == []
        (withheld,) = {watched.watcher.view.withheld}
        assert withheld == "the mode is observe; to switch: erfailover switch --to ipsec"


@pytest.mark.slow
def test_one_signal_alone_never_switches(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    text = (stage.folder / "erfailover.yaml").read_text("utf-8")
    probe = 'probes:\n  elsewhere: {command: ["false"]}\n'
    (stage.folder / "erfailover.yaml").write_text(text.replace("probes:\n", probe), "utf-8")
    with watching(stage, monkeypatch, mode="automatic", probes="[elsewhere]") as watched:
        watched.run_for(1800.0)
        assert watched.states == ["SUSPECT", "DEGRADED"]
        assert watched.list_switches() == []


def test_a_switch_waits_for_an_approval_and_applies_that_plan(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    with watching(stage, monkeypatch, mode="approve", probes=PROBES) as watched:
        watched.set_primary(up=False)
        watched.run_until(lambda: watched.watcher.view.approval is not None, 600.0)
        watched.run_for(120.0)
        assert watched.list_switches() == []
        approval = watched.watcher.view.approval
        assert approval is not None
        assert stage.run("approve", "nonsense", "--yes") == 3
        watched.approve(approval.id)
        watched.run_until(lambda: watched.states[-1] is WatchState.ON_BACKUP, 300.0)
        (run,) = watched.list_switches()
        assert run["outcome"] == "done"
        assert watched.watcher.view.approval is None


def test_an_approval_is_withdrawn_if_the_path_works_again(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with watching(provisioned, monkeypatch, mode="approve", probes=PROBES) as watched:
        watched.set_primary(up=False)
        watched.run_until(lambda: watched.watcher.view.approval is not None, 600.0)
        watched.set_primary(up=True)
        watched.run_until(lambda: watched.watcher.view.approval is None, 900.0)
        assert "is withdrawn" in watched.list_events("approval_ended")[0]
        assert watched.list_switches() == []


@pytest.mark.slow
def test_a_pause_is_obeyed_until_it_ends(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    with watching(stage, monkeypatch, mode="automatic", probes=PROBES) as watched:
        watched.pause("work on the circuit")
        watched.set_primary(up=False)
        watched.run_for(600.0)
        assert watched.states == [WatchState.PAUSED]
        assert watched.list_switches() == []
        watched.resume()
        watched.run_until(lambda: watched.states[-1] is WatchState.ON_BACKUP, 300.0)


@pytest.mark.slow
def test_after_an_operators_run_nothing_is_switched_for_the_cooldown(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    with watching(stage, monkeypatch, mode="automatic", probes=PROBES) as watched:
        watched.run_for(60.0)
        stage.do("switch", "--to", "ipsec", "--yes", "--planned")
        stage.do("switch", "--undo", "--yes")
        watched.set_primary(up=False)
        ended = stage.clock.now()
        watched.run_until(lambda: len(watched.list_switches()) == 3, 7200.0)
        assert stage.clock.now() - ended > 1600.0


@pytest.mark.slow
def test_more_than_the_allowed_switches_lock_out_until_resume(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    with watching(
        stage,
        monkeypatch,
        mode="automatic",
        failback="automatic",
        probes=PROBES,
        max_switches_per_day=1,
        cooldown_s=60,
    ) as watched:
        watched.set_primary(up=False)
        watched.run_until(lambda: watched.states[-1:] == [WatchState.ON_BACKUP], 600.0)
        watched.set_primary(up=True)
        watched.run_until(lambda: watched.states[-1] is WatchState.LOCKED_OUT, 1800.0)
        watched.run_for(600.0)
        assert len(watched.list_switches()) == 1
        watched.resume()
        watched.run_until(lambda: watched.states[-1] is WatchState.HEALTHY, 900.0)
        assert len(watched.list_switches()) == 2


def test_a_document_of_another_leader_is_not_a_lost_store(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with watching(provisioned, monkeypatch, probes=PROBES) as watched:
        watched.run_for(60.0)
        documents = watched.context.watch_store
        document = documents.read(MEMORY)
        assert document is not None
        documents.write(MEMORY, document.data + b"\n", document.version)
        watched.turn()
        assert not watched.watcher.view.is_leader
        watched.run_for(60.0)
        assert watched.watcher.view.is_leader
        assert watched.list_events("store_lost") == []


@pytest.mark.slow
def test_a_leader_deposed_during_its_run_leaves_the_memory_to_its_successor(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    memories: list[bytes | None] = []
    with watching(provisioned, monkeypatch, mode="automatic", probes=PROBES) as watched:
        documents, switch = watched.context.watch_store, runs.switch

        def read_memory() -> bytes | None:
            document = documents.read(MEMORY)
            return document.data if document else None

        def switch_and_be_deposed(*arguments: Any) -> runs.RunEnd:
            end = switch(*arguments)
            memories.append(read_memory())
            monkeypatch.setattr(Leadership, "is_leader", lambda self: False)
            return end

        monkeypatch.setattr(runs, "switch", switch_and_be_deposed)
        watched.set_primary(up=False)
        watched.run_until(lambda: bool(memories), 600.0)
        watched.run_for(60.0)
        assert not watched.watcher.view.is_leader
        assert [read_memory()] == memories


@pytest.mark.parametrize("times", [1, FOREVER], ids=["once", "always"])
def test_a_failover_that_failed_is_begun_again_and_not_for_ever(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    with watching(provisioned, monkeypatch, mode="automatic", probes=PROBES) as watched:
        watched.run_for(40.0)
        break_ = "*/vnet1-to-vnet2"
        provisioned.lab.add_faults(Fault(FaultKind.FORBIDDEN, "PUT", break_, times=times))
        watched.set_primary(up=False)
        end = WatchState.ON_BACKUP if times == 1 else WatchState.LOCKED_OUT
        watched.run_until(lambda: watched.states[-1] is end, 1200.0)
        watched.run_for(300.0)
        outcomes = [run["outcome"] for run in watched.list_switches()]
        assert outcomes == (["failed", "done"] if times == 1 else ["failed"] * 3)


def test_a_failed_failover_that_was_approved_is_not_begun_again(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with watching(provisioned, monkeypatch, mode="approve", probes=PROBES) as watched:
        fault = Fault(FaultKind.FORBIDDEN, "PUT", "*/vnet1-to-vnet2", times=1)
        provisioned.lab.add_faults(fault)
        watched.set_primary(up=False)
        watched.run_until(lambda: watched.watcher.view.approval is not None, 600.0)
        approval = watched.watcher.view.approval
        assert approval is not None
        watched.approve(approval.id)
        watched.run_until(lambda: watched.states[-1] is WatchState.LOCKED_OUT, 600.0)
        watched.run_for(300.0)
        assert [run["outcome"] for run in watched.list_switches()] == ["failed"]
