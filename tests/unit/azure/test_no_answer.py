"""Why there was no answer, by real sockets and the SDK's own transport."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from threading import Thread

import pytest
from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest

from erfailover.azure.client.errors import translate
from erfailover.errors import AzureErrorKind

Serve = Callable[[Callable[[socket.socket], object]], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that serves connections on a port, each by a function."""
    listeners: list[socket.socket] = []

    def begin(behave: Callable[[socket.socket], object]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                behave(connection)

        Thread(target=run, daemon=True).start()
        port: int = listener.getsockname()[1]
        return port

    yield begin
    for listener in listeners:
        listener.close()


def ask(url: str) -> str:
    with RequestsTransport(connection_timeout=1, read_timeout=0.5) as transport:
        with pytest.raises(AzureError) as caught:
            transport.send(HttpRequest("GET", url))
        failure = translate(caught.value, "GET vnet1")
    assert failure.kind is AzureErrorKind.CONNECTION
    assert "secret" not in failure.message
    assert "Pool" not in failure.message
    assert "Max retries" not in failure.message
    return failure.message


def test_a_port_at_which_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    expected = f"GET vnet1 was not answered: 127.0.0.1:{port}: the connection was refused"
    assert ask(f"http://127.0.0.1:{port}/x?token=secret") == expected


def test_a_server_that_does_not_answer(serve: Serve) -> None:
    open_connections: list[socket.socket] = []
    port = serve(open_connections.append)
    expected = f"GET vnet1 was not answered: 127.0.0.1:{port}: there was no response in time"
    assert ask(f"http://127.0.0.1:{port}/x?token=secret") == expected


def test_a_server_that_closes_the_connection(serve: Serve) -> None:
    def close(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.close()

    assert ask(f"http://127.0.0.1:{serve(close)}/x?token=secret") == (
        "GET vnet1 was not answered: the connection was closed without a response"
    )


def test_a_server_that_speaks_no_tls(serve: Serve) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        connection.close()

    assert "SSL" in ask(f"https://127.0.0.1:{serve(answer)}/x?token=secret").upper()
