"""A local HTTPS server that sends whatever bytes a test asks for, as slowly as it asks for."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import trustme

Send = Callable[[str], Iterable[bytes]]
"""Gives the bytes of the answer to a request, whose head it is called with."""


@dataclass
class HostileServer:
    """A server that serves while its context lasts.

    Attributes:
        answer: what is sent; may be replaced at any time.
        heads: the head of every request.
    """

    authority: Path
    answer: Send
    _listening: socket.socket
    _context: ssl.SSLContext
    _ended: threading.Event = field(default_factory=threading.Event)
    heads: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://localhost:{self._listening.getsockname()[1]}"

    def serve(self) -> None:
        """Accept connections until the socket is closed."""
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            secure = self._context.wrap_socket(connection, server_side=True)
            with secure, secure.makefile("rb") as reading:
                while head := _head(reading):
                    self.heads.append(head)
                    for part in self.answer(head):
                        if self._ended.is_set():
                            return
                        secure.sendall(part)

    def close(self) -> None:
        """Serve no more."""
        self._ended.set()
        self._listening.close()


def _head(reading: BinaryIO) -> str:
    """Read a request and return its head; empty at the end of the connection."""
    lines = []
    while (line := reading.readline()) not in (b"", b"\r\n"):
        lines.append(line)
    head = b"".join(lines).decode("latin-1")
    length = re.search(r"(?i)^content-length: (\d+)", head, re.MULTILINE)
    reading.read(int(length[1]) if length else 0)
    return head


def whole(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return a proper answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def slowly(content: bytes, pause_s: float) -> Iterator[bytes]:
    """Yield a byte at a time."""
    for number in range(len(content)):
        yield content[number : number + 1]
        time.sleep(pause_s)


@contextlib.contextmanager
def serving(folder: Path, answer: Send) -> Iterator[HostileServer]:
    """Serve with a certificate of an authority whose file is in a folder."""
    issuer = trustme.CA()
    authority = folder / "authority.pem"
    issuer.cert_pem.write_to_path(str(authority))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issuer.issue_cert("localhost").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = HostileServer(authority, answer, listening, context)
        threading.Thread(target=server.serve, daemon=True).start()
        try:
            yield server
        finally:
            server.close()
