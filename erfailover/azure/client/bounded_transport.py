"""The bounds of every answer: from whom, how large, how long in coming.

This is the place below all clients, the credential's and the store's included. A request is sent
to the host it belongs to and to no other, whatever URL an answer named; a redirect is not
followed. An answer is read here as a whole, within ``ANSWER_BYTES`` both as sent and
decompressed, and within ``WHOLE`` times the time that is waited for its first byte.
"""

from __future__ import annotations

import http.client
import io
import math
import time
import zlib
from socket import socket
from typing import Any

import requests
from azure.core.exceptions import HttpResponseError, ServiceResponseError
from azure.core.pipeline.transport import RequestsTransport
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Url, parse_url

from erfailover.errors import AzureErrorKind, AzureFailure

REDIRECTION = 3
"""The class of the statuses 300 to 399."""

ANSWER_BYTES = 32 * 1024 * 1024
"""The longest answer that is read, and the longest that it may become when decompressed. The SDK
of Azure Storage reads a blob in parts of 32 MiB; pages of ARM have a few megabytes at most."""
HEADER_BYTES = 256 * 1024
"""What the head of an answer and the framing of its body may add to that."""
WHOLE = 2.0
"""How many times as long as for its first byte an answer is waited for."""
SLICE = 64 * 1024
SLEEP_S = 5.0
"""The longest pause that the SDK's own retries make: azure-identity obeys any Retry-After."""
PORTS = {"https": 443, "http": 80}


class BoundedTransport(RequestsTransport):  # type: ignore[misc]  # the SDK exports it untyped
    """The SDK's transport, within bounds.

    Args:
        base: the URL to whose host, and its subdomains, requests go; None for any host, if a
            request carries no token and no answer says where it goes.
        settings: the SDK's.
    """

    def __init__(self, base: str | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self._base = base

    def send(self, request: Any, **kwargs: Any) -> Any:
        """Send a request and read the whole answer.

        Raises:
            AzureFailure: kind REFUSED: the request belongs to another host, or was redirected.
            AzureError: there was no answer within the bounds.
        """
        if self._base is not None and not is_below(request.url, self._base):
            raise AzureFailure(
                AzureErrorKind.REFUSED,
                f"a {request.method} to {format_host(request.url)} was not sent: the address "
                f"does not belong to {format_host(self._base)}",
                "The address came from a response. If a proxy rewrites responses, bypass it.",
            )
        request.headers.setdefault("Accept-Encoding", "gzip")
        stream = bool(kwargs.pop("stream", False))
        answer = super().send(request, stream=True, **kwargs)
        received = answer.internal_response
        try:
            _read(received)
        except (HTTPError, OSError) as error:
            raise ServiceResponseError(error, error=error) from error
        finally:
            received.close()
        target = received.headers.get("Location")
        if received.status_code // 100 == REDIRECTION and target:
            raise AzureFailure(
                AzureErrorKind.REFUSED,
                f"a {request.method} to {format_host(request.url)} was redirected to "
                f"{format_host(target) if '://' in target else target[:100]}, which is not "
                "followed",
                "Azure does not redirect: look for a proxy or a sign-in page in between.",
                status=received.status_code,
            )
        if not stream and hasattr(answer, "read"):
            answer.read()
        return answer

    def sleep(self, duration: float) -> None:
        """Wait between two tries of the SDK's own, for a time that an answer cannot stretch."""
        time.sleep(min(duration, SLEEP_S) if math.isfinite(duration) and duration > 0 else 0.0)


def is_below(url: str, base: str) -> bool:
    """Return whether a URL leads to the host of another, or to a subdomain of it.

    Scheme, host and port are compared, in lower case and with the default port.
    """
    try:
        one, other = _parse_url(url), _parse_url(base)
    except (LocationParseError, ValueError):
        return False
    if one.auth or one.scheme != other.scheme or _get_port(one) != _get_port(other):
        return False
    host, desired = _normalize_host(one), _normalize_host(other)
    return bool(desired) and (host == desired or host.endswith(f".{desired}"))


def format_host(url: str) -> str:
    """Return the host that a URL leads to, with its port if that is not the default."""
    try:
        parts = _parse_url(url)
    except (LocationParseError, ValueError):
        return "an invalid URL"
    port = _get_port(parts)
    host = _normalize_host(parts) or "an address without a host"
    return host if port == PORTS.get(parts.scheme or "") else f"{host}:{port}"


def _parse_url(url: str) -> Url:
    return parse_url(url.lstrip())  # requests does the same before it sends


def _normalize_host(url: Url) -> str:
    return (url.host or "").lower().removesuffix(".")


def _get_port(url: Url) -> int | None:
    return url.port or PORTS.get(url.scheme or "")


def _read(received: requests.Response) -> None:
    """Read the body of an answer and keep it in the answer.

    Raises:
        HttpResponseError: it is longer than ``ANSWER_BYTES``, or compressed in a way that was not
            asked for.
        urllib3.exceptions.HTTPError: the connection broke or was too slow.
    """
    encoding = received.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise HttpResponseError(f"the response is compressed as {encoding[:20]!r}; expected gzip")
    packed = encoding not in ("", "identity")
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    body = bytearray()
    for part in received.raw.stream(SLICE, decode_content=False):
        if packed:
            try:
                body += inflater.decompress(part, ANSWER_BYTES + 1 - len(body))
            except zlib.error as error:
                raise HttpResponseError(f"the response is not valid {encoding}") from error
        else:
            body += part
        if len(body) > ANSWER_BYTES:
            raise HttpResponseError(f"the response is longer than {ANSWER_BYTES >> 20} MiB")
    if packed and body and not inflater.eof:
        raise HttpResponseError(f"the response is incomplete {encoding}")
    received._content = bytes(body)
    received._content_consumed = True  # type: ignore[attr-defined]


class _WholeAnswer(io.RawIOBase):
    """A connection's bytes, for one answer: not more and not later than the bounds allow."""

    def __init__(self, raw: io.RawIOBase, connection: socket) -> None:
        self._raw, self._connection = raw, connection
        self._each_s = connection.gettimeout()
        self._until = math.inf if self._each_s is None else WHOLE * self._each_s + time.monotonic()
        self._left = ANSWER_BYTES + HEADER_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the response took too long")
        if self._left <= 0:
            raise OSError(f"the response is longer than {ANSWER_BYTES >> 20} MiB")
        if self._each_s is not None:
            self._connection.settimeout(min(self._each_s, left_s))
        read = self._raw.readinto(buffer)
        self._left -= read or 0
        return int(read) if read is not None else None

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_WholeAnswer(raw, sock))


class _Connection(HTTPConnection):
    response_class = _Answer


class _SecureConnection(HTTPSConnection):
    response_class = _Answer


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS = {"http": _Pool, "https": _SecurePool}
"""For a pool manager of urllib3: connections whose answers are bounded."""
