"""Packets of a link, written to a file of the host in the format of tcpdump (pcap).

A packet socket of the kernel, as tcpdump has, but no tcpdump: started by root it changes its user,
which a user namespace forbids.
"""

from __future__ import annotations

import errno
import itertools
import os
import selectors
import socket
import struct
import threading
from collections.abc import Callable
from typing import BinaryIO

from erfailover.lab.linux.agent.listeners import call_in_namespace
from erfailover.lab.linux.agent.machines import NAMESPACES
from erfailover.lab.linux.layout import Layout, LinkEnd

_ALL_PROTOCOLS = 0x0003
_SO_TIMESTAMPNS = 35
_BUFFER_BYTES = 8 << 20
_PACKET_BYTES = 262144
_ETHERNET = 1
_FILE_HEADER = struct.pack("=IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, _PACKET_BYTES, _ETHERNET)
"""pcap 2.4, timestamps in nanoseconds."""
_PACKET_HEADER = struct.Struct("=IIII")
_TIME = struct.Struct("@ll")
_END_S = 5.0

OpenFile = Callable[[str], BinaryIO]


class CaptureError(Exception):
    """A capture that cannot start, that does not exist, or that failed."""


class Captures:
    """The running captures; they end with the agent."""

    def __init__(self, get_layout: Callable[[], Layout], open_file: OpenFile | None = None) -> None:
        """Capture on the links of the layout that ``get_layout`` returns."""
        self._get_layout = get_layout
        self._open_file = open_file or open_for_writing
        self._numbers = itertools.count(1)
        self._running: dict[int, _Capture] = {}

    def start(self, link: str, file: str) -> int:
        """Write the packets of a link to a file until the end; return the capture's number.

        Every packet after the return is in the file. Raises CaptureError if there is no such
        link, or the file cannot be written.
        """
        end = self._find_end(link)
        try:
            packets = call_in_namespace(NAMESPACES / end.node, lambda: _listen(end.interface.name))
        except OSError as problem:
            raise CaptureError(f"Cannot capture on {link}: {problem.strerror}") from problem
        try:
            output = self._open_file(file)
        except OSError as problem:
            packets.close()
            raise CaptureError(f"Cannot write {file}: {problem.strerror}") from problem
        number = next(self._numbers)
        self._running[number] = _Capture(packets, output)
        return number

    def end(self, number: int) -> int:
        """End a capture; return how many packets are in its file."""
        capture = self._running.pop(number, None)
        if capture is None:
            raise CaptureError(f"There is no capture {number}.")
        return capture.end()

    def _find_end(self, name: str) -> LinkEnd:
        """Return the end of a link to capture at: if possible, the one outside of a machine."""
        layout = self._get_layout()
        links = {link.name: link for link in layout.links}
        link = links.get(name)
        if link is None:
            known = ", ".join(sorted(links)) or "none"
            raise CaptureError(f"There is no link {name!r}. The links are: {known}")
        machines = {node.name for node in layout.nodes if node.machine is not None}
        return min(link.ends, key=lambda end: end.node in machines)


class _Capture:
    """A capture, written by a separate thread."""

    def __init__(self, packets: socket.socket, output: BinaryIO) -> None:
        self._packets = packets
        self._output = output
        self._count = 0
        self._problem: OSError | None = None
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def end(self) -> int:
        """End it, with all packets that had passed; return their number."""
        self._wake.close()
        self._thread.join(_END_S)
        if self._problem is not None:
            raise CaptureError(f"The capture failed: {self._problem.strerror}")
        return self._count

    def _run(self) -> None:
        with self._output, self._packets, self._woken, selectors.DefaultSelector() as selector:
            try:
                selector.register(self._packets, selectors.EVENT_READ)
                selector.register(self._woken, selectors.EVENT_READ)
                self._output.write(_FILE_HEADER)
                ended = False
                while not ended:
                    self._output.flush()
                    ended = any(key.fileobj is self._woken for key, _ in selector.select())
                    while self._write_packet():
                        pass
                self._output.flush()
            except OSError as problem:
                self._problem = problem

    def _write_packet(self) -> bool:
        """Write the next packet that waits; return whether one did."""
        try:
            packet, said, _, _ = self._packets.recvmsg(_PACKET_BYTES, _TIME.size * 4)
        except BlockingIOError:
            return False
        except OSError as problem:
            if problem.errno == errno.ENETDOWN:
                return True  # the link is down, and may come up again
            raise
        seconds, nanoseconds = _TIME.unpack(said[0][2])
        size = len(packet)
        self._output.write(_PACKET_HEADER.pack(seconds, nanoseconds, size, size) + packet)
        self._count += 1
        return True


def _listen(interface: str) -> socket.socket:
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        packets.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        packets.setblocking(False)
        packets.bind((interface, _ALL_PROTOCOLS))
    except OSError:
        packets.close()
        raise
    return packets


def open_for_writing(file: str) -> BinaryIO:
    """Replace a file of the host, or write into a pipe that has a reader."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK, 0o600)
    os.set_blocking(descriptor, True)
    return open(descriptor, "wb")
