"""Starts the small agent in namespaces of its own, and calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.linux_plane import LINUX_PLANE_SKIPPED, require_linux_plane

ROOT = Path(__file__).parents[3]
NAMESPACES = [
    "unshare",
    "--user",
    "--map-root-user",
    "--net",
    "--mount",
    "--ipc",
    "--uts",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
]
WITHOUT_USER = ["unshare", *NAMESPACES[3:]]


@dataclass(frozen=True)
class Ended:
    stdout: str
    stderr: str
    exit_code: int
    duration_s: float


@dataclass
class Bed:
    """The small agent as the tests see it."""

    process: subprocess.Popen[str]
    requests: int = 0
    answers: dict[int, dict[str, Any]] = field(default_factory=dict)
    ended: dict[int, Ended] = field(default_factory=dict)

    def call(self, method: str, *arguments: Any) -> Any:
        self.requests += 1
        number = self.requests
        assert self.process.stdin is not None
        request = {"id": number, "method": method, "arguments": arguments}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        while number not in self.answers:
            self.read()
        answer = self.answers.pop(number)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def read(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the agent has ended"
        message = json.loads(line)
        if "id" in message:
            self.answers[message["id"]] = message
        elif message["event"] == "script-ended":
            del message["event"]
            number = message.pop("script")
            self.ended[number] = Ended(**message)

    def boot(self, node: str = "m1", disk: str = "", first_boot: str = "") -> None:
        machine = {"hostname": f"vm-{node}", "disk": disk or node, "first_boot": first_boot}
        self.call("boot", node, machine)

    def kill(self) -> None:
        """Kill the agent with all that it started."""
        self.process.kill()
        self.process.wait(20)
        assert self.process.stdin is not None
        self.process.stdin.close()

    def wait(self, script: int) -> Ended:
        while script not in self.ended:
            self.read()
        return self.ended.pop(script)

    def run(self, script: str, node: str = "m1", limit_s: float = 20.0) -> Ended:
        return self.wait(self.start(script, node, limit_s))

    def start(self, script: str, node: str = "m1", limit_s: float = 20.0) -> int:
        number: int = self.call("start_script", node, script, limit_s)
        return number


@contextmanager
def start_bed(archives: Path | None = None, group: str = "", owner: str = "") -> Iterator[Bed]:
    """Start the agent; skip the test, loudly, where that is not allowed.

    ``owner`` is empty for this user in a user namespace, ``nobody`` for an unprivileged one, and
    ``root`` for root without a user namespace.
    """
    require_linux_plane()
    if owner and os.getuid() != 0:
        pytest.skip(f"only root can start the agent as {owner}")
    become = "setpriv --reuid=65534 --regid=65534 --clear-groups" if owner == "nobody" else ""
    command = [*become.split(), *(WITHOUT_USER if owner == "root" else NAMESPACES)]
    allowed = subprocess.run([*command, "true"], capture_output=True, text=True)
    if allowed.returncode != 0:
        pytest.skip(f"{LINUX_PLANE_SKIPPED}: {allowed.stderr.strip()}")
    # Another user may not read this one's Python.
    python = "/usr/bin/python3" if owner == "nobody" else sys.executable
    process = subprocess.Popen(
        [*command, python, "-m", "tests.lab.linux.small_agent", str(archives or ""), group],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    bed = Bed(process)
    bed.read()
    try:
        yield bed
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.poll() is None:
            bed.call("stop_all")
            process.stdin.close()
        process.wait(20)
        process.stdout.close()
