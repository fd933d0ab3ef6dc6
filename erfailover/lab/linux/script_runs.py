"""The scripts that run on machines: each is started by the agent, and its end delivered once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from erfailover.lab.linux.launch import Agent, AgentError
from erfailover.lab.machines.machines import CommandOutput

START_TIMEOUT_S = 90.0
"""How long a script waits for a machine that is still being started, on a busy host."""

Done = Callable[[CommandOutput], None]
Deliver = Callable[[Callable[[], None]], None]


class ScriptRuns:
    """The scripts that have not ended.

    ``deliver`` has a function called on the lab's side; ``speed`` is the lab's.
    """

    def __init__(self, deliver: Deliver, speed: float) -> None:
        self._deliver = deliver
        self._speed = speed
        self._lock = threading.Lock()
        self._last = 0
        self._running: dict[int, Done] = {}
        self._numbers: dict[int, int] = {}
        self._early: dict[int, CommandOutput] = {}

    def list_waiting(self) -> list[Done]:
        """Return what waits for the end of a script."""
        return list(self._running.values())

    def start(self, agent: Agent, arguments: dict[str, Any], done: Done) -> None:
        """Start a script; a thread waits until its machine runs."""
        self._last += 1
        number = self._last
        self._running[number] = done
        thread = threading.Thread(
            target=self._start, args=(agent, number, arguments), name="script", daemon=True
        )
        thread.start()

    def note_end(self, event: Any) -> None:
        """Process the agent's event; it may come before the answer that names the script."""
        output = CommandOutput(
            event["stdout"],
            event["stderr"],
            event["exit_code"],
            event["duration_s"] * self._speed,
        )
        with self._lock:
            number = self._numbers.pop(event["script"], None)
            if number is None:
                self._early[event["script"]] = output
                return
        self._deliver(lambda: self._end(number, output))

    def end_all(self, message: str) -> None:
        """End every script: the agent that ran them is gone."""
        with self._lock:
            self._numbers.clear()
            self._early.clear()
        for number in list(self._running):
            self._end(number, CommandOutput("", message, 1, 0.0))

    def forget_all(self) -> None:
        """Forget every script without an end: their world is gone."""
        self._running = {}

    def _start(self, agent: Agent, number: int, arguments: dict[str, Any]) -> None:
        try:
            script = int(agent.call("start_script", arguments, START_TIMEOUT_S)["script"])
        except AgentError as error:
            output: CommandOutput | None = CommandOutput("", f"{error}\n", 1, 0.0)
        else:
            with self._lock:
                output = self._early.pop(script, None)
                if output is None:
                    self._numbers[script] = number
        if output is not None:
            ended = output
            self._deliver(lambda: self._end(number, ended))

    def _end(self, number: int, output: CommandOutput) -> None:
        done = self._running.pop(number, None)
        if done is not None:
            done(output)
