"""The campaign of the watch: its judge, its gate, its plans; and, slowly, the campaign itself."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.needs import needs_npm
from tests.tools.watch_campaign import report
from tests.tools.watch_campaign.gate import Gate, GateState, gate
from tests.tools.watch_campaign.judge import PeeringWrite, Span, Spoke, Trial, judge
from tests.tools.watch_campaign.plan import WRITES, Kind, Moment, draw
from tests.tools.watch_campaign.replica import KEEPS_EVERY_LEASE
from tests.tools.watch_campaign.report import Result

T = 1_800_000_000.0
PIDS = (101, 102, 103)
EARLY, SOON_S = 2, 0.3
"""A leader stopped when a spoke had lost its path, and continued when its successor restores it."""


def record(at: float, run: str, event: str, replica: int = 0) -> dict[str, Any]:
    when = datetime.fromtimestamp(T + at, UTC).isoformat()
    return {"at": when, "run": run, "event": event, "pid": PIDS[replica]}


def write(at: float, replica: int, *, make: bool = False, still: bool = False) -> PeeringWrite:
    peering = "vnet1-to-vnet3" if make else "vnet1-to-vnet2"
    return PeeringWrite(T + at, replica, peering, make, is_owed=make, sender_is_still=still)


def moved(name: str = "vnet1") -> Spoke:
    peering = f"{name}-to-vnet3"
    return Spoke(name, (peering,), peering, True)


def taken_over() -> Trial:
    """Return a trial in which replica 1 goes on where replica 0 was killed."""
    return Trial(
        writes=[write(1, 0), write(2, 0), write(20, 1), write(21, 1)],
        records=[
            record(0.5, "a", "begun", 0),
            record(1, "a", "intent"),
            record(18, "b", "took-over"),
            record(19, "b", "begun", 1),
            record(25, "b", "ended"),
        ],
        process_ids=PIDS,
        spokes=[moved("vnet1"), moved("spoke002")],
        takeovers=[17.0],
        logs={0: ["poc: SUSPECT"], 1: ["poc: ON_BACKUP"]},
        exit_codes=[0, 0],
    )


def rules(trial: Trial) -> set[str]:
    return {problem.partition(":")[0] for problem in judge(trial)}


def test_a_trial_in_which_another_replica_goes_on_holds() -> None:
    assert judge(taken_over()) == []


def test_a_write_after_the_successor_has_begun_is_a_second_writer() -> None:
    trial = taken_over()
    trial.writes.append(write(22, 0))
    assert rules(trial) == {"two writers"}
    trial = taken_over()
    trial.writes.insert(2, write(19.5, 0))
    assert rules(trial) == {"two writers"}


def test_writes_that_alternate_are_found_without_a_journal() -> None:
    trial = taken_over()
    trial.writes.append(write(22, 0))
    trial.records = ()
    assert rules(trial) == {"two writers"}


def test_what_was_sent_before_its_sender_was_stopped_is_allowed() -> None:
    trial = taken_over()
    trial.writes.insert(2, write(19.5, 0, still=True))
    assert judge(trial) == []


def test_a_make_that_is_owed_is_allowed_until_the_deadline_of_a_step() -> None:
    trial = taken_over()
    trial.writes.append(write(22, 0, make=True))
    assert judge(trial) == []
    trial.writes.append(write(19 + trial.step_deadline_s + 1, 0, make=True))
    assert rules(trial) == {"two writers"}


def test_a_replica_may_begin_again_after_its_successor() -> None:
    trial = taken_over()
    trial.writes = trial.writes[:2]
    trial.records = [*trial.records, record(30, "c", "begun", 0), record(35, "c", "ended")]
    trial.writes.append(write(31, 0))
    assert judge(trial) == []


def test_runs_of_different_replicas_that_overlap_in_the_journal_are_found() -> None:
    trial = taken_over()
    trial.records = [*trial.records, record(26, "a", "ended")]
    assert rules(trial) == {"overlapping runs"}
    completed = [record(18.1, "c", "begun", 1), record(18.2, "c", "ended")]
    trial = taken_over()
    trial.records = [*trial.records[:3], *completed, *trial.records[3:]]
    assert judge(trial) == []


@pytest.mark.parametrize(
    ("spoke", "rule"),
    [
        (replace(moved(), users=()), "stranded"),
        (replace(moved(), reaches=False), "stranded"),
        (replace(moved(), users=("vnet1-to-vnet2", "vnet1-to-vnet3")), "two remote gateways"),
        (replace(moved(), users=("vnet1-to-vnet2",)), "not on IPsec"),
    ],
)
def test_a_spoke_without_its_path_is_found(spoke: Spoke, rule: str) -> None:
    trial = taken_over()
    trial.spokes = [moved("spoke002"), spoke]
    assert rules(trial) == {rule}


@pytest.mark.parametrize("took_s", [None, 30.1])
def test_a_late_takeover_is_found(took_s: float | None) -> None:
    trial = taken_over()
    trial.takeovers = [12.0, took_s]
    assert rules(trial) == {"late takeover"}


def test_bad_lines_exit_codes_and_notes_are_found() -> None:
    trial = taken_over()
    trial.logs = {0: ["fine", 'x "Traceback (most recent call last)"']}
    trial.exit_codes = [0, 1]
    trial.notes = ["campaign: no end"]
    assert rules(trial) == {"log", "exit code", "campaign"}


@pytest.mark.parametrize(
    ("at", "make", "is_found"),
    [(9.0, False, False), (13.0, False, True), (30.0, True, False), (43.0, True, True)],
)
def test_while_the_store_is_lost_to_all_only_owed_makes_go_on(
    at: float, make: bool, is_found: bool
) -> None:
    trial = taken_over()
    trial.store_lost = Span(T + 30, T + 90)
    trial.records = ()
    trial.writes = [write(30 + at, 0, make=make)]
    assert ("write without store" in rules(trial)) is is_found


def test_a_run_that_begins_while_the_store_is_lost_is_found() -> None:
    trial = taken_over()
    trial.store_lost = Span(T + 10, T + 40)
    trial.writes = []
    assert rules(trial) == {"run without store"}


def test_plans_are_drawn_from_the_seed_and_kinds_take_turns() -> None:
    plans = [draw(100 + index, index) for index in range(200)]
    assert plans == [draw(100 + index, index) for index in range(200)]
    assert {plan.kind for plan in plans[: len(Kind)]} == set(Kind)
    assert {plan.moment for plan in plans} == set(Moment)
    assert {plan.write for plan in plans} == set(range(WRITES + 1))
    assert all(bool(plan.records) is (plan.kind is Kind.KILL_AT_RECORDS) for plan in plans)
    assert all((plan.write > 0) is (plan.moment is Moment.WRITE) for plan in plans)


def test_the_table_is_written_between_its_markers_of_a_page_that_may_not_exist() -> None:
    results = [
        Result(1, 0, str(Kind.KILL), "", takeovers=[12.0, 20.0]),
        Result(2, 1, str(Kind.CUT), "", ["stranded: vnet1"], [31.0]),
    ]
    page = report.write_into("", report.format_table(results))
    assert page.startswith("# Watching\n")
    assert f"| {Kind.KILL} | 1 | 0 | 2 | 16.0 | 20.0 |" in page
    assert "| **all** | 2 | 1 | 3 | 20.0 | 31.0 |" in page
    assert "stranded: 1" in page
    again = report.write_into(page + "\n## More\n", report.format_table(results[:1]))
    assert again.count(report.BEGIN) == again.count(report.END) == 1
    assert "## More" in again
    assert "31.0" not in again
    assert "2 trials, 1 failed, 0 with two writers, 1 stranded" in report.format_summary(results)


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that returns what it is sent; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(client,), daemon=True).start()

        def answer(client: socket.socket) -> None:
            with client, suppress(OSError):
                while data := client.recv(100):
                    client.sendall(data)

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def connect(opened: Gate) -> socket.socket:
    return socket.create_connection(("127.0.0.1", opened.port), timeout=5.0)


def is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except ConnectionError:
        return True


def test_a_gate_forwards_is_cut_and_forwards_again(echo: int) -> None:
    with gate(echo) as opened, closing(connect(opened)) as client:
        client.sendall(b"one")
        assert client.recv(100) == b"one"
        opened.state = GateState.CUT
        assert is_closed(client)
        with suppress(ConnectionResetError), closing(connect(opened)) as refused:
            assert is_closed(refused)
        opened.state = GateState.OPEN
        with closing(connect(opened)) as again:
            again.sendall(b"two")
            assert again.recv(100) == b"two"


def test_a_silent_gate_swallows_and_resets_what_it_has_swallowed(echo: int) -> None:
    with gate(echo) as opened, closing(connect(opened)) as client:
        client.sendall(b"one")
        assert client.recv(100) == b"one"
        opened.state = GateState.SILENT
        time.sleep(0.1)
        client.sendall(b"lost")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(100)
        client.settimeout(5.0)
        opened.state = GateState.OPEN
        assert is_closed(client)


def campaign(*arguments: str) -> tuple[int, str]:
    """Run it; return its exit code, and all that it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.tools.watch_campaign", *arguments],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@needs_npm
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_twenty_drawn_faults_leave_one_writer_and_no_spoke_without_its_path() -> None:
    code, out = campaign("--trials", "20")
    assert code == 0, out
    assert "20 trials, 0 failed, 0 with two writers, 0 stranded" in out


@needs_npm
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_replica_that_never_notices_the_loss_of_its_lease_is_caught() -> None:
    index = list(Kind).index(Kind.STOP_INTO_SWITCH)
    plans = (draw(seed, index) for seed in range(index, 10_000))
    early = (plan for plan in plans if plan.write == EARLY and plan.is_done)
    plan = next(plan for plan in early if plan.lasts_s < SOON_S)
    drawn = ("--seed", str(plan.seed - index), "--first", str(index), "--trials", "1")
    code, out = campaign(*drawn, "--variant", KEEPS_EVERY_LEASE)
    assert code == 1, out
    assert "1 trials, 1 failed, 1 with two writers" in out
