"""Who may write: the decision, the local file, the lease while it is held."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path

import psutil
import pytest

from erfailover.errors import Refused, StateFailure
from erfailover.model.journal_lines import read
from erfailover.model.lease import LeaseRecord, LeaseStanding, decide
from erfailover.runtime import files
from erfailover.runtime.state.lease_keeper import LeaseKeeper
from erfailover.runtime.state.local import LEASE_S, LocalStore
from erfailover.runtime.state.process import build_holder, is_alive, is_running, is_stopped
from tests.support.stores import ANNA, BERT, NOW, Remote, Wall, store

# The decision.


@pytest.mark.parametrize(
    ("alive_", "running"), [(True, True), (True, False), (False, False), (None, False)]
)
@pytest.mark.parametrize("left_s", [None, -1e9, -1.0, 0.0, 1.0, 1e9])
@pytest.mark.parametrize("take_over", [True, False])
def test_a_lease_is_taken_only_if_it_is_over_or_the_operator_says_so(
    alive_: bool | None, running: bool, left_s: float | None, take_over: bool
) -> None:
    record = LeaseRecord(ANNA, NOW - 100, None if left_s is None else NOW + left_s)
    decision = decide(record, NOW, alive_, take_over=take_over, running=running)
    expired = left_s is not None and left_s <= 0 and not running
    standing = LeaseStanding.ORPHANED if alive_ is False else LeaseStanding.EXPIRED
    assert decision.standing is (standing if alive_ is False or expired else LeaseStanding.LIVE)
    assert decision.take == (alive_ is False or expired or take_over)
    assert decision.over == decision.take


@pytest.mark.parametrize(("alive_", "take_over"), list(product([True, False, None], [True, False])))
def test_where_there_is_no_lease_it_is_free_and_nobody_is_taken_over(
    alive_: bool | None, take_over: bool
) -> None:
    decision = decide(None, NOW, alive_, take_over=take_over)
    assert decision.take
    assert decision.standing is LeaseStanding.FREE
    assert not decision.over


def test_a_record_reads_back_as_it_was_written() -> None:
    record = LeaseRecord(replace(ANNA, user='Zoë "Z"'), NOW, NOW + 60)
    assert LeaseRecord.from_data(json.loads(json.dumps(record.to_data()))) == record


@pytest.mark.parametrize(
    "data", [None, [], {}, {"user": "a"}, {**LeaseRecord(ANNA, 0).to_data(), "pid": "x"}]
)
def test_what_is_no_record_is_told(data: object) -> None:
    with pytest.raises(ValueError, match="not a lease record"):
        LeaseRecord.from_data(data)


def test_people_are_told_who_does_what_since_when() -> None:
    text = LeaseRecord(ANNA, NOW).describe(NOW + 300)
    assert text == (
        "anna@ops1, process 4242: erfailover switch --to ipsec, "
        "since 2027-01-15 08:00:00 UTC (5 min)"
    )


# Processes.


def test_this_process_lives() -> None:
    assert is_alive(build_holder("status")) is True


def test_a_process_that_was_killed_is_gone_even_before_its_parent_has_noticed() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = replace(build_holder("switch"), pid=process.pid, started="")
    assert is_alive(holder) is True
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_alive(holder) is False
    process.communicate()
    assert is_alive(holder) is False


def test_another_process_that_was_given_the_same_id_is_not_the_holder() -> None:
    assert is_alive(replace(build_holder("switch"), started="1")) is False


def test_the_start_time_is_the_one_of_proc_so_leases_written_earlier_stay_readable() -> None:
    if sys.platform != "linux":
        pytest.skip("proc(5) is Linux's")
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    me = build_holder("switch")
    assert abs(int(me.started) - int(fields[19])) <= 100
    assert is_alive(replace(me, started=fields[19])) is True
    assert is_alive(replace(me, started=str(int(fields[19]) - 1000))) is False


def test_a_correction_of_the_wall_clock_makes_no_other_process_of_a_holder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    me = build_holder("switch")
    boot = psutil.boot_time()
    for corrected in (boot + 3600.0, boot - 3600.0):
        monkeypatch.setattr(psutil, "boot_time", lambda at=corrected: at)
        monkeypatch.setattr("psutil._pslinux.boot_time", lambda at=corrected: at)
        assert is_alive(me) is True


def test_a_process_that_the_system_hides_from_us_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(pid: int) -> psutil.Process:
        raise psutil.NoSuchProcess(pid)

    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    holder = build_holder("switch")
    monkeypatch.setattr(psutil, "Process", hidden)
    assert is_alive(holder) is True
    monkeypatch.setattr(os, "kill", refuse)
    assert is_alive(holder) is True


@pytest.mark.parametrize("pid", [-1, 0, 2**31, 2**80])
def test_of_an_id_that_no_process_has_nothing_is_known(pid: int) -> None:
    assert is_alive(replace(build_holder("switch"), pid=pid)) is None


def test_a_process_that_was_stopped_lives_and_is_known_to_be_stopped() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = replace(build_holder("switch"), pid=process.pid, started="")
    try:
        assert not is_stopped(holder)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        assert is_stopped(holder)
        assert is_alive(holder) is True
        assert not is_stopped(replace(holder, host="elsewhere"))
        assert not is_stopped(replace(holder, started="1"))
    finally:
        process.kill()
        process.communicate()
    assert not is_stopped(holder)


def test_a_process_of_another_machine_is_not_known() -> None:
    me = build_holder("switch")
    assert is_alive(replace(me, host="elsewhere")) is None
    assert is_alive(replace(me, machine="another boot")) is None


# The local file.


def test_a_second_operator_is_told_who_holds_it_and_how_to_go_on(tmp_path: Path) -> None:
    store(tmp_path).acquire(ANNA, take_over=False)
    with pytest.raises(Refused) as refused:
        store(tmp_path, Wall(NOW + 10)).acquire(BERT, take_over=False)
    for words in ("anna@ops1, process 4242", "switch --to ipsec", "2027-01-15 08:00:00 UTC"):
        assert words in refused.value.message
    assert "--take-over" in (refused.value.hint or "")
    assert refused.value.exit_code == 3


def test_the_token_is_told_to_nobody_and_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    holder = store(tmp_path)
    holder.acquire(ANNA, take_over=False)
    token = json.loads(holder.lease_file.read_text())["token"]
    with pytest.raises(Refused) as refused:
        store(tmp_path).acquire(BERT, take_over=False)
    assert token not in f"{refused.value.message} {refused.value.hint} {holder!r}"
    for file in tmp_path.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600


def test_many_who_ask_at_once_get_one_lease(tmp_path: Path) -> None:
    def ask(number: int) -> bool:
        try:
            store(tmp_path).acquire(replace(ANNA, pid=number), take_over=False)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(ask, range(64))) == 1


def test_a_lease_that_was_given_up_is_free(tmp_path: Path) -> None:
    first = store(tmp_path)
    first.acquire(ANNA, take_over=False)
    first.release()
    assert store(tmp_path).acquire(BERT, take_over=False).standing is LeaseStanding.FREE


def test_a_lease_that_is_renewed_does_not_expire(tmp_path: Path) -> None:
    wall = Wall()
    holder = store(tmp_path, wall)
    holder.acquire(ANNA, take_over=False)
    for _ in range(5):
        wall.at += LEASE_S / 2
        holder.renew()
    with pytest.raises(Refused):
        store(tmp_path, wall).acquire(BERT, take_over=False)


def test_an_expired_lease_is_taken_over_and_its_holder_told(tmp_path: Path) -> None:
    wall = Wall()
    first = store(tmp_path, wall)
    first.acquire(ANNA, take_over=False)
    wall.at += LEASE_S
    lease = store(tmp_path, wall).acquire(BERT, take_over=False)
    assert lease.standing is LeaseStanding.EXPIRED
    assert lease.previous is not None
    assert lease.previous.holder == ANNA
    with pytest.raises(Refused, match="taken over by bert@ops2"):
        first.renew()


def test_an_expired_lease_that_nobody_took_is_still_ours(tmp_path: Path) -> None:
    wall = Wall()
    first = store(tmp_path, wall)
    first.acquire(ANNA, take_over=False)
    wall.at += 10 * LEASE_S
    first.renew()
    with pytest.raises(Refused):
        store(tmp_path, wall).acquire(BERT, take_over=False)


def test_the_lease_of_a_process_that_is_gone_is_taken_over_at_once(tmp_path: Path) -> None:
    store(tmp_path).acquire(ANNA, take_over=False)
    lease = store(tmp_path, lives=lambda holder: holder != ANNA).acquire(BERT, take_over=False)
    assert lease.standing is LeaseStanding.ORPHANED


def test_who_lost_the_lease_cannot_give_up_the_one_of_the_next(tmp_path: Path) -> None:
    first, second = store(tmp_path), store(tmp_path)
    first.acquire(ANNA, take_over=False)
    assert second.acquire(BERT, take_over=True).standing is LeaseStanding.LIVE
    first.release()
    second.renew()


def test_a_damaged_lease_is_nobodys_until_the_operator_says_so(tmp_path: Path) -> None:
    (tmp_path / "lease.json").write_text("{")
    with pytest.raises(Refused, match="damaged"):
        store(tmp_path).acquire(ANNA, take_over=False)
    store(tmp_path).acquire(ANNA, take_over=True)


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateFailure, match="file/state: Not a directory") as failure:
        store(tmp_path / "file" / "state").acquire(ANNA, take_over=False)
    assert failure.value.exit_code == 5


def test_a_lock_that_stays_taken_is_told(tmp_path: Path) -> None:
    import fcntl

    other = os.open(tmp_path / "lease.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(other, fcntl.LOCK_EX)
    waits: list[float] = []
    with pytest.raises(StateFailure, match=r"lease\.lock is locked"):
        LocalStore(tmp_path, sleep=waits.append).acquire(ANNA, take_over=False)
    os.close(other)
    assert sum(waits) == pytest.approx(10.0)


def test_where_the_system_cannot_lock_a_file_nothing_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(descriptor: int, *, blocking: bool) -> bool:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("erfailover.runtime.state.folder.lock_descriptor", unavailable)
    with pytest.raises(StateFailure, match="Function not implemented"):
        store(tmp_path).acquire(ANNA, take_over=False)
    assert not (tmp_path / "lease.json").exists()


@pytest.mark.parametrize("jump_s", [-1e6, LEASE_S, 10 * LEASE_S, 1e6])
def test_a_process_that_runs_keeps_its_lease_after_a_suspend_or_a_clock_that_jumps(
    tmp_path: Path, jump_s: float
) -> None:
    wall = Wall()
    first = store(tmp_path, wall)
    first.acquire(ANNA, take_over=False)
    wall.at += jump_s
    running = store(tmp_path, wall, lambda _: True, lambda _: True)
    assert running.look().standing is LeaseStanding.LIVE
    with pytest.raises(Refused, match="anna@ops1"):
        running.acquire(BERT, take_over=False)
    first.renew()
    assert running.acquire(BERT, take_over=True).standing is LeaseStanding.LIVE


def test_a_process_that_is_stopped_loses_its_lease_when_it_expires(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = replace(build_holder("switch"), pid=process.pid, started="")
    wall = Wall()
    local_store, other = LocalStore(tmp_path, wall), LocalStore(tmp_path, wall)
    try:
        local_store.acquire(holder, take_over=False)
        wall.at += 10 * LEASE_S
        assert is_running(holder)
        with pytest.raises(Refused):
            other.acquire(BERT, take_over=False)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        assert not is_running(holder)
        wall.at -= 10 * LEASE_S
        assert other.look().standing is LeaseStanding.LIVE
        wall.at += 10 * LEASE_S
        assert other.acquire(BERT, take_over=False).standing is LeaseStanding.EXPIRED
    finally:
        process.kill()
        process.communicate()


ODD_LEASES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"NaN",
    b"[" * 50_000,
    b"9" * 5000,
    b"\xff\xfe",
    b"x" * 100_000,
    *(
        json.dumps({**LeaseRecord(ANNA, NOW, NOW + 60).to_data(), "token": "t"} | odd).encode()
        for odd in (
            {"since": float("nan")},
            {"since": 1e300},
            {"since": -1},
            {"since": True},
            {"since": "x"},
            {"expires": float("inf")},
            {"expires": "never"},
            {"pid": "abc"},
            {"pid": 1.5},
            {"pid": 10**40},
            {"user": None},
            {"host": ["x"]},
            {"command": "x" * 5000},
        )
    ),
]


@pytest.mark.parametrize("content", ODD_LEASES, ids=range(len(ODD_LEASES)))
def test_an_odd_lease_is_refused_with_the_way_out_and_a_run_that_holds_it_learns_nothing(
    tmp_path: Path, content: bytes
) -> None:
    local_store = store(tmp_path)
    local_store.acquire(ANNA, take_over=False)
    local_store.lease_file.write_bytes(content)
    with pytest.raises(StateFailure, match="is damaged"):
        local_store.renew()
    other = store(tmp_path)
    for ask in (other.look, lambda: other.acquire(BERT, take_over=False)):
        with pytest.raises(Refused, match=r"lease\.json is damaged") as refused:
            ask()
        assert "--take-over" in (refused.value.hint or "")
        assert refused.value.exit_code == 3
    other.acquire(BERT, take_over=True)
    with pytest.raises(Refused, match="bert@ops2"):
        local_store.renew()


def test_a_lease_prints_no_control_characters_of_its_holder() -> None:
    data = {**LeaseRecord(ANNA, NOW).to_data(), "user": "\x1b]0;x\x07\u202e"}
    assert LeaseRecord.from_data(data).holder.user == r"\x1b]0;x\x07\u202e"


@pytest.mark.parametrize("name", ["lease.json", "journal.jsonl"])
def test_a_pipe_in_place_of_a_state_file_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    local_store = store(tmp_path)
    with pytest.raises(StateFailure, match="a named pipe"):
        local_store.read() if name.startswith("journal") else local_store.look()


# The journal.


@contextmanager
def full_after(more: int, size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as a full disk does."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("room", [0, 1, 5, 27, 40])
@pytest.mark.parametrize("begun", [b"", b'{"run": "a", "event": "x"}\n', b'{"run": "a", "ev'])
def test_an_append_that_fails_leaves_nothing_and_can_be_repeated(
    tmp_path: Path, begun: bytes, room: int
) -> None:
    journal = store(tmp_path)
    journal.journal_file.write_bytes(begun)
    batch = b'{"run": "a", "event": "y"}\n{"run": "a", "event": "z"}\n'
    with (
        full_after(room, len(begun)),
        pytest.raises(StateFailure, match="cannot read or write the state"),
    ):
        journal.append(batch)
    assert journal.read() == begun
    journal.append(batch)
    assert journal.read() == begun + (b"\n" if not begun.endswith(b"\n") and begun else b"") + batch
    assert [record["event"] for record in read(journal.read()).records][-2:] == ["y", "z"]
    assert read(journal.read()).damage == ()


def test_what_another_run_wrote_behind_a_failed_append_stays(tmp_path: Path) -> None:
    journal = store(tmp_path)
    journal.append(b"one\n")
    with files.open_private(journal.journal_file) as stream:
        real = stream.write

        def torn(content: bytes) -> int:
            real(content[:2])
            journal.append(b"theirs\n")
            raise OSError(errno.ENOSPC, "No space left on device")

        stream.write = torn  # type: ignore[method-assign, assignment]
        with pytest.raises(OSError, match="No space"):
            files.append(stream, b"mine\n")
    assert journal.read() == b"one\nmi\ntheirs\n"


def test_a_lease_holds_on_a_full_disk_as_long_as_what_is_written_there(tmp_path: Path) -> None:
    wall = Wall()
    holder = store(tmp_path, wall)
    holder.acquire(ANNA, take_over=False)
    with full_after(0, 0):
        for passed in (25.0, 24.0):
            wall.at += passed
            holder.renew()
        wall.at += 2.0
        with pytest.raises(StateFailure):
            holder.renew()
    holder.renew()


def test_a_line_that_was_cut_off_is_ended_before_the_next(tmp_path: Path) -> None:
    journal = store(tmp_path)
    assert journal.read() == b""
    journal.append(b"one\n")
    with journal.journal_file.open("ab") as file:
        file.write(b"cut o")
    journal.append(b"two\nthree\n")
    journal.append(b"four\n")
    assert journal.read() == b"one\ncut o\ntwo\nthree\nfour\n"
    assert journal.journal_file.stat().st_mode & 0o777 == 0o600


# A lease while it is held.


def test_the_check_of_a_lost_lease_refuses_now_and_ever_after(tmp_path: Path) -> None:
    first, thief = store(tmp_path), store(tmp_path)
    first.acquire(ANNA, take_over=False)
    with LeaseKeeper(first) as held:
        held.check()
        thief.acquire(BERT, take_over=True)
        with pytest.raises(Refused, match="bert@ops2"):
            held.check()
        thief.release()
        with pytest.raises(Refused, match="bert@ops2"):
            held.check()


def test_after_its_end_the_check_refuses_and_the_lease_is_free(tmp_path: Path) -> None:
    first = store(tmp_path)
    first.acquire(ANNA, take_over=False)
    with LeaseKeeper(first) as held:
        held.check()
    with pytest.raises(Refused):
        held.check()
    assert store(tmp_path).acquire(BERT, take_over=False).standing is LeaseStanding.FREE


def test_a_store_that_falls_silent_is_relied_on_for_a_while_and_no_longer() -> None:
    remote, at = Remote(), Wall(0.0)
    with LeaseKeeper(remote, now=at) as held:
        held.check()
        remote.down = True
        at.at = 9.9
        held.check()
        at.at = 10.0
        with pytest.raises(StateFailure):
            held.check()
        remote.down = False
        held.check()


def test_a_held_lease_is_renewed_in_the_background() -> None:
    import threading

    remote, renewed = Remote(renew_every_s=0.001), threading.Event()
    remote.renew = renewed.set  # type: ignore[method-assign]
    with LeaseKeeper(remote):
        assert renewed.wait(10.0)


# Looking at a lease without taking it.


def test_looking_tells_how_a_lease_stands_and_changes_nothing(tmp_path: Path) -> None:
    wall = Wall()
    anna = store(tmp_path, wall)
    assert anna.look().standing is LeaseStanding.FREE
    assert list(tmp_path.iterdir()) == []
    anna.acquire(ANNA, take_over=False)
    before = anna.lease_file.read_bytes()
    held = store(tmp_path, wall).look()
    assert (held.standing, held.record and held.record.holder) == (LeaseStanding.LIVE, ANNA)
    assert store(tmp_path, wall, lambda holder: False).look().standing is LeaseStanding.ORPHANED
    wall.at += LEASE_S + 1
    assert store(tmp_path, wall).look().standing is LeaseStanding.EXPIRED
    assert anna.lease_file.read_bytes() == before


def test_looking_at_a_damaged_lease_says_so(tmp_path: Path) -> None:
    local_store = store(tmp_path)
    local_store.lease_file.write_text("{")
    with pytest.raises(Refused, match="is damaged"):
        local_store.look()
