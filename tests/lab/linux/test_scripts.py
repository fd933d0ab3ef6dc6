"""Scripts of Run Command: how they run, what is kept of their output, and how they end."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.lab.linux.bed import Bed, Ended, start_bed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with start_bed() as bed:
        bed.boot("m1")
        bed.boot("m2")
        yield bed


def test_a_script_without_an_interpreter_runs_in_sh(bed: Bed) -> None:
    ended = bed.run("echo out; echo err >&2; echo ${BASH_VERSION:-none}; exit 3")
    assert (ended.stdout, ended.stderr, ended.exit_code) == ("out\nnone\n", "err\n", 3)
    assert 0 < ended.duration_s < 5


def test_a_script_chooses_its_interpreter(bed: Bed) -> None:
    assert bed.run('#!/bin/bash\na=(1 2 3); echo "${a[2]}"').stdout == "3\n"
    assert bed.run("#!/usr/bin/env python3\nprint(40 + 2)\n").stdout == "42\n"
    ended = bed.run("#!/nowhere/sh\n")
    assert (ended.exit_code, "not found" in ended.stderr) == (127, True)


def test_a_script_has_no_input_and_a_clean_environment(bed: Bed) -> None:
    ended = bed.run("cat; env | cut -d= -f1 | sort | tr '\\n' ' '; ls /proc/self/fd | wc -l")
    assert ended.stdout == "HOME LANG LOGNAME PATH PWD SHELL USER 4\n"


def test_a_long_script_runs_whole(bed: Bed) -> None:
    ended = bed.run("#" * 1_000_000 + "\necho the end")
    assert ended.stdout == "the end\n"


def test_scripts_leave_no_files(bed: Bed) -> None:
    bed.run("true")
    assert bed.run("ls /run/run-command | wc -l; ls /root").stdout == "1\n"


def test_the_last_of_a_long_output_is_kept(bed: Bed) -> None:
    ended = bed.run("seq 1 2000000; seq 1 2000000 >&2; echo last; echo last >&2")
    for text in (ended.stdout, ended.stderr):
        assert text.endswith("1999999\n2000000\nlast\n")
        assert len(text) == 64 << 10
    assert ended.exit_code == 0


def test_a_gigabyte_is_read_and_thrown_away(bed: Bed) -> None:
    before = bed.call("describe")["memory_kib"]
    ended = bed.run("head -c 1000000000 /dev/zero; echo end", limit_s=60)
    assert (ended.stdout[-4:], ended.exit_code) == ("end\n", 0)
    assert bed.call("describe")["memory_kib"] - before < 20_000


def test_output_of_any_bytes_is_text(bed: Bed) -> None:
    assert bed.run(r"printf '\377\000ok\303'").stdout == "\ufffd\0ok\ufffd"


@pytest.mark.parametrize("script", ["sleep 100", "trap '' TERM INT HUP; while :; do :; done"])
def test_a_script_is_killed_at_its_limit(bed: Bed, script: str) -> None:
    began = time.monotonic()
    ended = bed.run(f"echo begun; (sleep 99; echo never) & {script}", limit_s=0.5)
    assert time.monotonic() - began < 10
    assert ended.stdout == "begun\n"
    assert ended.stderr.endswith("the script was killed at its time limit of 0.5 s\n")
    assert ended.exit_code == 137
    assert bed.run("pgrep -f 'sleep (99|100)'").exit_code == 1


def test_what_a_script_leaves_in_the_background_goes_on(bed: Bed) -> None:
    began = time.monotonic()
    ended = bed.run(
        "(for i in $(seq 20); do echo tick; sleep 0.1; done; echo > /root/done) & echo ended"
    )
    assert time.monotonic() - began < 1.5
    assert ended.exit_code == 0
    assert ended.stdout.replace("tick\n", "") == "ended\n"
    wait = "while [ ! -e /root/done ]; do sleep 0.1; done; "
    assert bed.run(wait + "ls /root; rm /root/done").stdout == "done\n"


def test_a_background_process_that_prints_for_ever_does_not_hold_up_the_end(bed: Bed) -> None:
    began = time.monotonic()
    ended = bed.run("yes & echo $!")
    assert time.monotonic() - began < 8
    assert ended.exit_code == 0
    assert bed.run("sleep 0.3; pgrep -c yes; pkill yes").stdout == "1\n"


def test_scripts_of_two_machines_run_at_the_same_time(bed: Bed) -> None:
    began = time.monotonic()
    numbers = [bed.start("sleep 2; hostname", node) for node in ("m1", "m2", "m1")]
    assert [bed.wait(number).stdout for number in numbers] == ["vm-m1\n", "vm-m2\n", "vm-m1\n"]
    assert time.monotonic() - began < 5


def test_a_machine_that_stops_ends_its_scripts() -> None:
    with start_bed() as bed:
        bed.boot()
        script = bed.start("echo begun; sleep 100", limit_s=200)
        time.sleep(0.3)
        bed.boot()
        ended = bed.wait(script)
        assert ended == Ended(
            "begun\n", "the machine stopped in the middle of the script\n", 1, ended.duration_s
        )
        assert ended.duration_s < 5
        bed.call("stop", "m1")
        with pytest.raises(RuntimeError, match="The machine m1 is not running"):
            bed.run("true")


def test_ended_scripts_hold_no_thread_or_descriptor(bed: Bed) -> None:
    bed.run("true")
    before = bed.call("describe")
    for _ in range(5):
        bed.run("echo x; sleep 0.2 &")
    time.sleep(0.5)
    after = bed.call("describe")
    assert after["threads"] <= before["threads"]
    assert after["descriptors"] <= before["descriptors"]
