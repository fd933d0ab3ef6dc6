"""Requests that bypass the SDK's models.

``send`` reads by path what the SDK's clients have no call for: permissions, locks, policies,
metrics. Its answer carries the headers and the claims of the access token, never the token.
``rows_of_pages`` lists the VNets of a subscription as ARM JSON: the SDK makes an object of every
VNet, peering and subnet, which for hundreds of peerings costs more than all else that a switch
does (half a second for 500, seen by running it).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import jwt
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from erfailover.azure.client.clients import Clients


@dataclass(frozen=True, slots=True)
class Answer:
    """What Azure answered.

    Attributes:
        headers: with their names in lower case.
        claims: of the token that was sent: whose it is; empty where it cannot be read.
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
    response = clients.network.send_request(request)
    if response.status_code >= 400:
        raise HttpResponseError(response=response)
    sent = response.request.headers.get("Authorization", "")
    headers = {name.lower(): value for name, value in response.headers.items()}
    found = response.json() if response.text() else {}
    return Answer(found if isinstance(found, dict) else {}, headers, claims(sent))


def claims(authorization: str) -> Mapping[str, Any]:
    """The claims of a bearer token; empty where it is none that can be read.

    Read, not verified: Azure does that. Access tokens are opaque to a client (published), so
    nothing but what people are shown may rest on this.
    """
    token = authorization.removeprefix("Bearer ")
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return {}
    return claims


class _Read(Exception):
    """A page was read, and needs not be made objects of."""


def rows_of_pages(clients: Clients) -> list[dict[str, Any]]:
    """Every row of the list, page by page.

    The first request is the SDK's own, so the api-version is that of all its other calls: a
    body read is written back, and must not lack what another version would tell.

    Raises:
        AzureError: of the SDK; ``Retries`` translates it.
    """
    pages: list[dict[str, Any]] = []

    def hook(answer: Any) -> None:
        if answer.http_response.status_code == 200:
            pages.append(answer.http_response.json())
            raise _Read

    listed = clients.network.virtual_networks.list_all(raw_response_hook=hook)
    with suppress(_Read):
        next(listed.by_page(), None)
    while link := pages[-1].get("nextLink"):
        answer = clients.network.send_request(HttpRequest("GET", link))
        answer.raise_for_status()
        pages.append(answer.json())
    return [row for page in pages for row in page.get("value") or []]
