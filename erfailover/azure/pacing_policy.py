"""Lets every request of a client take its share of the run's budget, and heed the answers."""

from __future__ import annotations

from typing import Any

from azure.core.pipeline.policies import SansIOHTTPPolicy

from erfailover.azure.pacing import Budget, used_up


class PacingPolicy(SansIOHTTPPolicy):  # type: ignore[type-arg]
    """Waits for a token before a request is sent."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def on_request(self, request: Any) -> None:
        """Take a token, and wait until it is there."""
        sent = request.http_request
        self._budget.take(sent.method, sent.url)

    def on_response(self, request: Any, response: Any) -> None:
        """Note what is left, and a refusal for asking too much.

        A 429 with tokens left in the bucket is another matter: contention, or a limit of
        Microsoft.Network's, which the one that met it waits out.
        """
        sent, answer = request.http_request, response.http_response
        self._budget.told(sent.method, sent.url, answer.headers)
        told = answer.headers.get("Retry-After", "")
        if answer.status_code == 429 and told.isdecimal() and used_up(answer.headers):
            self._budget.refused(sent.method, sent.url, float(told))
