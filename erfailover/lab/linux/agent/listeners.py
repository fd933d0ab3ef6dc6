"""The TCP ports at which machines accept connections, served by one thread for all.

A socket belongs to the network namespace in which it was made, so a machine's own rules decide
what reaches it. A connection gets the first line of an SSH server and is closed.
"""

from __future__ import annotations

import contextlib
import ctypes
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

BANNER = b"SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.10\r\n"
_NEW_NETWORK = 0x40000000
"""CLONE_NEWNET"""
_WAITING = 16
"""Connections of one port that are open at a time; a further one closes the oldest."""
_PAUSE_S = 0.01
_libc = ctypes.CDLL(None, use_errno=True)
Made = TypeVar("Made")


class Listeners:
    """The listening sockets of all machines."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._open: dict[str, list[socket.socket]] = {}
        self._connections: dict[socket.socket, deque[socket.socket]] = {}
        threading.Thread(target=self._serve, name="listeners", daemon=True).start()

    def open(self, node: str, namespace: Path, ports: Iterable[int]) -> None:
        """Accept connections at a machine's ports."""
        listening = call_in_namespace(namespace, lambda: [_listen(port) for port in ports])
        with self._lock:
            self._open[node] = listening
            for each in listening:
                self._connections[each] = deque()
                self._selector.register(each, selectors.EVENT_READ, each)

    def close(self, node: str) -> None:
        """Close a machine's ports and connections."""
        with self._lock:
            for each in self._open.pop(node, ()):
                self._selector.unregister(each)
                for connection in (*self._connections.pop(each), each):
                    connection.close()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                with self._lock:
                    listening = key.data
                    if listening in self._connections:
                        _greet(listening, self._connections[listening])


def _greet(listening: socket.socket, waiting: deque[socket.socket]) -> None:
    """Accept a connection and send the line; a later one closes it, so that its end comes last."""
    try:
        connection, _ = listening.accept()
    except OSError:
        time.sleep(_PAUSE_S)  # without a free descriptor the connection goes on waiting
        return
    with contextlib.suppress(OSError):
        waiting.append(connection)
        if len(waiting) > _WAITING:
            waiting.popleft().close()
        connection.setblocking(False)
        connection.send(BANNER)
        connection.shutdown(socket.SHUT_WR)


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setblocking(False)
        listening.bind(("0.0.0.0", port))
        listening.listen()
    except OSError as problem:
        listening.close()
        raise OSError(f"Cannot listen at port {port}: {problem}") from problem
    return listening


def call_in_namespace(namespace: Path, make: Callable[[], Made]) -> Made:
    """Return what a function returns that runs in a network namespace, in a separate thread."""
    made: list[Made] = []
    problems: list[OSError] = []

    def run() -> None:
        try:
            with open(namespace) as file:
                if _libc.setns(file.fileno(), _NEW_NETWORK) != 0:
                    raise OSError(ctypes.get_errno(), f"Cannot enter {namespace}")
            made.append(make())
        except OSError as problem:
            problems.append(problem)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if problems:
        raise problems[0]
    return made[0]
