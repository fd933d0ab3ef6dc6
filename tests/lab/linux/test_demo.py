"""The demo on the Linux data plane: packets show both outages, and nothing is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.schemas import hold
from tests.tools.docs.shell import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

END_S = 5.0
"""The time in which a process ends that has released everything."""
RESOLUTION_S = 5.0
"""Packets, ticks of the lab and load of this machine, in modelled seconds."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture
def demo(linux_plane: None, folder: Path) -> subprocess.CompletedProcess[str]:
    """Return the demo's end; it runs once for all tests."""
    result = folder / "result.json"
    if not result.exists():
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AZURE_", "ERFAILOVER_"))
        }
        ended = subprocess.run(
            [sys.executable, "-m", "erfailover", "demo", "--data-plane", "linux", "-o", "json"],
            capture_output=True,
            text=True,
            env={**environment, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
            check=False,
        )
        result.write_text(json.dumps([ended.returncode, ended.stdout, ended.stderr]))
    code, out, err = json.loads(result.read_text())
    return subprocess.CompletedProcess([], code, out, err)


def read_outages(demo: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert demo.returncode == 0, demo.stderr[-4000:]
    outages: list[dict[str, Any]] = json.loads(demo.stdout)["packets"]["outages"]
    return outages


def test_every_stage_ends_as_expected(demo: subprocess.CompletedProcess[str]) -> None:
    assert demo.returncode == 0, demo.stderr[-4000:]
    hold("demo", demo.stdout)
    assert json.loads(demo.stdout)["as_told"] is True


def test_the_failure_cuts_packets_until_the_switch(demo: subprocess.CompletedProcess[str]) -> None:
    unplanned, _ = read_outages(demo)
    assert unplanned["kind"] == "unplanned"
    assert unplanned["lost"] > 100
    assert unplanned["modelled_s"] > unplanned["after_command_s"] > 0
    assert unplanned["modelled_s"] == pytest.approx(unplanned["real_s"] * 20, abs=1)


def test_the_switch_back_loses_packets_no_longer_than_its_report_says(
    demo: subprocess.CompletedProcess[str],
) -> None:
    _, planned = read_outages(demo)
    assert planned["kind"] == "planned"
    assert planned["lost"] > 0
    assert 0 < planned["modelled_s"] <= planned["reported_s"] + RESOLUTION_S
    assert planned["modelled_s"] == planned["after_command_s"]


def test_both_outages_are_printed_packet_by_packet(
    demo: subprocess.CompletedProcess[str],
) -> None:
    for what in ("last reply before", "no reply: ", "first reply after", "Outage by packets: "):
        assert demo.stderr.count(what) == 2, what
    assert "The report: Outage: " in demo.stderr


def test_nothing_is_left_behind(demo: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert demo.returncode == 0, demo.stderr[-4000:]
    assert list(folder.glob("erfailover-demo-*")) == []
    until = time.monotonic() + END_S
    while (left := list_left(folder)) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == []


def list_left(folder: Path) -> list[list[str]]:
    """Return the commands of the processes that were started in a folder."""
    return [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in word for word in process.info["cmdline"] or ())
    ]
