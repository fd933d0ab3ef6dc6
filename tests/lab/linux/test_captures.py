"""Captures write the packets of a link to a file that tcpdump reads."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.linux.bed import Bed, start_bed
from tests.support import worlds
from tests.support.linux_world import LinuxWorld

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with start_bed() as bed:
        bed.boot("m1")
        yield bed


def read(file: Path) -> list[str]:
    command = ["tcpdump", "-n", "-r", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_capture_has_every_packet_between_its_start_and_its_end(bed: Bed, tmp_path: Path) -> None:
    file = tmp_path / "packets"
    bed.run("ping -q -n -c 1 10.0.1.1")
    capture = bed.call("start_capture", "m1-eth0", str(file))
    began = time.time()
    bed.run("ping -q -n -c 20 -i 0.01 10.0.1.1")
    count = bed.call("end_capture", capture)
    lines = read(file)
    assert len(lines) == count
    for kind in ("request", "reply"):
        echoes = [line for line in lines if f"ICMP echo {kind}" in line]
        assert len(echoes) == 20
        assert "10.0.1.4" in echoes[0]
    stamps = subprocess.run(
        ["tcpdump", "-n", "-tt", "-r", str(file)], capture_output=True, text=True, check=True
    )
    assert began - 1 < float(stamps.stdout.split()[0]) < time.time()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_running_capture_can_be_read(bed: Bed, tmp_path: Path) -> None:
    file = tmp_path / "packets"
    capture = bed.call("start_capture", "m1-eth0", str(file))
    bed.run("ping -q -n -c 1 10.0.1.1; sleep 0.2")
    assert len(read(file)) >= 2
    assert bed.call("end_capture", capture) >= 2


def test_a_link_that_does_not_exist_is_answered_with_those_that_do(
    bed: Bed, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match=r"no link 'm9'. The links are: m1-eth0, m2-eth0"):
        bed.call("start_capture", "m9", str(tmp_path / "packets"))
    assert not (tmp_path / "packets").exists()


def test_a_file_that_cannot_be_written_is_named(bed: Bed, tmp_path: Path) -> None:
    before = bed.call("describe")["descriptors"]
    with pytest.raises(RuntimeError, match=f"Cannot write {tmp_path}: Is a directory"):
        bed.call("start_capture", "m1-eth0", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"Cannot write /none/x: No such file"):
        bed.call("start_capture", "m1-eth0", "/none/x")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RuntimeError, match="No such device"):
        bed.call("start_capture", "m1-eth0", str(tmp_path / "pipe"))
    with pytest.raises(RuntimeError, match="There is no capture 99"):
        bed.call("end_capture", 99)
    assert bed.call("describe")["descriptors"] == before


def test_a_full_file_system_is_reported(bed: Bed) -> None:
    capture = bed.call("start_capture", "m1-eth0", "/dev/full")
    bed.run("ping -q -n -c 1 10.0.1.1")
    with pytest.raises(RuntimeError, match="The capture failed: No space left"):
        bed.call("end_capture", capture)


def test_a_capture_outlives_a_restart_of_its_machine(bed: Bed, tmp_path: Path) -> None:
    capture = bed.call("start_capture", "m1-eth0", str(tmp_path / "packets"))
    bed.run("ping -q -n -c 1 10.0.1.1")
    bed.boot()
    count = bed.call("end_capture", capture)
    assert count == len(read(tmp_path / "packets")) >= 2


def test_the_plane_captures_on_the_links_of_its_layout(linux_plane: None, tmp_path: Path) -> None:
    with LinuxWorld(tmp_path, worlds.proof_of_concept()) as world:
        world.wait_for(lambda: world.run_script("vm1", "true").exit_code == 0)
        (link,) = [name for name in world.plane.list_links() if "vm1" in name]
        file = tmp_path / "packets"
        capture = world.plane.start_capture(link, str(file))
        world.run_script("vm1", "ping -n -c 3 -i 0.05 -W 0.1 8.8.4.4")
        count = world.plane.end_capture(capture)
        lines = read(file)
        assert len(lines) == count
        assert sum("10.1.0.4 > 8.8.4.4: ICMP echo request" in line for line in lines) == 3
        with pytest.raises(ValueError, match=f"There is no link 'no'. The links are: .*{link}"):
            world.plane.start_capture("no", str(file))
