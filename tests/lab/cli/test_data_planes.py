"""``lab up --data-plane``: what is refused, what is told, and that the plane is closed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner, Result

from erfailover.lab.cli import process
from erfailover.lab.cli.main import main
from erfailover.lab.core.data_planes import DEFAULT_SPEEDS, LINUX, LINUX_SPEED_LIMIT
from erfailover.lab.linux import requirements
from erfailover.lab.machines.model_plane import ModelPlane
from erfailover.lab.routing.sessions import BgpTiming
from erfailover.lab.server import daemon
from erfailover.lab.server.state_folder import LabError, StateFolder
from tests.support.planes import OutsidePlane
from tests.support.schemas import hold


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "lab"
    process.stop(StateFolder(tmp_path / "lab"))


def lab(state: Path, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--state-dir", str(state)])


def test_the_model_is_the_default_and_every_output_names_it(state: Path) -> None:
    assert lab(state, "up").exit_code == 0
    assert "Data plane: model\n" in lab(state, "status").stdout
    for command in ("up", "status"):
        output = lab(state, command, "-o", "json").stdout
        hold(f"lab-{command}", output)
        assert json.loads(output)["data_plane"] == "model"
    assert json.loads((state / "lab.json").read_text())["data_plane"] == "model"
    assert json.loads(lab(state, "env", "--json").stdout)["data_plane"] == "model"


def test_a_running_lab_keeps_its_data_plane(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "list_missing", lambda: ["never asked"])
    assert lab(state, "up").exit_code == 0
    assert lab(state, "up", "--data-plane", "model").exit_code == 0
    refused = lab(state, "up", "--data-plane", "linux")
    assert refused.exit_code == 2
    assert "The running lab has the data plane model, not linux." in refused.stderr
    assert "erfailover lab down" in refused.stderr


def test_a_machine_that_lacks_something_starts_no_lab(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = ["- BIRD 2 (bird)", "Install it with: apt-get install bird2"]
    monkeypatch.setattr(requirements, "list_missing", lambda: missing)
    refused = lab(state, "up", "--data-plane", "linux")
    assert refused.exit_code == 1
    assert refused.stderr == (
        "erfailover: The Linux data plane cannot run on this machine:\n"
        "- BIRD 2 (bird)\nInstall it with: apt-get install bird2\n"
    )
    assert not state.exists()


def test_a_clock_too_fast_for_bgp_is_refused(state: Path) -> None:
    refused = lab(state, "up", "--data-plane", "linux", "--speed", "60.5")
    assert refused.exit_code == 2
    assert "must be at most 60, not 60.5" in refused.stderr
    assert "hold time of 180 s cannot be below 3 s" in refused.stderr
    assert not state.exists()


def test_the_limit_leaves_bgp_its_shortest_hold_time() -> None:
    assert BgpTiming().hold_s / LINUX_SPEED_LIMIT == 3
    assert DEFAULT_SPEEDS[LINUX] <= LINUX_SPEED_LIMIT


@pytest.mark.parametrize(("words", "speed"), [([], "20"), (["--speed", "60"], "60")])
def test_the_process_is_told_its_data_plane_and_speed(
    state: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], speed: str
) -> None:
    commands: list[list[str]] = []

    def refuse(command: list[str], **_: object) -> None:
        commands.append(command)
        raise LabError("enough")

    monkeypatch.setattr(requirements, "list_missing", list)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    lab(state, "up", "--data-plane", "linux", *words)
    assert commands[0][-4:] == ["--speed", speed, "--data-plane", "linux"]


def test_the_daemon_closes_its_data_plane(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plane, folder, notes = OutsidePlane(), StateFolder(state), list[str]()
    monkeypatch.setattr(daemon, "make_plane", lambda *_: plane)

    def end() -> None:
        until = time.monotonic() + 30
        while not folder.note.is_file() and time.monotonic() < until:
            time.sleep(0.01)
        notes.append(json.loads(folder.note.read_text())["data_plane"])
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=end, daemon=True)
    thread.start()
    daemon.run(folder, 0, 20.0, LINUX)
    thread.join()
    assert (notes, plane.closed) == (["linux"], 1)
    assert plane.attached[-1][0].resources == {}
    assert not folder.note.exists()


def test_a_data_plane_is_closed_when_the_port_is_taken(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = OutsidePlane()
    monkeypatch.setattr(daemon, "make_plane", lambda *_: plane)
    assert lab(state.parent / "other", "up").exit_code == 0
    port = int((state.parent / "other" / "port").read_text())
    try:
        with pytest.raises(LabError, match="address already in use"):
            daemon.run(StateFolder(state), port, 20.0, LINUX)
    finally:
        process.stop(StateFolder(state.parent / "other"))
    assert plane.closed == 1


def test_a_lab_has_the_model_by_its_name(state: Path) -> None:
    assert isinstance(daemon.make_plane(StateFolder(state), 100.0, "model"), ModelPlane)


class StoppedError(Exception):
    """What an agent that cannot start raises."""


def fail(*_: object) -> None:
    raise StoppedError("user namespaces are disabled")


def test_an_agent_that_cannot_start_is_a_problem_that_is_named(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch, plane = ModuleType("launch"), ModuleType("plane")
    vars(launch).update(AgentError=StoppedError, start_agent=None)
    vars(plane).update(LinuxPlane=fail)
    monkeypatch.setitem(sys.modules, "erfailover.lab.linux.launch", launch)
    monkeypatch.setitem(sys.modules, "erfailover.lab.linux.plane", plane)
    with pytest.raises(LabError, match="cannot start: user namespaces are disabled"):
        daemon.run(StateFolder(state), 0, 20.0, LINUX)
    assert not StateFolder(state).is_held()
