"""A port on loopback that leads to another one, until the connection is cut without a word."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class Forwarder:
    """Forwards connections while its context lasts.

    Attributes:
        is_cut: whether what is sent is swallowed, as by a firewall that drops packets.
    """

    listening: socket.socket
    target: int
    is_cut: bool = False

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self.listening.getsockname()[1]
        return port

    def serve(self) -> None:
        """Accept connections until the socket is closed."""
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, self._connect() as server:
            back = threading.Thread(target=self._pour, args=(server, client), daemon=True)
            back.start()
            self._pour(client, server)
            back.join(5)

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.target))

    def _pour(self, source: socket.socket, drain: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self.is_cut:
                    drain.sendall(data)
            drain.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def forward(target: int) -> Iterator[Forwarder]:
    """Forward to a port of this machine while the context lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        forwarder = Forwarder(listening, target)
        threading.Thread(target=forwarder.serve, daemon=True).start()
        yield forwarder
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
