"""The list of a subscription's VNets as ARM JSON, without a model made of each.

The SDK makes an object of every VNet, peering and subnet on a page, which for hundreds of peerings
costs more than all else that a switch does (half a second for 500, seen by running it).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from azure.core.rest import HttpRequest

from erfailover.azure.clients import Clients


class _Read(Exception):
    """A page was read, and needs not be made objects of."""


def rows_of_pages(clients: Clients) -> list[dict[str, Any]]:
    """Every row of the list, page by page.

    The first request is the SDK's own, so the api-version is that of all its other calls: a
    body read is written back, and must not lack what another version would tell.

    Raises:
        AzureError: of the SDK; ``cloud`` translates it.
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
