"""How a run reaches its cloud: one credential and one pool of connections, shared by all clients.

Secrets come from where azure-identity finds them; this module reads none and keeps none but the
tokens it was given, in memory.
"""

from __future__ import annotations

import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import certifi
import requests
from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.identity import DefaultAzureCredential
from requests.adapters import HTTPAdapter

from erfailover.azure.client.bounded_transport import POOLS
from erfailover.azure.client.clouds import AUTHORITY_VARIABLE, Cloud
from erfailover.azure.client.request_log import LoggedTransport

log = logging.getLogger("erfailover.azure.access")

POOL = 160
"""Connections kept to a host: for as many writes as are in flight at once, and readings. The SDK's
own 10 make every further request of a run open, and then drop, one of its own."""

CONNECT_S, ANSWER_S = 15.0, 60.0
"""How long an answer is waited for, in wall seconds. The SDK's 300 s would outlast a deadline;
the slowest first answer known is a gateway's, 8 s (recorded)."""

FRESH_S = 300.0
"""A token is replaced when it has less than this left, as azure-core does."""

AGAIN_S = 30.0
"""How soon a token is asked for again after the authority failed, while the old one lasts."""

FAILED_S = 5.0
"""How long the chain's failure is everybody's answer: many threads ask at once, and a chain that
has nothing to try with takes seconds."""

CLOSE_S = 0.2
"""How long the end of a command waits for a thread that asks for a token."""

AZ_S = 30
"""How long az, and the other programs of a developer's machine, may take to give a token."""


class SharedCredential:
    """One credential for every client of a run; renewed as a whole.

    Keeps each token until it runs out, so that az is started once and not once a client, and
    asks once where many threads need one. While the authority fails, a token that is still valid
    goes on serving, and without one the failure is told to all who asked.
    """

    def __init__(self, make: Callable[[], TokenCredential]) -> None:
        self._make = make
        self._inner: TokenCredential | None = None
        self._old: list[TokenCredential] = []
        self._tokens: dict[tuple[object, ...], AccessToken] = {}
        self._again_at = 0.0
        self._failed: tuple[float, AzureError] | None = None
        self._lock = threading.Lock()

    def get_token(
        self, *scopes: str, claims: str | None = None, tenant_id: str | None = None, **kwargs: Any
    ) -> AccessToken:
        """A token for the scopes, as the SDK's clients ask for one.

        Raises:
            ClientAuthenticationError: no credential of the chain gives one.
        """
        key = (scopes, tenant_id, tuple(sorted(kwargs.items())))
        with self._lock:
            kept = self._tokens.get(key)
            left_s = kept.expires_on - time.time() if kept else 0.0
            if kept and not claims and (left_s > FRESH_S or _lasts(left_s, self._again_at)):
                return kept
            if self._failed and time.monotonic() - self._failed[0] < FAILED_S and not kept:
                raise ClientAuthenticationError(message=str(self._failed[1]))
            try:
                token = self._credential().get_token(
                    *scopes, claims=claims, tenant_id=tenant_id, **kwargs
                )
            except AzureError as error:
                if kept is None or claims or left_s <= AGAIN_S:
                    self._failed = (time.monotonic(), error)
                    raise
                self._again_at = time.monotonic() + AGAIN_S
                log.warning("no fresh token; the one at hand lasts %.0f s: %s", left_s, error)
                return kept
            self._tokens[key] = token
            self._failed = None
            return token

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

    def _credential(self) -> TokenCredential:
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
        self._failed = None


class OneContextAdapter(HTTPAdapter):
    """Connections that share one TLS context.

    requests has each connection make a context of its own and read the certificate authorities
    into it, which takes more of the processor than the request (seen by running it).
    """

    def __init__(self, authorities: Path | None, **kwargs: Any) -> None:
        self._authorities = authorities
        self._contexts: dict[str, ssl.SSLContext] = {}
        super().__init__(**kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """As requests does, with connections whose answers are bounded."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """As requests does, with connections whose answers are bounded."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """As requests does, with the context instead of the authorities' file."""
        host, pool = super().build_connection_pool_key_attributes(request, True, cert)
        if host["scheme"] == "https":
            told = verify if isinstance(verify, str) else certifi.where()
            where = str(self._authorities or told)
            if where not in self._contexts:
                self._contexts[where] = _context(where)
            pool["ssl_context"] = self._contexts[where]
        return host, pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing is left to do: the context has the authorities."""


def _context(authorities: str) -> ssl.SSLContext:
    """A context that trusts the authorities of a file or folder.

    Raises:
        OSError: there is no such file, or it holds no certificate.
    """
    path = Path(authorities)
    try:
        if path.is_dir():
            return ssl.create_default_context(capath=authorities)
        return ssl.create_default_context(cafile=authorities)
    except (OSError, ssl.SSLError) as error:
        raise OSError(
            f"Could not find a suitable TLS CA certificate bundle: {authorities}: {error}"
        ) from error


class Access:
    """What the clients of a run share: the credential, and the session with its connections."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._session = requests.Session()
        for scheme in ("https://", "http://"):  # a managed identity's tokens come over HTTP
            self._session.mount(scheme, OneContextAdapter(cloud.ca, pool_maxsize=POOL))
        self.credential = SharedCredential(self._chain)

    def transport(
        self, base: str | None, connect_s: float = CONNECT_S, answer_s: float = ANSWER_S
    ) -> LoggedTransport:
        """A transport on the shared session, which outlives it. Proxies are the environment's.

        Args:
            base: the URL to whose host and its subdomains requests may go; None for any.
            connect_s: how long a connection may take, in wall seconds.
            answer_s: how long the first byte of an answer may take, in wall seconds.
        """
        return LoggedTransport(
            base,
            session=self._session,
            session_owner=False,
            connection_timeout=connect_s,
            read_timeout=answer_s,
            connection_verify=str(self.cloud.ca) if self.cloud.ca else True,
        )

    def close(self) -> None:
        """Close every connection that was opened."""
        self.credential.close()
        self._session.close()

    def _chain(self) -> TokenCredential:
        """azure-identity's whole chain, at this cloud's authority."""
        with _variable(AUTHORITY_VARIABLE, self.cloud.authority):
            return DefaultAzureCredential(
                authority=self.cloud.authority,
                disable_instance_discovery=self.cloud.private_authority,
                process_timeout=AZ_S,
                transport=self.transport(None),  # these requests carry no token
            )


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    """Set a variable of this process for a moment.

    ``DefaultAzureCredential`` hands its ``authority`` to some credentials of its chain only;
    workload identity reads the variable when it is made (azure-identity 1.27, seen by running it).
    """
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def _lasts(left_s: float, again_at: float) -> bool:
    """Whether a token is still good, and the authority was asked for another just now."""
    return left_s > AGAIN_S and time.monotonic() < again_at
