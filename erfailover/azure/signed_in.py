"""Who is signed in, and what the subscription is called: shown to people, and no write waits.

Both come from a separate thread, beside the readings of the command. The name costs one
request, which is not repeated. Whatever fails leaves a name empty.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from azure.core.rest import HttpRequest

from erfailover.azure.client.access import Access
from erfailover.azure.client.answers import parse
from erfailover.azure.client.raw_request import parse_claims
from erfailover.azure.client.tenants import SUBSCRIPTIONS_API
from erfailover.model.azure_context import VisibleSubscription, to_one_line

log = logging.getLogger("erfailover.azure.signed_in")

ASK_S = 5.0
"""How long a connection and an answer may take, in wall seconds."""
PATIENCE_S = 2.0
"""How long the first message waits for both, in wall seconds since they were asked for."""


class SignedIn:
    """What is known so far of the identity and the subscription.

    Args:
        access: gives the token and the connection.
        subscription: the subscription's id; empty for none.
        asks_name: whether the subscription's name is asked for.
    """

    def __init__(self, access: Access, subscription: str, *, asks_name: bool) -> None:
        self.claims: Mapping[str, Any] = {}
        self.subscription_name = ""
        self._access, self._subscription = access, subscription
        self._asks_name = asks_name and bool(subscription)
        self._began_s = time.monotonic()
        self._ended = threading.Event()
        threading.Thread(target=self._look_up, name="signed-in", daemon=True).start()

    def wait(self) -> None:
        """Wait until both are known or failed, or ``PATIENCE_S`` have passed since the start."""
        self._ended.wait(max(0.0, self._began_s + PATIENCE_S - time.monotonic()))

    def _look_up(self) -> None:
        try:
            tenants = self._access.tenants
            several = tenants.are_several and self._subscription
            credential = tenants.get_credential(self._subscription) if several else tenants.home
            token = credential.get_token(self._access.cloud.scope).token
            self.claims = parse_claims(token)
            if self._asks_name:
                self.subscription_name = self._read_name(token)
        except Exception as error:  # the command says what is wrong with its own requests
            log.debug("the identity or the name of the subscription is unknown: %s", error)
        finally:
            self._ended.set()

    def _read_name(self, token: str) -> str:
        row = _ask(self._access, f"/subscriptions/{self._subscription}", token)
        return str(row.get("displayName") or "")


def list_subscriptions(access: Access) -> tuple[VisibleSubscription, ...] | None:
    """Return the subscriptions that the identity sees, by one request; None if it fails."""
    try:
        token = access.credential.get_token(access.cloud.scope).token
        rows = _ask(access, "/subscriptions", token)["value"]
        return tuple(
            VisibleSubscription(
                str(row["subscriptionId"]), to_one_line(row.get("displayName") or "")
            )
            for row in rows
        )
    except Exception as error:  # it is a hint beside a failure, which counts
        log.debug("the subscriptions of the identity are unknown: %s", error)
        return None


def _ask(access: Access, path: str, token: str) -> dict[str, Any]:
    """Return what Azure answers to one GET; no clients are needed, and nothing is repeated."""
    endpoint = access.cloud.endpoint
    request = HttpRequest(
        "GET",
        f"{endpoint}{path}",
        params={"api-version": SUBSCRIPTIONS_API},
        headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
    )
    answer = access.build_transport(endpoint, ASK_S, ASK_S).send(request)
    value = parse(answer.read())
    return value if isinstance(value, dict) else {}
