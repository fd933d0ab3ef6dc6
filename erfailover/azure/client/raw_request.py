"""Requests that bypass the SDK's models.

``send`` reads by path what the SDK's clients have no call for: permissions, locks, policies,
metrics. Its answer carries the headers and the claims of the access token, never the token.
``list_sdk_rows`` and ``list_path_rows`` read a list as ARM JSON: the SDK makes an object of every
VNet, peering and subnet, which for hundreds of peerings costs more than all else that a switch does
(half a second for 500, observed).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import jwt
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from erfailover.azure.client import deadline as deadlines
from erfailover.azure.client.answers import parse_object, parse_rows
from erfailover.azure.client.bounded_transport import ANSWER_BYTES
from erfailover.azure.client.clients import Clients
from erfailover.errors import AzureErrorKind, AzureFailure


@dataclass(frozen=True, slots=True)
class Answer:
    """What Azure answered.

    Attributes:
        headers: with their names in lower case.
        claims: of the token that was sent: whose it is; empty if it cannot be read.
    """

    body: dict[str, Any]
    headers: Mapping[str, str]
    claims: Mapping[str, Any] = field(default_factory=dict)


def send(
    clients: Clients,
    method: str,
    path: str,
    api_version: str,
    body: Mapping[str, Any] | None,
    query: Mapping[str, str] | None,
) -> Answer:
    """Ask once.

    Raises:
        AzureError: of the SDK; ``Retries`` translates it.
    """
    request = HttpRequest(
        method,
        f"{clients.base_url}{path}",
        params={"api-version": api_version, **(query or {})},
        json=None if body is None else dict(body),
    )
    response = _send(clients, request)
    sent = response.request.headers.get("Authorization", "")
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(parse_object(response), headers, parse_claims(sent))


def _send(clients: Clients, request: HttpRequest) -> Any:
    response = clients.network.send_request(request)
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        raise HttpResponseError(response=response)
    return response


def parse_claims(authorization: str) -> Mapping[str, Any]:
    """Return the claims of a bearer token; empty if it is none that can be read.

    Read, not verified: Azure does that. Access tokens are opaque to a client (published), so
    nothing but what people are shown may rest on this.
    """
    token = authorization.removeprefix("Bearer ")
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return {}
    return claims


PAGES, LIST_BYTES = 500, 4 * ANSWER_BYTES
"""How many pages of a list are read, and how much in all; Azure puts 100 rows or more on one."""


class _Read(Exception):
    """A page was read, and needs not be made objects of."""


def list_sdk_rows(clients: Clients, call: Callable[..., Any], *names: str) -> list[dict[str, Any]]:
    """Return every row of a list of the SDK, page by page, within the deadline of the call.

    The first request is the SDK's own, so the api-version is that of all its other calls: a
    body read is written back, and must not lack what another version would tell.

    Args:
        clients: send the requests for further pages.
        call: the SDK's call of the list.
        names: its arguments.

    Raises:
        AzureError: of the SDK; ``Retries`` translates it.
        AzureFailure: kind SERVER: the list does not end.
        ValueError: a page is none.
    """
    first: list[Any] = []

    def hook(answer: Any) -> None:
        if answer.http_response.status_code == HTTPStatus.OK:
            first.append(answer.http_response)
            raise _Read

    with suppress(_Read):
        next(call(*names, raw_response_hook=hook).by_page(), None)
    return list(_iter_rows(clients, first[0]))


def list_path_rows(
    clients: Clients, path: str, api_version: str, query: Mapping[str, str] | None
) -> list[dict[str, Any]]:
    """Return every row of a list that the SDK's clients have no call for; see ``list_sdk_rows``."""
    params = {"api-version": api_version, **(query or {})}
    first = HttpRequest("GET", f"{clients.base_url}{path}", params=params)
    return list(_iter_rows(clients, _send(clients, first)))


def _iter_rows(clients: Clients, page: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows of a page and of all that follow it."""
    read: set[str] = set()
    size = len(page.content)
    while True:
        body = parse_object(page)
        yield from parse_rows(body)
        link = body.get("nextLink")
        if link is None or link == "":
            return
        if not isinstance(link, str):
            raise ValueError("expected an address under 'nextLink'")
        trouble = (
            "repeats a page"
            if link in read
            else f"has more than {PAGES} pages"
            if len(read) >= PAGES - 1
            else f"is longer than {LIST_BYTES >> 20} MiB"
            if size > LIST_BYTES
            else "takes too long"
            if clients.budget.clock.now() > deadlines.get_deadline()
            else None
        )
        if trouble:
            raise AzureFailure(
                AzureErrorKind.SERVER, f"a list from Azure {trouble}; reading it was stopped"
            )
        read.add(link)
        page = _send(clients, HttpRequest("GET", link))
        size += len(page.content)
