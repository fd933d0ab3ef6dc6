"""The order of what the plane asks of its agent, with an agent that only notes it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from erfailover.lab.linux.launch import Agent, AgentError
from erfailover.lab.linux.plane import LinuxPlane
from tests.support import worlds


class NotingAgent:
    """Answers at once, but for the first layout: that one waits until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.calls: list[tuple[str, list[str]]] = []

    def call(self, method: str, params: Mapping[str, Any], timeout_s: float) -> Any:
        layout = params.get("layout", {"nodes": []})
        self.calls.append((method, [node["name"] for node in layout["nodes"]]))
        if len(self.calls) == 1:
            self.released.wait(10)
        if method == "read_gateway":
            return {"bird": None, "tunnels": {}}
        return {"script": 1}

    def close(self) -> None:
        self.released.set()


def test_a_script_finds_its_machine_whatever_is_translated_meanwhile() -> None:
    """Found by running both planes: a layout with a newer one behind it was left out, and what
    was between them in the queue came before its machine.
    """
    b = worlds.proof_of_concept()
    agent = NotingAgent()
    plane = LinuxPlane(60.0, Path("/nowhere"), lambda *_: cast(Agent, agent))
    plane.attach(b.world)
    plane.catch_up()
    while not agent.calls:
        time.sleep(0.001)
    vm = b.get("virtualMachines", "vm1", provider="Microsoft.Compute")
    plane.boot(vm)
    plane.start_script(vm, ["true"], lambda _: None)
    b.vnet("another", "10.99.0.0/16")
    plane.refresh()
    plane.catch_up()
    agent.released.set()
    until = time.monotonic() + 10
    while "start_script" not in dict(agent.calls) and time.monotonic() < until:
        time.sleep(0.001)
    plane.close()
    applied = agent.calls[: [name for name, _ in agent.calls].index("start_script")]
    assert "vm1" in [nodes for name, nodes in applied if name == "apply"][-1]


def test_an_agent_that_cannot_be_started_again_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("erfailover.lab.linux.plane.RESTART_S", 0.05)
    agents: list[NotingAgent] = []
    outcomes = iter(["starts", "fails", "fails", "starts"])
    tell: list[Callable[[Any], None]] = []

    def start(folder: Path, on_event: Callable[[Any], None]) -> Agent:
        tell.append(on_event)
        if next(outcomes) == "fails":
            raise AgentError("no namespaces")
        agents.append(NotingAgent())
        agents[-1].released.set()
        return cast(Agent, agents[-1])

    b = worlds.proof_of_concept()
    plane = LinuxPlane(60.0, Path("/nowhere"), start)
    plane.attach(b.world)
    tell[0]({"event": "ended"})
    until = time.monotonic() + 10
    while not (len(agents) == 2 and agents[1].calls) and time.monotonic() < until:
        plane.catch_up()
        time.sleep(0.01)
    plane.close()
    assert len(agents) == 2
    assert agents[1].calls[0][0] == "apply"
    assert "vnet1" in agents[1].calls[0][1]
