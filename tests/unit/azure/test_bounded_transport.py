"""Answers are bounded in size and time, and requests go to the host they belong to alone."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import HttpRequest as LegacyRequest
from azure.core.rest import HttpRequest

from erfailover.azure.client.access import Access
from erfailover.azure.client.bounded_transport import (
    ANSWER_BYTES,
    SLEEP_S,
    BoundedTransport,
    format_host,
    is_below,
)
from erfailover.azure.client.clouds import resolve
from erfailover.azure.client.errors import translate
from erfailover.errors import AzureErrorKind, AzureFailure
from tests.support.hostile_server import HostileServer, serving, slowly, whole

ANSWER_S = 0.4
"""How long the first byte of an answer may take here."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HostileServer]:
    with serving(tmp_path, lambda head: [whole(b"{}")]) as server:
        yield server


@pytest.fixture
def send(server: HostileServer) -> Iterator[Callable[..., Any]]:
    """Send a request as every client of a run does; its answer."""
    access = Access(replace(resolve("public", {}), ca=server.authority))
    transport = access.build_transport(server.url, 5.0, ANSWER_S)

    def send(path: str = "/x", kind: Any = HttpRequest) -> Any:
        url = path if "://" in path else f"{server.url}{path}"
        return transport.send(kind("GET", url))

    yield send
    access.close()


def kind_of(error: Exception) -> AzureErrorKind:
    """What the controller makes of an error of the transport."""
    if isinstance(error, AzureFailure):
        return error.kind
    assert isinstance(error, AzureError), error
    return translate(error, "GET x").kind


@pytest.mark.parametrize("kind", [HttpRequest, LegacyRequest], ids=["rest", "legacy"])
@pytest.mark.parametrize(
    ("headers", "pack"),
    [
        ((), bytes),
        (("Content-Encoding: gzip",), gzip.compress),
        (("Content-Encoding: deflate",), zlib.compress),
    ],
    ids=["plain", "gzip", "deflate"],
)
def test_a_proper_answer_arrives(
    server: HostileServer,
    send: Callable[..., Any],
    kind: Any,
    headers: tuple[str, ...],
    pack: Callable[[bytes], bytes],
) -> None:
    body = b'{"name": "vnet1"}'
    server.answer = lambda head: [whole(pack(body), *headers)]
    answer = send(kind=kind)
    assert answer.status_code == 200
    assert answer.text() == body.decode()
    assert answer.body() == body
    assert "accept-encoding: gzip\r\n" in server.heads[0].lower()


def test_one_of_several_connections_is_used_again(
    server: HostileServer, send: Callable[..., Any]
) -> None:
    server.answer = lambda head: (
        [CHUNKED] + [b"%x\r\n%s\r\n" % (len(part), part) for part in (b'{"a":', b" 1}", b"")]
    )
    assert [send().json() for _ in range(3)] == [{"a": 1}] * 3


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
DRIPS: dict[str, Callable[[], Iterable[bytes]]] = {
    "silence": lambda: slowly(b"H" * 1000, 10.0),
    "head": lambda: slowly(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000, 0.02),
    "one header": lambda: slowly(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10_000, 0.02),
    "body": lambda: chain([HEAD], slowly(b" " * 1000, 0.02)),
    "chunk size": lambda: chain([CHUNKED], slowly(b"0" * 1000, 0.02)),
    "continue": lambda: slowly(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 0.001),
}


@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS)
def test_an_answer_that_drips_is_given_up(
    server: HostileServer, send: Callable[..., Any], drip: Callable[[], Iterable[bytes]]
) -> None:
    server.answer = lambda head: drip()
    began = time.monotonic()
    with pytest.raises((AzureError, AzureFailure)) as caught:
        send()
    assert time.monotonic() - began < 2 * ANSWER_S + 1.0
    assert kind_of(caught.value) is AzureErrorKind.CONNECTION


def compress_blanks(size: int, times: int = 1) -> bytes:
    content = gzip.compress(b" " * size, 1)
    for _ in range(times - 1):
        content = gzip.compress(content)
    return content


BOMBS: dict[str, Callable[[], list[bytes]]] = {
    "long body": lambda: [whole(b" " * (ANSWER_BYTES + 1))],
    "gzip": lambda: [whole(compress_blanks(20 * ANSWER_BYTES), "Content-Encoding: gzip")],
    "deflate": lambda: [
        whole(zlib.compress(b" " * (20 * ANSWER_BYTES), 1), "Content-Encoding: deflate")
    ],
    "gzip twice": lambda: [whole(compress_blanks(ANSWER_BYTES, 2), "Content-Encoding: gzip, gzip")],
    "brotli": lambda: [whole(b"abc", "Content-Encoding: br")],
    "no gzip": lambda: [whole(b"{}", "Content-Encoding: gzip")],
    "half a gzip": lambda: [whole(compress_blanks(1000)[:-9], "Content-Encoding: gzip")],
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_an_answer_that_is_too_long_is_given_up_and_takes_little_memory(
    server: HostileServer, send: Callable[..., Any], bomb: Callable[[], list[bytes]]
) -> None:
    sent = bomb()
    server.answer = lambda head: sent
    tracemalloc.start()
    try:
        with pytest.raises((AzureError, AzureFailure)) as caught:
            send()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kind_of(caught.value) is AzureErrorKind.SERVER
    assert peak < 4 * ANSWER_BYTES


@pytest.mark.parametrize(
    "endless",
    [
        CHUNKED + b"0" * 100,
        CHUNKED + b"0\r\nX: y\r\n",
    ],
    ids=["chunk size", "trailer"],
)
def test_framing_that_does_not_end_is_given_up(
    server: HostileServer, send: Callable[..., Any], endless: bytes
) -> None:
    def answer(head: str) -> Iterator[bytes]:
        yield endless
        filler = b"X: y\r\n" * 10_000 if b"X" in endless else b"0" * 60_000
        while True:
            yield filler

    server.answer = answer
    began = time.monotonic()
    with pytest.raises((AzureError, AzureFailure)):
        send()
    assert time.monotonic() - began < 10.0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_by_the_name_of_its_host(
    server: HostileServer, send: Callable[..., Any], status: int
) -> None:
    server.answer = lambda head: [
        whole(b"", "Location: https://evil.example.com/x", status=f"{status} Elsewhere")
    ]
    with pytest.raises(AzureFailure, match=r"redirected to evil\.example\.com") as caught:
        send()
    assert caught.value.kind is AzureErrorKind.REFUSED
    assert len(server.heads) == 1


def test_a_request_to_another_host_is_not_sent(
    server: HostileServer, send: Callable[..., Any]
) -> None:
    port = server.url.rpartition(":")[2]
    with pytest.raises(AzureFailure, match=r"127\.0\.0\.1:\d+ was not sent") as caught:
        send(f"https://127.0.0.1:{port}/x")
    assert caught.value.kind is AzureErrorKind.REFUSED
    assert server.heads == []


BASE = "https://management.azure.com"


@pytest.mark.parametrize(
    ("url", "below"),
    [
        ("https://management.azure.com/x", True),
        ("https://MANAGEMENT.Azure.com:443/x", True),
        ("HTTPS://management.azure.com", True),
        ("https://westeurope.management.azure.com/x?y", True),
        ("https://management.azure.com./x", True),
        (" https://management.azure.com/x", True),
        ("http://management.azure.com/x", False),
        ("https://management.azure.com:444/x", False),
        ("https://management.azure.com:80/x", False),
        ("https://evilmanagement.azure.com/x", False),
        ("https://management.azure.com.evil.example.com/x", False),
        ("https://azure.com/x", False),
        ("https://management.azure.com@evil.example.com/x", False),
        ("https://management.azure.com:443@evil.example.com/x", False),
        ("https://user:word@management.azure.com/x", False),
        ("https://evil.example.com/https://management.azure.com/", False),
        ("https://evil.example.com\\@management.azure.com/x", False),
        ("https://evil.example.com#@management.azure.com/x", False),
        ("https://evil.example.com?@management.azure.com/x", False),
        ("//management.azure.com/x", False),
        ("/subscriptions/x", False),
        ("https://[::1", False),
        ("https:///x", False),
        ("", False),
    ],
)
def test_hosts_are_compared_as_the_request_would_go(url: str, below: bool) -> None:
    assert is_below(url, BASE) is below
    assert format_host(url)


def test_the_sdk_s_own_pauses_are_short_whatever_an_answer_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    for seconds in (1e9, 2.0, -1.0, float("nan"), float("inf")):
        BoundedTransport().sleep(seconds)
    assert slept == [SLEEP_S, 2.0, 0.0, 0.0, 0.0]
