"""The continuous ping: its log is read by the script that is sent to the machine."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from erfailover.planning.probes.ping_log import (
    MOST_GAPS,
    PacketGap,
    PingLog,
    build_read_script,
    build_start_script,
    parse_log,
)

HERE = IPv4Address("127.0.0.1")
BEGAN = 1796007535.25
HEAD = "PING 10.5.0.4 (10.5.0.4) 56(84) bytes of data."
RUN_COMMAND_BYTES = 4096


def reply(seq: int, at: float | None = None, more: str = "") -> str:
    moment = BEGAN + seq * 0.02 if at is None else at
    return f"[{moment:.6f}] 64 bytes from 10.5.0.4: icmp_seq={seq % 65536} ttl=58 time=0.6 ms{more}"


def read(lines: Iterable[str], folder: Path) -> tuple[PingLog | None, str]:
    """Run the script on a log; return what it says, and what it printed."""
    log = folder / "ping.log"
    log.write_text("".join(f"{line}\n" for line in (HEAD, *lines)))
    script = "\n".join(build_read_script(IPv4Address("10.5.0.4")))
    script = script.replace("/tmp/ping-10.5.0.4.log", str(log))
    printed = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    return parse_log(printed.stdout), printed.stdout


def read_gaps(seqs: Iterable[int], folder: Path) -> list[tuple[int, int, int]]:
    log, _ = read(map(reply, seqs), folder)
    assert log is not None
    return [(gap.last_seq, gap.first_seq, gap.lost) for gap in log.gaps]


def test_a_gap_has_the_replies_on_either_side_and_their_times(tmp_path: Path) -> None:
    unreachable = "From 10.1.0.1 icmp_seq=4 Destination Net Unreachable"
    log, _ = read([reply(1), reply(2), reply(3), unreachable, reply(9), reply(10)], tmp_path)
    assert log is not None
    (gap,) = log.gaps
    assert (gap.last_seq, gap.first_seq, gap.lost) == (3, 9, 5)
    assert gap.last_at == pytest.approx(BEGAN + 0.06, abs=1e-6)
    assert gap.seconds == pytest.approx(0.12, abs=1e-6)
    assert (log.replies, log.last_seq) == (5, 10)
    assert log.first_at == pytest.approx(BEGAN + 0.02, abs=1e-6)


def test_duplicates_and_late_replies_are_no_gap(tmp_path: Path) -> None:
    lines = [reply(1), reply(3), reply(2), reply(3, more=" (DUP!)"), reply(4)]
    log, _ = read(lines, tmp_path)
    assert log is not None
    assert [(gap.last_seq, gap.first_seq) for gap in log.gaps] == [(1, 3)]
    assert log.last_seq == 4


@pytest.mark.parametrize(
    ("seqs", "gaps"),
    [
        ([65534, 65535, 65536, 65537], []),
        ([65530, 65540, 65541], [(65530, 65540, 9)]),
        ([60000, 60001, 103000, 103001], [(60001, 103000, 42998)]),
        ([65535, 65536, 131071, 131075], [(65536, 131071, 65534), (131071, 131075, 3)]),
    ],
    ids=["across", "gap across", "long gap", "twice"],
)
def test_numbers_of_16_bits_start_again(
    seqs: list[int], gaps: list[tuple[int, int, int]], tmp_path: Path
) -> None:
    assert read_gaps(seqs, tmp_path) == gaps


def test_the_latest_gaps_fit_into_an_output_of_run_command(tmp_path: Path) -> None:
    log, printed = read(map(reply, range(1, 500_000, 1001)), tmp_path)
    assert log is not None
    assert len(printed) < RUN_COMMAND_BYTES
    assert len(log.gaps) == MOST_GAPS - 1
    assert log.gaps[-1].first_seq == log.last_seq


def test_a_log_without_a_reply_is_read_and_anything_else_is_not(tmp_path: Path) -> None:
    assert read([], tmp_path)[0] == PingLog(0, 0.0, 0, 0.0)
    assert parse_log("awk: cannot open /tmp/ping-10.5.0.4.log") is None
    assert parse_log("") is None


def test_the_longest_gap_is_looked_for_after_a_packet() -> None:
    first, second = PacketGap(10, 1.0, 60, 2.0), PacketGap(90, 3.0, 95, 3.1)
    log = PingLog(50, 0.5, 100, 4.0, (first, second))
    assert log.find_longest() == first
    assert log.find_longest(80) == second
    assert log.find_longest(95) is None


@pytest.mark.skipif(shutil.which("ping") is None, reason="needs ping")
def test_the_ping_goes_on_after_its_script_and_its_log_grows(tmp_path: Path) -> None:
    log = tmp_path / "ping.log"
    (line,) = build_start_script(HERE, 0.02)
    line = line.replace(f"/tmp/ping-{HERE}.log", str(log)).replace("nohup ping", "nohup ping -w 5")
    subprocess.run(["sh", "-c", line], check=True, timeout=2)
    until = time.monotonic() + 5
    while not log.exists() or log.read_text().count("icmp_seq=") < 5:
        assert time.monotonic() < until
        time.sleep(0.02)
    script = build_read_script(HERE)[0].replace(f"/tmp/ping-{HERE}.log", str(log))
    printed = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    value = parse_log(printed.stdout)
    assert value is not None
    assert value.replies >= 5
    assert value.gaps == ()
