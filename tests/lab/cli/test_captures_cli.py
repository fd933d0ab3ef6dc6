"""``lab capture``: what it asks of the lab, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from erfailover.lab.cli import captures, process
from erfailover.lab.cli.main import main
from erfailover.lab.engine.lab import Lab
from erfailover.lab.machines.model_plane import ModelPlane
from erfailover.lab.routing.sessions import BgpTiming
from erfailover.lab.server import state_folder
from erfailover.lab.server.server import LabServer


class Links(ModelPlane):
    """A data plane with one link."""

    def __init__(self) -> None:
        super().__init__(BgpTiming())
        self.running: dict[int, tuple[str, str]] = {}

    def list_links(self) -> list[str]:
        return ["vm1-eth0"]

    def start_capture(self, link: str, file: str) -> int:
        if link != "vm1-eth0":
            raise ValueError(f"There is no link {link!r}. The links are: vm1-eth0")
        self.running[4] = (link, file)
        return 4

    def end_capture(self, capture: int) -> int:
        if self.running.pop(capture, None) is None:
            raise ValueError(f"There is no capture {capture}.")
        return 12


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["capture", *words])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Any, ...]]]:
    requests: list[tuple[Any, ...]] = []
    answers = {"GET": {"links": ["a", "b"]}, "POST": {"id": 4}, "DELETE": {"packets": 12}}

    def ask(state_dir: Path | None, method: str, path: str, body: Any = None) -> Any:
        requests.append((method, path, body))
        return answers[method]

    monkeypatch.setattr(captures, "ask", ask)
    before = signal.getsignal(signal.SIGTERM)
    yield requests
    signal.signal(signal.SIGTERM, before)


def test_a_capture_ends_after_its_seconds(asked: list[tuple[Any, ...]], tmp_path: Path) -> None:
    result = run("vm1-eth0", str(tmp_path / "x"), "--seconds", "0.1")
    assert result.output == "12 packets captured on vm1-eth0.\n"
    started = ("POST", "/lab/captures", {"link": "vm1-eth0", "file": str(tmp_path / "x")})
    assert asked == [started, ("DELETE", "/lab/captures/4", None)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_a_capture_too(asked: list[tuple[Any, ...]], number: int) -> None:
    threading.Timer(0.3, os.kill, (os.getpid(), number)).start()
    result = run("vm1-eth0", "x")
    assert result.exit_code == 0
    assert "12 packets captured" in result.output
    assert asked[-1] == ("DELETE", "/lab/captures/4", None)


def test_links_are_listed(asked: list[tuple[Any, ...]]) -> None:
    assert run("--list").output == "a\nb\n"


def test_a_link_without_a_file_is_a_wrong_use(asked: list[tuple[Any, ...]]) -> None:
    result = run("vm1-eth0")
    assert (result.exit_code, asked) == (2, [])
    assert "Specify a LINK and a FILE, or use --list." in result.output


def test_the_lab_s_own_path_captures(lab: Lab, server: LabServer) -> None:
    links = Links()
    lab.plane = links

    context = ssl.create_default_context(cafile=str(server.ca_file))
    headers = {"Authorization": f"Bearer {lab.identity.lab_secret}"}

    def ask(method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        request = urllib.request.Request(server.endpoint + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, context=context) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.load(refusal)

    assert ask("GET", "/lab/captures") == (200, {"links": ["vm1-eth0"]})
    assert ask("POST", "/lab/captures", b'{"link": "vm1-eth0", "file": "/f"}') == (200, {"id": 4})
    assert links.running == {4: ("vm1-eth0", "/f")}
    assert ask("DELETE", "/lab/captures/4") == (200, {"packets": 12})
    for method, path, body, message in (
        ("DELETE", "/lab/captures/4", None, "There is no capture 4."),
        ("DELETE", "/lab/captures/x", None, "invalid literal"),
        ("POST", "/lab/captures", b'{"link": "no", "file": "/f"}', "There is no link 'no'."),
        ("POST", "/lab/captures", b'{"link": "no"}', "with the key 'file'"),
    ):
        status, answer = ask(method, path, body)
        assert (status, answer["error"]["code"]) == (400, "InvalidCapture")
        assert message in answer["error"]["message"]


def test_the_model_has_no_packets(tmp_path: Path) -> None:
    folder = state_folder.StateFolder(tmp_path)
    process.start(folder, speed=1000)
    try:
        for words in (["--list"], ["vm1-eth0", "x"]):
            command = [sys.executable, "-m", "erfailover.lab", "capture", "--state-dir"]
            done = subprocess.run(
                [*command, str(tmp_path), *words], capture_output=True, text=True, timeout=30
            )
            assert done.returncode == 1
            assert "The lab runs on the model" in done.stderr
            assert "erfailover lab up --data-plane linux" in done.stderr
    finally:
        process.stop(folder)
