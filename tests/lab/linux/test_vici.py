"""vici: what a charon is told and answers, over a socket that a test holds the other end of."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from erfailover.lab.linux.agent.charon import (
    describe_connection,
    describe_daemon,
    describe_secret,
)
from erfailover.lab.linux.agent.tunnel_devices import (
    KernelDevice,
    LibipsecDevice,
    TunnelDevice,
)
from erfailover.lab.linux.agent.vici import Vici, ViciError
from tests.lab.linux.sites import SECRET, make_layout

# From the protocol's description: README.md of strongSwan's vici plugin, "Message format".
EXAMPLE = (
    b"\x03\x04key1\x00\x06value1"
    b"\x01\x08section1"
    b"\x01\x0bsub-section"
    b"\x03\x04key2\x00\x06value2"
    b"\x02"
    b"\x04\x05list1\x05\x00\x05item1\x05\x00\x05item2\x06"
    b"\x02"
)
DECODED = {
    "key1": "value1",
    "section1": {"sub-section": {"key2": "value2"}, "list1": ["item1", "item2"]},
}


@contextmanager
def serve(path: Path, *answers: bytes) -> Iterator[list[bytes]]:
    """Answer requests with those packets, one each; yield the requests."""
    requests: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def run() -> None:
            connection, _ = listening.accept()
            with connection:
                for answer in answers:
                    (length,) = struct.unpack("!I", connection.recv(4))
                    requests.append(connection.recv(length))
                    connection.sendall(struct.pack("!I", len(answer)) + answer)

        thread = threading.Thread(target=run)
        thread.start()
        yield requests
        thread.join(5)


def test_messages_are_those_of_the_protocols_description(tmp_path: Path) -> None:
    with (
        serve(tmp_path / "vici", b"\x01" + EXAMPLE) as requests,
        Vici(tmp_path / "vici") as vici,
    ):
        assert vici.request("echo", DECODED) == DECODED
    assert requests == [b"\x00\x04echo" + EXAMPLE]


def test_a_refusal_is_an_error_with_charons_words(tmp_path: Path) -> None:
    refusal = b"\x01\x03\x07success\x00\x02no\x03\x06errmsg\x00\x07no such"
    with (
        serve(tmp_path / "vici", refusal),
        Vici(tmp_path / "vici") as vici,
        pytest.raises(ViciError, match="load-conn: no such"),
    ):
        vici.request("load-conn")


def test_a_charon_that_says_nothing_is_no_endless_wait(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "vici"))
        listening.listen()
        with Vici(tmp_path / "vici", 0.05) as vici, pytest.raises(TimeoutError):
            vici.request("version")


@pytest.mark.parametrize("kind", [KernelDevice, LibipsecDevice])
def test_the_configuration_of_a_daemon_has_no_secret(
    kind: type[TunnelDevice], tmp_path: Path
) -> None:
    (tunnel,) = make_layout().nodes[3].tunnels
    assert describe_secret(tunnel)["data"] == SECRET
    device = kind("vng1", tunnel)
    assert SECRET not in describe_daemon(tunnel, device, tmp_path)
    assert SECRET not in str(describe_connection(tunnel, device))
