"""A port on loopback that leads to another one: open, cut, or silent.

A connection that was open when the gate was cut is reset, and new ones are refused at once. A
silent gate accepts them and swallows what is sent, as a firewall does that drops packets; such
connections are reset when the gate is opened again, since bytes are missing from them.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Iterator
from enum import StrEnum

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: close with a reset."""
LOOK_S = 0.05
"""How often a connection looks whether the gate has changed, in seconds."""
CHUNK = 65536


class GateState(StrEnum):
    """What a gate does with connections."""

    OPEN = "open"
    CUT = "cut"
    SILENT = "silent"


class Gate:
    """Serves while its context lasts; ``state`` may be set at any time, from any thread.

    Args:
        target: the port to lead to.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._is_closed = False
        self.state = GateState.OPEN
        self.accepted = 0
        """How many connections were accepted."""

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listening.getsockname()[1]
        return port

    def serve(self) -> None:
        """Accept connections until the gate is closed."""
        while not self._is_closed:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Stop serving, and reset every connection."""
        self._is_closed = True
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _carry(self, client: socket.socket) -> None:
        with client:
            try:
                if self.state is GateState.CUT:
                    return
                with socket.create_connection(("127.0.0.1", self._target)) as server:
                    self._pour(client, server)
                    _reset(server)
            except OSError:
                pass
            finally:
                _reset(client)

    def _pour(self, client: socket.socket, server: socket.socket) -> None:
        """Carry bytes both ways until an end closes, or the gate does."""
        others = {client: server, server: client}
        has_swallowed = False
        while not self._is_closed:
            ready, _, _ = select.select(list(others), [], [], LOOK_S)
            state = self.state
            if state is GateState.CUT or (has_swallowed and state is GateState.OPEN):
                return
            for source in ready:
                data = source.recv(CHUNK)
                if state is GateState.SILENT:
                    has_swallowed = True
                    if not data:
                        return
                elif not data:
                    return
                else:
                    others[source].sendall(data)


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


@contextlib.contextmanager
def gate(target: int) -> Iterator[Gate]:
    """Provide a gate to a port of this machine."""
    opened = Gate(target)
    threading.Thread(target=opened.serve, daemon=True).start()
    try:
        yield opened
    finally:
        opened.close()
