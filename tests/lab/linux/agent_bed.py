"""An agent as the tests see it: asked over its protocol, and looked at from inside."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import psutil

from erfailover.lab.linux.launch import SYSTEM_PATH, Agent, Event
from erfailover.lab.linux.layout import Layout, to_json
from tests.support.patience import PATIENCE

WAIT_S = 20.0


class AgentBed:
    """A running agent, and the events it sent."""

    def __init__(self, folder: Path):
        self.events: list[Event] = []
        self.log = folder / "agent.log"
        self._output = self.log.open("w")
        self.agent = Agent(folder, self.events.append, self._output)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.agent.close()
        self._output.close()

    def apply(self, layout: Layout) -> dict[str, int]:
        counts: dict[str, int] = self.agent.call("apply", {"layout": to_json(layout)})
        return counts

    def read(self, node: str) -> Any:
        return self.agent.call("read_gateway", {"node": node})

    def is_up(self, *nodes: str) -> bool:
        return all(each["up"] for node in nodes for each in self.read(node)["tunnels"].values())

    def run(self, command: str, node: str = "") -> str:
        """Return what a shell inside prints, in a node's namespace if one is named."""
        inner = psutil.Process(self.agent.pid).children()[0].pid
        place = ("ip", "netns", "exec", node) if node else ()
        # Without --preserve-credentials, only root could enter.
        own = _has_own_user_namespace(inner)
        user = ("--user", "--preserve-credentials") if own else ()
        return subprocess.run(
            ("nsenter", "-t", str(inner), *user, "-n", "-m", "-p", *place, "sh", "-c", command),
            capture_output=True,
            text=True,
            timeout=WAIT_S * PATIENCE,
            env={"PATH": SYSTEM_PATH},
        ).stdout

    def pings(self, node: str, destination: str) -> bool:
        return "2 received" in self.run(f"ping -n -c 2 -i 0.05 -W 1 {destination}", node)

    def kill(self, node: str, program: str) -> None:
        """Kill -9 a node's daemon."""
        for pid in self.run(f"ip netns pids {node}").split():
            if self.run(f"cat /proc/{pid}/comm").strip() == program:
                self.run(f"kill -9 {pid}")
                return
        raise AssertionError(f"{node} runs no {program}")


def wait_until(holds: Callable[[], bool], what: str, limit_s: float = WAIT_S) -> float:
    """Return how long it took until something holds."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() < start + limit_s * PATIENCE, f"not in {limit_s:g} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - start


def _has_own_user_namespace(pid: int) -> bool:
    return Path(f"/proc/{pid}/ns/user").readlink() != Path("/proc/self/ns/user").readlink()
