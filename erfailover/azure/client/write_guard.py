"""The last check before a changing request is sent.

It runs after pacing and authentication, immediately before the transport: a lease that is lost
while the request waits for a token of either kind stops the request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from azure.core.pipeline.policies import SansIOHTTPPolicy

from erfailover.errors import Failure

Guard = Callable[[], None]
"""Raises if a write must not be sent."""


class WriteGuardPolicy(SansIOHTTPPolicy):  # type: ignore[type-arg]
    """Consults a guard immediately before each changing request.

    Without a guard, the clients are for reading: PUT, PATCH and DELETE are refused. POST passes,
    because Azure reads gateway tables and machines with POST. With a guard, POST is guarded too.
    """

    def __init__(self, guard: Guard | None) -> None:
        self._guard = guard

    def on_request(self, request: Any) -> None:
        """Let the request pass, or raise.

        Raises:
            Failure: a client for reading was used to write.
        """
        method = request.http_request.method
        if self._guard is not None:
            if method not in ("GET", "HEAD"):
                self._guard()
        elif method in ("PUT", "PATCH", "DELETE"):
            raise Failure(f"a {method} without a lease was stopped", "This is a bug in erfailover.")
