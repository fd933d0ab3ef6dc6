"""Requests and answers as JSON lines: the agent's side.

A small pool of threads serves the requests, so that a slow one does not hold up the others.
"""

from __future__ import annotations

import json
import os
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from erfailover.lab.linux.agent.service import Service

Methods = Mapping[str, Callable[..., Any]]

_WORKERS = 16


class Server:
    """Serves methods to whoever writes requests."""

    def __init__(self, reader: IO[str], writer: IO[str]):
        self._reader = reader
        self._writer = writer
        self._lock = threading.Lock()

    def emit(self, event: str, **fields: Any) -> None:
        """Send an event."""
        self._send({"event": event, **fields})

    def serve(self, methods: Methods) -> None:
        """Serve requests until the reader ends."""
        pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="request")
        for line in self._reader:
            request = json.loads(line)
            pool.submit(self._answer, methods, request)
        # No request is worth waiting for: the caller is gone.
        pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, methods: Methods, request: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"id": request["id"]}
        try:
            method = methods.get(request["method"])
            if method is None:
                raise ValueError(f"the agent has no method {request['method']}")
            answer["result"] = method(**request.get("params", {}))
            self._send(answer)
        except Exception as error:
            traceback.print_exc()
            text = str(error) or type(error).__name__
            self._send({"id": request["id"], "error": text})

    def _send(self, message: dict[str, Any]) -> None:
        line = json.dumps(message) + "\n"
        with self._lock:
            self._writer.write(line)
            self._writer.flush()


def serve_pipes(run: Path, disks: Path) -> None:
    """Serve on stdin and stdout, which no program that the agent starts may inherit."""
    reader = os.fdopen(os.dup(0), "r", encoding="utf-8")
    writer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    server = Server(reader, writer)
    service = Service(run, disks, server.emit)
    server.serve(service.methods)
    service.machines.close()
