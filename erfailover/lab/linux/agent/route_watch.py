"""Tells when BIRD changes the routes in the kernel of a namespace."""

from __future__ import annotations

import errno
import select
import socket
import struct
import threading
import time
from collections.abc import Callable

from erfailover.lab.linux.agent import namespaces

_IPV4_ROUTES = 0x40
_PROTOCOL_BIRD = 12
_HEADER = struct.Struct("=IHHII")
_ROUTE_MESSAGE = struct.Struct("=BBBBBBBBI")
_BUFFER = 1 << 16
_PAUSE_S = 0.02


class RouteWatch:
    """Calls ``on_change`` with a node's name after BIRD changed routes there.

    A burst of changes makes few calls.
    """

    def __init__(self, on_change: Callable[[str], None]):
        self._on_change = on_change
        self._lock = threading.Lock()
        self._sockets: dict[str, socket.socket] = {}
        self._nodes: dict[int, str] = {}
        self._poll = select.epoll()
        threading.Thread(target=self._run, name="route-watch", daemon=True).start()

    def add(self, node: str) -> None:
        """Watch a namespace, if it is not watched yet."""
        if node in self._sockets:
            return
        with namespaces.enter(node):
            watch = socket.socket(
                socket.AF_NETLINK,
                socket.SOCK_RAW | socket.SOCK_NONBLOCK,
                socket.NETLINK_ROUTE,
            )
        watch.bind((0, _IPV4_ROUTES))
        with self._lock:
            self._sockets[node] = watch
            self._nodes[watch.fileno()] = node
            self._poll.register(watch, select.EPOLLIN)

    def remove(self, node: str) -> None:
        """Watch a namespace no longer."""
        with self._lock:
            watch = self._sockets.pop(node, None)
            if watch is not None:
                self._poll.unregister(watch)
                del self._nodes[watch.fileno()]
                watch.close()

    def _run(self) -> None:
        while True:
            changed = []
            ready = self._poll.poll()
            with self._lock:
                for descriptor, _ in ready:
                    node = self._nodes.get(descriptor)
                    if node is not None and _drain(self._sockets[node]):
                        changed.append(node)
            for node in changed:
                self._on_change(node)
            time.sleep(_PAUSE_S)


def _drain(watch: socket.socket) -> bool:
    """Read everything; return whether any of it is about a route of BIRD's."""
    found = False
    while True:
        try:
            data = watch.recv(_BUFFER)
        except BlockingIOError:
            return found
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                return True
            found = True  # Some were lost: any may have been BIRD's.
            continue
        found = found or _mentions_bird(data)


def _mentions_bird(data: bytes) -> bool:
    position = 0
    while position + _HEADER.size + _ROUTE_MESSAGE.size <= len(data):
        length = _HEADER.unpack_from(data, position)[0]
        protocol = _ROUTE_MESSAGE.unpack_from(data, position + _HEADER.size)[5]
        if protocol == _PROTOCOL_BIRD:
            return True
        position += max((length + 3) & ~3, _HEADER.size)
    return False
