"""A TCP port of this machine that a probe can ask whether a packet passes in the lab."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager


@contextmanager
def open_door(passes: Callable[[], bool]) -> Iterator[int]:
    """Answer ``up`` or ``down`` to each connection; yields the port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"up\n" if passes() else b"down\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with closing(server):
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)
