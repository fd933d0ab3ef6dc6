"""Requests and answers as the lab's ARM service sees them, free of any web framework.

Owns the headers of asynchronous operations: which URLs, which ``Retry-After``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from erfailover.lab import timing
from erfailover.lab.errors import Refusal
from erfailover.lab.operations import Operation
from erfailover.lab.world import Body


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``query`` has its names in lower case; ``base`` is scheme, host and port."""

    method: str
    path: str
    query: Mapping[str, str]
    base: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def api_version(self) -> str:
        """The ``api-version`` asked for."""
        return self.query.get("api-version", "")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. It is held back for ``pause_s`` modelled seconds.

    With ``drop`` the connection breaks instead.
    """

    status: int
    body: Body | list[Body] | str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    pause_s: float = 0.0
    code: str = ""
    drop: bool = False


def refused(refusal: Refusal, speed: float | None) -> Answer:
    """The answer that carries a refusal."""
    headers = dict(refusal.headers)
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(refusal.retry_after_s)
        if speed is not None and speed != 1:
            headers["x-ms-retry-after-ms"] = _milliseconds(refusal.retry_after_s, speed)
    return Answer(refusal.status, refusal.body(), headers, code=refusal.code)


def retry_headers(seconds: int, speed: float | None) -> dict[str, str]:
    """How long a client is told to wait before it polls.

    ``Retry-After`` is whole Azure seconds. A clock that runs at a speed answers
    ``x-ms-retry-after-ms`` instead, in wall time: a fraction is not allowed in the former, and
    every client that reads both obeys the former first.
    """
    if speed is None or speed == 1:
        return {"Retry-After": str(seconds)}
    return {"x-ms-retry-after-ms": _milliseconds(seconds, speed)}


def _milliseconds(seconds: float, speed: float) -> str:
    return str(max(10, math.ceil(seconds * 1000 / speed)))


def operation_url(request: Request, operation: Operation, kind: str = "operations") -> str:
    """Where an operation can be looked up; it repeats the request's api-version (recorded)."""
    provider = operation.type.split("/", 1)[0]
    path = f"/subscriptions/{operation.subscription}"
    if provider == "Microsoft.Resources":
        path += f"/operationresults/{operation.id}"
    else:
        path += f"/providers/{provider}/locations/{operation.location}/{kind}/{operation.id}"
    return f"{request.base}{path}?api-version={request.api_version}"


def operation_headers(
    request: Request,
    operation: Operation,
    speed: float | None,
    *,
    asynchronous: bool = True,
    location: bool = False,
) -> dict[str, str]:
    """The headers of an accepted operation (recorded)."""
    headers = {}
    if not operation.done:
        seconds = timing.first_retry_after_s(operation.type, operation.effect)
        headers = retry_headers(seconds, speed)
    compute = operation.type.startswith("Microsoft.Compute")
    if asynchronous:
        headers["Azure-AsyncOperation"] = operation_url(request, operation)
        if operation.notifies:
            headers["azure-asyncnotification"] = "Enabled"
    if location and compute:
        headers["Location"] = operation_url(request, operation) + "&monitor=true"
    elif location:
        headers["Location"] = operation_url(request, operation, "operationResults")
    return headers
