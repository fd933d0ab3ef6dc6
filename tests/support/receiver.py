"""A web server on loopback that receives notifications and answers as a test wants."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG, CLOSE = -1, -2
"""Instead of a status: say nothing; close the connection."""


@dataclass
class Receiver:
    """A server that receives notifications.

    Attributes:
        statuses: the next answers; after them, or without them, ``usual``.
        headers: what every answer has besides.
        slow_s: how long an answer takes.
    """

    usual: int = 204
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    slow_s: float = 0.0
    port: int = 0
    heads: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    accepted: list[Any] = field(default_factory=list)
    """The bodies that were answered with 2xx."""
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        """Answer one request."""
        receiver = self.receiver
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        receiver.heads.append(dict(self.headers))
        receiver.paths.append(self.path)
        receiver.bodies.append(body)
        status = receiver.statuses.pop(0) if receiver.statuses else receiver.usual
        if receiver.slow_s:
            time.sleep(receiver.slow_s)
        if status == HANG:
            receiver.over.wait(60)
        if status < 0:
            self.close_connection = True
            return
        if 200 <= status < 300:
            receiver.accepted.append(body)
        self.send_response(status)
        for name, value in receiver.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that has gone."""


@contextlib.contextmanager
def running(receiver: Receiver) -> Iterator[Receiver]:
    """Serve while the context lasts."""
    handler = type("Handler", (_Handler,), {"receiver": receiver})
    with _Server(("127.0.0.1", 0), handler) as server:
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.over.set()
            server.shutdown()
            thread.join(5)
