"""Work in forked processes, some side by side: each answers in JSON over a pipe.

Owns the processes it forks and ends none but these. The process that forks has one thread.
"""

from __future__ import annotations

import faulthandler
import json
import os
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

LIMIT_S = 180.0
"""How long one piece of work may take, in wall seconds."""


class Lost(Exception):
    """A forked process ended without an answer."""


@dataclass
class _Child:
    pid: int
    pipe: int
    name: str
    began: float
    text: bytearray = field(default_factory=bytearray)


def one(work: Callable[[], Any]) -> Any:
    """Do something in a forked process; what it returned."""
    for _, answer in many([("", work)], 1):
        if isinstance(answer, Lost):
            raise answer
        return answer
    raise Lost("nothing was done")


def many(
    work: Iterable[tuple[str, Callable[[], Any]]], workers: int
) -> Iterator[tuple[str, Any | Lost]]:
    """Do many things, some side by side; what each came to, in the order in which they end."""
    waiting = iter(work)
    children: dict[int, _Child] = {}
    with selectors.DefaultSelector() as selector:
        try:
            while True:
                while len(children) < workers and (following := next(waiting, None)) is not None:
                    child = _fork(*following)
                    children[child.pipe] = child
                    selector.register(child.pipe, selectors.EVENT_READ)
                if not children:
                    return
                for key, _ in selector.select(1.0):
                    child = children[key.fd]
                    if part := os.read(key.fd, 65536):
                        child.text += part
                        continue
                    selector.unregister(key.fd)
                    del children[key.fd]
                    yield child.name, _end(child)
                _end_the_slow(children)
        finally:
            for child in children.values():
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)


def _fork(name: str, work: Callable[[], Any]) -> _Child:
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(writing)
        return _Child(pid, reading, name, time.monotonic())
    try:
        os.close(reading)
        faulthandler.dump_traceback_later(LIMIT_S - 10.0, file=2)
        answer = {"done": work()}
    except BaseException:
        answer = {"error": traceback.format_exc()}
    with os.fdopen(writing, "w", encoding="utf-8") as pipe:
        json.dump(answer, pipe)
    os._exit(0)


def _end(child: _Child) -> Any | Lost:
    os.close(child.pipe)
    _, status = os.waitpid(child.pid, 0)
    try:
        answer = json.loads(child.text)
    except ValueError:
        return Lost(f"ended without an answer, status {status}")
    return Lost(answer["error"]) if "error" in answer else answer["done"]


def _end_the_slow(children: dict[int, _Child]) -> None:
    for child in children.values():
        if time.monotonic() - child.began > LIMIT_S:
            os.kill(child.pid, signal.SIGKILL)
