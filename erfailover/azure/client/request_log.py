"""Logs every HTTP request of a run where it leaves the process: ARM's, tokens', storage's.

It is part of the transport and not of a client's pipeline, so that no request bypasses it: the
credential's, the polls of an operation, each repetition. Never logs a header of the request, a
body, or the value of a query parameter that is not known to be harmless.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from erfailover.azure.client.bounded_transport import BoundedTransport
from erfailover.runtime.logs import CUT

log = logging.getLogger("erfailover.azure.request_log")

HARMLESS = frozenset({"api-version", "comp", "restype", "monitor", "$expand", "$top"})
"""Query parameters whose values are logged; of any other, only its name."""

CORRELATION = ("x-ms-correlation-request-id", "x-ms-request-id")
"""The header that Azure's support uses to find a request: ARM's, then storage's."""

QUERY = re.compile(r"(?<=[\w/])\?[^\s)'\"]+")
REMAINING = "x-ms-ratelimit-remaining-"


class LoggedTransport(BoundedTransport):
    """The transport of every client: says what it sent, what came back, how long that took."""

    def send(self, request: Any, **kwargs: Any) -> Any:
        """Send a request; one line in the log, whether it is answered or not."""
        began = time.perf_counter()
        try:
            answer = super().send(request, **kwargs)
        except Exception as error:
            if log.isEnabledFor(logging.INFO):
                _log_failure(request, began, error)
            raise
        if log.isEnabledFor(logging.INFO):
            _log_answer(request, began, answer.status_code, answer.headers)
        return answer


def _log_answer(request: Any, began: float, status: int, headers: Mapping[str, str]) -> None:
    fields = _build_fields(request, began)
    correlation = next((headers[name] for name in CORRELATION if headers.get(name)), None)
    remaining = {
        name.lower().removeprefix(REMAINING): value
        for name, value in headers.items()
        if name.lower().startswith(REMAINING)
    }
    log.info(
        "%s %s %s, %s ms, correlation id %s",
        request.method,
        shorten_url(request.url),
        status,
        fields["duration_ms"],
        correlation or "none",
        extra={
            "fields": fields
            | {"status": status, "correlation_id": correlation, "remaining": remaining}
            | ({"retry_after": headers["Retry-After"]} if headers.get("Retry-After") else {})
        },
    )


def _log_failure(request: Any, began: float, error: Exception) -> None:
    fields = _build_fields(request, began)
    reason = strip_queries(f"{type(error).__name__}: {error}".splitlines()[0])[:300]
    log.info(
        "%s %s not answered, %s ms: %s",
        request.method,
        shorten_url(request.url),
        fields["duration_ms"],
        reason,
        extra={"fields": fields | {"status": None, "correlation_id": None, "error": reason}},
    )


def _build_fields(request: Any, began: float) -> dict[str, object]:
    url = urlsplit(request.url)
    return {
        "method": request.method,
        "host": url.netloc.rpartition("@")[2],
        "path": unquote(url.path),
        "query": query(url.query),
        "duration_ms": round((time.perf_counter() - began) * 1000),
    }


def shorten_url(url: str) -> str:
    """Return a URL for people: of ARM what follows the group or the provider, else host and path.

    ``https://management.azure.com/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/
    virtualNetworks/v?api-version=1`` is ``g/virtualNetworks/v``.
    """
    parts = urlsplit(url)
    pieces = unquote(parts.path).strip("/").split("/")
    lower = [piece.lower() for piece in pieces]
    if lower[:1] == ["subscriptions"] and lower[2:3] == ["resourcegroups"]:
        named = pieces[3:4] + (pieces[6:] if lower[4:5] == ["providers"] else pieces[4:])
        where = "/".join(named)
    elif lower[:1] == ["subscriptions"] and lower[2:3] == ["providers"]:
        where = "/".join(pieces[4:])
    else:
        where = f"{parts.netloc.rpartition('@')[2]}/{'/'.join(pieces)}"
    rest = "&".join(
        part for part in query(parts.query).split("&") if not part.startswith("api-version=")
    )
    return f"{where}?{rest}" if rest else where


def strip_queries(text: str) -> str:
    """Remove the queries, which may hold signatures, from the URLs in a message of urllib3."""
    return QUERY.sub(rf"?{CUT}", text)


def query(text: str) -> str:
    """Return a query without the values that may be secret: signatures, tokens, continuations."""
    return "&".join(
        f"{name}={value if name.lower() in HARMLESS else CUT}"
        for name, value in parse_qsl(text, keep_blank_values=True)
    )
