"""Start the agent in new namespaces, and call its methods.

The agent never outlives this process: its stdin ends with it, and as pid 1 of its pid namespace
it takes everything that it started with it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any, Self

from erfailover.lab.linux import encryption

Event = dict[str, Any]

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_NAMESPACES = ("--net", "--mount", "--ipc", "--uts", "--pid", "--fork", "--kill-child")
_FORMS = (
    ("unshare", "--user", "--map-root-user", *_NAMESPACES, "--mount-proc"),
    ("unshare", *_NAMESPACES, "--mount-proc"),
)
_PROBE_TIMEOUT_S = 10.0
_START_TIMEOUT_S = 30.0


class AgentError(Exception):
    """The agent refused a request, did not answer in time, or ended."""


def find_unshare() -> tuple[str, ...]:
    """Return the command that starts a program in namespaces; raise AgentError if none works."""
    reasons = []
    for form in _FORMS:
        try:
            run_probe((*form, "true"))
        except AgentError as error:
            reasons.append(str(error))
        else:
            return form
    raise AgentError("; ".join(reasons))


def run_probe(command: tuple[str, ...]) -> None:
    """Run a command that ends at once; raise AgentError with what it said if it failed."""
    try:
        subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_PROBE_TIMEOUT_S,
            env={"PATH": SYSTEM_PATH},
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise AgentError(said or f"{command[0]} ended with {error.returncode}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AgentError(str(error)) from error


def start_agent(folder: Path, on_event: Callable[[Event], None]) -> Agent:
    """Return a running agent; raise AgentError if it cannot start."""
    agent = Agent(folder, on_event)
    try:
        agent.call("describe", timeout_s=_START_TIMEOUT_S)
    except AgentError:
        agent.close()
        raise
    return agent


class Agent:
    """A running agent; ``call`` may be used from several threads.

    ``on_event`` gets every event, in order, on a separate thread; it may use ``call``. When the
    agent ends by itself, the last event is ``ended``. ``folder`` keeps the disks of machines; what
    the agent has to say goes to ``log``, by default to this process's stderr.
    """

    def __init__(
        self, folder: Path, on_event: Callable[[Event], None], log: IO[Any] | int | None = None
    ):
        self._on_event = on_event
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Any]] = {}
        self._requests: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._ended = False
        self._closing = False
        self._process = subprocess.Popen(
            (*find_unshare(), sys.executable, "-m", "erfailover.lab.linux.agent", str(folder)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            start_new_session=True,
            env=_make_environment(),
        )
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for target, name in (
                (self._write, "agent-writer"),
                (self._read, "agent-reader"),
                (self._deliver, "agent-events"),
            )
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process to watch or to kill: everything ends with it."""
        return self._process.pid

    def call(
        self, method: str, params: Mapping[str, Any] | None = None, timeout_s: float = 60.0
    ) -> Any:
        """Return the result of a method; raise AgentError if it failed or took too long."""
        number = next(self._numbers)
        answer: Future[Any] = Future()
        line = json.dumps({"id": number, "method": method, "params": params or {}}) + "\n"
        with self._lock:
            if self._ended:
                raise AgentError(f"{method}: the agent has ended")
            self._waiting[number] = answer
        self._requests.put(line)
        try:
            return answer.result(timeout_s)
        except TimeoutError as error:
            raise AgentError(f"{method}: no answer from the agent in {timeout_s:g} s") from error
        finally:
            with self._lock:
                self._waiting.pop(number, None)

    def close(self, timeout_s: float = 5.0) -> None:
        """Let the agent end, and kill it if it does not; then nothing of it is left."""
        self._closing = True
        self._requests.put(None)
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout_s)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _write(self) -> None:
        """Send requests: an agent that reads none must not hold up who waits for another."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError), self._process.stdin as stdin:
            while (line := self._requests.get()) is not None:
                stdin.write(line)
                stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if "event" in message:
                self._events.put(message)
                continue
            with self._lock:
                answer = self._waiting.get(message["id"])
            if answer is None:
                continue
            if "error" in message:
                answer.set_exception(AgentError(message["error"]))
            else:
                answer.set_result(message["result"])
        with self._lock:
            self._ended = True
            waiting = list(self._waiting.values())
        for answer in waiting:
            if not answer.done():
                answer.set_exception(AgentError("the agent has ended"))
        if not self._closing:
            self._events.put({"event": "ended"})
        self._events.put(None)
        self._requests.put(None)

    def _deliver(self) -> None:
        while (event := self._events.get()) is not None:
            self._on_event(event)


def _make_environment() -> dict[str, str]:
    """Return the agent's environment: of the lab's own only who shall encrypt."""
    package = str(Path(__file__).resolve().parents[3])
    return {
        "PATH": SYSTEM_PATH,
        "PYTHONPATH": os.pathsep.join((package, *filter(None, sys.path))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        encryption.VARIABLE: encryption.get_demand(),
    }
