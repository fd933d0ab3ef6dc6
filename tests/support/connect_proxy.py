"""A proxy on loopback that does CONNECT and nothing else, and counts."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """A proxy that serves while its context lasts."""

    listening: socket.socket
    asked_for: list[str] = field(default_factory=list)
    """The ``host:port`` of every CONNECT."""
    instead: dict[str, str] = field(default_factory=dict)
    """Where to connect to instead of a ``host:port``, both so written."""

    @property
    def url(self) -> str:
        """What HTTPS_PROXY is set to."""
        return f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    def serve(self) -> None:
        """Accept connections until the socket is closed."""
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._tunnel, args=(client,), daemon=True).start()

    def _tunnel(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
            assert method == "CONNECT"
            self.asked_for.append(target)
            host, _, port = self.instead.get(target, target).partition(":")
            with socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_pour, args=(server, client), daemon=True)
                back.start()
                _pour(client, server)
                back.join(5)


def _pour(source: socket.socket, drain: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            drain.sendall(data)
        drain.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def running() -> Iterator[Proxy]:
    """A proxy, running."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = Proxy(listening)
        thread = threading.Thread(target=proxy.serve, daemon=True)
        thread.start()
        yield proxy
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)
