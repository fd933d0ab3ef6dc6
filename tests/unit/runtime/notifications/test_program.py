"""A command hook gets the event, and no more time than it may take."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from erfailover.model.watch import Severity
from erfailover.runtime.notifications.program import Program
from erfailover.runtime.notifications.target import DeliveryFailed
from erfailover.runtime.programs import Programs
from tests.support.notifications import notify

SECRET = "s3cr3t-value"
WRITE = """
import json, os, sys
variables = {n: v for n, v in os.environ.items() if n.startswith(("ERFAILOVER", "AZURE"))}
with open("result.json", "w") as file:
    json.dump({"event": json.load(sys.stdin), "variables": variables, "words": sys.argv[1:]}, file)
"""


def build(folder: Path, *command: str, timeout_s: float = 10.0) -> Program:
    variables = {**os.environ, "ERFAILOVER_SITE": "site.yaml"}
    return Program(command, timeout_s, Programs(folder), variables, f"command {command[0]}")


def test_the_program_gets_the_event(tmp_path: Path) -> None:
    text = "x" * 200_000 + "\nsecond line \x00"
    program = build(tmp_path, sys.executable, "-c", WRITE, "$HOME; echo", "*")
    program.prepare()
    program.send(notify(text=text, severity=Severity.WARNING, data={"state": "DEGRADED"}))
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["event"]["id"] == "e1"
    assert result["event"]["data"]["text"] == text
    assert result["words"] == ["$HOME; echo", "*"], "no shell"
    variables = result["variables"]
    assert variables["ERFAILOVER_EVENT"] == "state_changed"
    assert variables["ERFAILOVER_EVENT_SITE"] == "site1"
    assert variables["ERFAILOVER_EVENT_STATE"] == "DEGRADED"
    assert variables["ERFAILOVER_EVENT_SEVERITY"] == "warning"
    assert variables["ERFAILOVER_EVENT_RESOLVES"] == "false"
    assert variables["ERFAILOVER_SITE"] == "site.yaml", "so that erfailover status works"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["/bin/sh", "-c", "cat >/dev/null; exit 3"], "its exit code was 3"),
        (["/no/such/program"], "the program was not found on this machine"),
        (["/etc/passwd"], "the program cannot be started: Permission denied"),
        (["/bin/sh", "-c", "kill -9 $$"], "its exit code was -9"),
    ],
)
def test_a_program_that_fails_is_reported(tmp_path: Path, command: list[str], message: str) -> None:
    with pytest.raises(DeliveryFailed) as caught:
        build(tmp_path, *command).send(notify())
    assert str(caught.value) == f"command {command[0]}: {message}"


def test_what_a_program_prints_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(DeliveryFailed) as caught:
        build(tmp_path, "/bin/sh", "-c", f"echo {SECRET}; exit 1").send(notify())
    assert SECRET not in repr(caught.value)


def test_a_program_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    script = "sleep 300 & echo $! >pid; setsid sleep 301 & echo $! >>pid; wait"
    began = time.monotonic()
    with pytest.raises(DeliveryFailed, match="did not end within 1 s and was ended"):
        build(tmp_path, "/bin/sh", "-c", script, timeout_s=1.0).send(notify())
    assert time.monotonic() - began < 8
    for pid in (tmp_path / "pid").read_text().split():
        assert not psutil.pid_exists(int(pid)) or (
            psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE
        )
