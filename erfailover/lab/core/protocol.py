"""Requests and answers as the lab's ARM service handles them, without a web framework.

Owns the JSON object in a request, and the headers of asynchronous operations: which URLs, which
``Retry-After``, and since which day ``azure-asyncnotification``. Those days are from recordings:
for Microsoft.Compute between 2018-08 and 2019-12; for tracked resources of Microsoft.Network
between 2019-12 and 2020-09; for their children, connections, and updates of VNets and network
interfaces between 2020-12 and 2023-01. The exact days are assumed.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from erfailover.lab.core import errors, timing
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal, RefusalError
from erfailover.lab.core.operations import Operation
from erfailover.lab.core.world import Body

COMPUTE_SINCE = dt.date(2019, 1, 1)
TRACKED_SINCE = dt.date(2020, 3, 1)
ALL_SINCE = dt.date(2021, 1, 1)


@dataclass(frozen=True, slots=True)
class Request:
    """A request. ``query`` has its names in lower case; ``base`` is scheme, host and port."""

    method: str
    path: str
    query: Mapping[str, str]
    base: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def api_version(self) -> str:
        """The requested ``api-version``."""
        return self.query.get("api-version", "")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, held back for ``pause_s`` modelled seconds.

    With ``drop`` the connection breaks instead.
    """

    status: int
    body: Body | list[Body] | str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    pause_s: float = 0.0
    code: str = ""
    drop: bool = False


def answer_refusal(refusal: Refusal, speed: float | None) -> Answer:
    """Return the answer that carries a refusal."""
    headers = dict(refusal.headers)
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(refusal.retry_after_s)
        if speed is not None and speed != 1:
            headers["x-ms-retry-after-ms"] = _to_milliseconds(refusal.retry_after_s, speed)
    return Answer(refusal.status, refusal.to_body(), headers, code=refusal.code)


def build_retry_headers(seconds: int, speed: float | None) -> dict[str, str]:
    """Return the headers that state how long to wait before the next poll.

    ``Retry-After`` is whole Azure seconds. A clock that runs at a speed answers
    ``x-ms-retry-after-ms`` instead, in wall time: a fraction is not allowed in the former, and
    every client that reads both obeys the former first.
    """
    if speed is None or speed == 1:
        return {"Retry-After": str(seconds)}
    return {"x-ms-retry-after-ms": _to_milliseconds(seconds, speed)}


def _to_milliseconds(seconds: float, speed: float) -> str:
    return str(max(10, math.ceil(seconds * 1000 / speed)))


def build_operation_url(request: Request, operation: Operation, kind: str = "operations") -> str:
    """Return an operation's URL, with the request's api-version (recorded)."""
    provider = operation.type.split("/", 1)[0]
    path = f"/subscriptions/{operation.subscription}"
    if provider == "Microsoft.Resources":
        path += f"/operationresults/{operation.id}"
    else:
        path += f"/providers/{provider}/locations/{operation.location}/{kind}/{operation.id}"
    return f"{request.base}{path}?api-version={request.api_version}"


def build_operation_headers(
    request: Request,
    operation: Operation,
    speed: float | None,
    *,
    asynchronous: bool = True,
    location: bool = False,
) -> dict[str, str]:
    """Return the headers of an accepted operation (recorded)."""
    headers = {}
    if not operation.is_done:
        seconds = timing.get_first_retry_after_s(operation.type, operation.effect)
        headers = build_retry_headers(seconds, speed)
    compute = operation.type.startswith("Microsoft.Compute")
    if asynchronous:
        headers["Azure-AsyncOperation"] = build_operation_url(request, operation)
        if operation.notifies:
            headers["azure-asyncnotification"] = "Enabled"
    if location and compute:
        headers["Location"] = build_operation_url(request, operation) + "&monitor=true"
    elif location:
        headers["Location"] = build_operation_url(request, operation, "operationResults")
    return headers


def parse_body(request: Request) -> Body:
    """Return the JSON object of a request; raise the refusal if it is anything else."""
    if not request.body:
        raise RefusalError(errors.content_invalid("The request body is empty"))
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        reason = f"Error parsing JSON: {type(error).__name__}"
        raise RefusalError(errors.content_invalid(reason)) from None
    if not isinstance(body, dict):
        raise RefusalError(errors.content_invalid("The request body must be a JSON object"))
    return body


def has_notification(type_: str, verb: str, today: dt.date) -> bool:
    """Return whether a write's answers carry ``azure-asyncnotification``.

    ``verb`` is create, update, delete or post.
    """
    if type_.startswith(rt.COMPUTE):
        return verb != "post" and today >= COMPUTE_SINCE
    late = rt.is_child(type_) or type_ == rt.CONNECTION
    late = late or (verb == "update" and type_ in {rt.VNET, rt.NIC})
    return today >= (ALL_SINCE if late else TRACKED_SINCE)
