"""A credential that several clients share: its tokens are kept in memory, and nowhere else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError

from erfailover.errors import AzureFailure

log = logging.getLogger("erfailover.azure.access")

FRESH_S = 300.0
"""A token is replaced when it has less than this left, as azure-core does."""

AGAIN_S = 30.0
"""How soon a token is asked for again after the authority failed, while the old one lasts."""

LATEST = 1 << 40
"""No token lasts longer, in seconds since 1970: 36,000 years are a fault of the authority."""

CLOSE_S = 0.2
"""How long the end of a command waits for a thread that asks for a token."""


class SharedCredential:
    """One credential for every client of a run; renewed as a whole.

    Keeps each token until it runs out, so that az is started once and not once a client, and
    asks once if many threads need one. While the authority fails, a token that is still valid
    goes on serving; without one, a failure is the answer to all threads that waited for it, because
    a chain that has nothing to try takes seconds. A thread that asks later causes a new attempt.
    """

    def __init__(self, make: Callable[[], TokenCredential]) -> None:
        self._make = make
        self._inner: TokenCredential | None = None
        self._old: list[TokenCredential] = []
        self._tokens: dict[tuple[object, ...], AccessToken] = {}
        self._again_at = 0.0
        self._failures = 0
        self._failure: AzureError | None = None
        self._lock = threading.Lock()

    def get_token(
        self, *scopes: str, claims: str | None = None, tenant_id: str | None = None, **kwargs: Any
    ) -> AccessToken:
        """Return a token for the scopes, as the SDK's clients ask for one.

        Raises:
            ClientAuthenticationError: no credential of the chain gives a token that can be used.
        """
        key = (scopes, tenant_id, tuple(sorted(kwargs.items())))
        failures = self._failures
        with self._lock:
            items = self._tokens.get(key)
            left_s = items.expires_on - time.time() if items else 0.0
            if items and not claims and (left_s > FRESH_S or _is_fresh(left_s, self._again_at)):
                return items
            if self._failure is not None and self._failures != failures and not items:
                raise ClientAuthenticationError(message=str(self._failure))
            try:
                token = _insist_on_token(
                    self._get_credential().get_token(
                        *scopes, claims=claims, tenant_id=tenant_id, **kwargs
                    )
                )
            except AzureError as error:
                if items is None or claims or left_s <= AGAIN_S:
                    self._failures += 1
                    self._failure = error
                    raise
                self._again_at = time.monotonic() + AGAIN_S
                log.warning("no fresh token; the one at hand lasts %.0f s: %s", left_s, error)
                return items
            self._tokens[key] = token
            self._failure = None
            return token

    def get_cached_token(self, scope: str) -> AccessToken | None:
        """Return a token that is in memory, and ask for none."""
        tokens = self._tokens.copy().items()
        return next((token for (scopes, *_), token in tokens if scopes == (scope,)), None)

    def ensure(self, scope: str, lasts_s: float) -> None:
        """Have a token in memory that lasts so long; a shorter one does if no other can be had.

        A credential gives the token that it keeps until this has almost run out, so a fresh one is
        made for it.

        Raises:
            AzureError, AzureFailure: there is none that lasts ``FRESH_S``.
        """
        left_s = self.get_token(scope).expires_on - time.time()
        if left_s >= lasts_s:
            return
        with self._lock:
            by_name = dict(self._tokens)
            self._forget()
        try:
            self.get_token(scope)
        except (AzureError, AzureFailure) as error:
            if left_s < FRESH_S:
                raise
            log.warning("no fresh token; the one at hand lasts %.0f s: %s", left_s, error)
            with self._lock:
                self._tokens = {**by_name, **self._tokens}
                self._failure = None

    def renew(self) -> None:
        """Forget the credential and its tokens: a 401 is not cured by the old ones."""
        with self._lock:
            self._forget()

    def close(self) -> None:
        """Close every credential that was made.

        A thread that still asks a silent authority keeps the lock; it is not waited for.
        """
        if not self._lock.acquire(timeout=CLOSE_S):
            return
        try:
            self._forget()
            while self._old:
                close = getattr(self._old.pop(), "close", None)
                if close:
                    close()
        finally:
            self._lock.release()

    def _get_credential(self) -> TokenCredential:
        if self._inner is None:
            try:
                self._inner = self._make()
            except (ValueError, OSError) as error:
                raise ClientAuthenticationError(
                    message=f"the credential cannot be set up: {error}"
                ) from error
        return self._inner

    def _forget(self) -> None:
        if self._inner is not None:
            self._old.append(self._inner)
        self._inner = None
        self._tokens.clear()
        self._again_at = 0.0
        self._failure = None


def _insist_on_token(token: AccessToken) -> AccessToken:
    """Return a token; the SDK passes on whatever the authority has answered.

    Raises:
        ClientAuthenticationError: it is none.
    """
    is_text = isinstance(token.token, str) and token.token.isascii() and token.token.isprintable()
    is_time = isinstance(token.expires_on, int) and 0 <= token.expires_on < LATEST
    if not (is_text and token.token and is_time):
        raise ClientAuthenticationError(
            message="the authority answered a sign-in without a usable access token"
        )
    return token


def _is_fresh(left_s: float, again_at: float) -> bool:
    """Whether a token is still good, and the authority was asked for another just now."""
    return left_s > AGAIN_S and time.monotonic() < again_at
