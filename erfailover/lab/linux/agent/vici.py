"""The vici protocol of strongSwan: commands to a charon and its events, over its Unix socket."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_COMMAND, _RESPONSE, _UNKNOWN, _REGISTER, _CONFIRM, _EVENT_UNKNOWN, _EVENT = 0, 1, 2, 3, 5, 6, 7
_SECTION, _SECTION_END, _VALUE, _LIST, _ITEM, _LIST_END = 1, 2, 3, 4, 5, 6
_LARGEST = 1 << 20

Message = dict[str, Any]


class ViciError(Exception):
    """charon refused a command or answered something else than vici."""


class Vici:
    """A connection to one charon; every wait for it ends after ``timeout_s``."""

    def __init__(self, path: Path, timeout_s: float = 5.0):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def request(self, command: str, message: Mapping[str, Any] | None = None) -> Message:
        """Return the answer to a command; raise ViciError if charon says that it failed."""
        self._send(_COMMAND, command, message)
        kind, answer = self._receive()
        if kind != _RESPONSE:
            raise ViciError(f"charon does not know {command}")
        if answer.get("success") == "no":
            raise ViciError(f"{command}: {answer.get('errmsg', 'failed')}")
        return answer

    def stream(self, command: str, event: str) -> list[Message]:
        """Return what a command streams as events."""
        self.subscribe(event)
        self._send(_COMMAND, command, None)
        rows: list[Message] = []
        while True:
            kind, message = self._receive()
            if kind == _RESPONSE:
                return rows
            if kind != _EVENT:
                raise ViciError(f"charon does not know {command}")
            rows.append(message)

    def subscribe(self, event: str) -> None:
        """Ask for an event."""
        self._send(_REGISTER, event, None)
        while True:
            kind, _ = self._receive()
            if kind == _CONFIRM:
                return
            if kind != _EVENT:
                raise ViciError(f"charon does not know the event {event}")

    def wait_for_event(self) -> bool:
        """Return whether an event came in time; raise EOFError if charon ended."""
        try:
            first = self._socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return False
        if not first:
            raise EOFError("charon ended")
        self._receive()
        return True

    def _send(self, kind: int, name: str, message: Mapping[str, Any] | None) -> None:
        body = bytes((kind, len(name))) + name.encode() + _encode(message or {})
        self._socket.sendall(struct.pack("!I", len(body)) + body)

    def _receive(self) -> tuple[int, Message]:
        (length,) = struct.unpack("!I", self._read(4))
        if not 0 < length <= _LARGEST:
            raise ViciError(f"charon sent {length} bytes")
        body = self._read(length)
        start = 2 + body[1] if body[0] == _EVENT else 1
        return body[0], _decode(body[start:])

    def _read(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            piece = self._socket.recv(count - len(data))
            if not piece:
                raise EOFError("charon ended")
            data += piece
        return bytes(data)


def _name(name: str) -> bytes:
    encoded = name.encode()
    return bytes((len(encoded),)) + encoded


def _value(value: Any) -> bytes:
    encoded = str(value).encode()
    return struct.pack("!H", len(encoded)) + encoded


def _encode(message: Mapping[str, Any]) -> bytes:
    data = bytearray()
    for name, value in message.items():
        if isinstance(value, Mapping):
            data += bytes((_SECTION,)) + _name(name) + _encode(value) + bytes((_SECTION_END,))
        elif isinstance(value, list):
            items = b"".join(bytes((_ITEM,)) + _value(item) for item in value)
            data += bytes((_LIST,)) + _name(name) + items + bytes((_LIST_END,))
        else:
            data += bytes((_VALUE,)) + _name(name) + _value(value)
    return bytes(data)


def _decode(data: bytes) -> Message:
    message: Message = {}
    sections: list[Message] = [message]
    items: list[str] = []
    position = 0

    def read_name() -> str:
        nonlocal position
        end = position + 1 + data[position]
        name, position = data[position + 1 : end].decode(), end
        return name

    def read_value() -> str:
        nonlocal position
        end = position + 2 + int.from_bytes(data[position : position + 2], "big")
        value, position = data[position + 2 : end].decode(errors="replace"), end
        return value

    while position < len(data):
        kind = data[position]
        position += 1
        if kind == _SECTION:
            sections.append(sections[-1].setdefault(read_name(), {}))
        elif kind == _SECTION_END:
            sections.pop()
        elif kind == _VALUE:
            name = read_name()
            sections[-1][name] = read_value()
        elif kind == _LIST:
            items = sections[-1].setdefault(read_name(), [])
        elif kind == _ITEM:
            items.append(read_value())
    return message
