"""The api-version that requests carry: the SDK's, or the one in the site file.

The SDK's clients have no setting for it (azure-mgmt-network 33.1: each call has its own
version), so a policy writes it into the URL. URLs that Azure gave, of operations, stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from azure.core.pipeline.policies import SansIOHTTPPolicy

PATHS = {
    "network": re.compile(
        r"/providers/Microsoft\.Network/(?!locations/)(?!.*/providers/)", re.IGNORECASE
    ),
    "compute": re.compile(
        r"/providers/Microsoft\.Compute/virtualMachines\b(?!.*/providers/)", re.IGNORECASE
    ),
}
"""Which paths are of which key of ``cloud.api_versions``: the last provider of the path counts."""

STOP = "stop_with_url"
"""The option of a call that is stopped once its URL is known, before it is given a token."""

_VERSION = re.compile(r"(?<=[?&]api-version=)[^&]*", re.IGNORECASE)


class ApiVersionPolicy(SansIOHTTPPolicy):  # type: ignore[type-arg]
    """Sets the api-version of each request whose provider has one."""

    def __init__(self, versions: Mapping[str, str]) -> None:
        self._versions = versions

    def on_request(self, request: Any) -> None:
        """Replace the version in the URL."""
        path = request.http_request.url.partition("?")[0]
        for key, version in self._versions.items():
            if PATHS[key].search(path):
                sent = request.http_request
                sent.url = _VERSION.sub(version, sent.url)
        stop = request.context.options.pop(STOP, None)
        if stop is not None:
            stop(request.http_request.url)


class _NotSent(Exception):
    """A request that was stopped once its URL was known."""


def find_version(call: Callable[..., Any]) -> str:
    """Return the api-version with which a call of the SDK would be sent; nothing is sent.

    Args:
        call: one that takes the names of a resource group and a resource.
    """
    urls: list[str] = []

    def stop(url: str) -> None:
        urls.append(url)
        raise _NotSent

    with suppress(_NotSent):
        call("group", "name", **{STOP: stop})
    match = _VERSION.search(urls[0])
    return match.group() if match else ""
