"""How a run reaches its cloud: its credentials and one pool of connections, shared by all clients.

Secrets come from where azure-identity finds them; this module reads none.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import certifi
import requests
from azure.core.credentials import TokenCredential
from azure.identity import (
    AzureCliCredential,
    DefaultAzureCredential,
    EnvironmentCredential,
    WorkloadIdentityCredential,
)
from requests.adapters import HTTPAdapter

from erfailover import __version__
from erfailover.azure.client.bounded_transport import POOLS
from erfailover.azure.client.clouds import AUTHORITY_VARIABLE, Cloud
from erfailover.azure.client.request_log import LoggedTransport
from erfailover.azure.client.shared_credential import SharedCredential
from erfailover.azure.client.tenants import Tenants
from erfailover.model.site import TenantCredential

POOL = 160
"""Connections kept to a host: for as many writes as are in flight at once, and readings. With the
SDK's default of 10, every further request of a run opens a new connection and then drops it."""

CONNECT_S, ANSWER_S = 15.0, 60.0
"""How long an answer is waited for, in wall seconds. The SDK's 300 s would outlast a deadline;
the slowest first answer known is a gateway's, 8 s (recorded)."""

AZ_S = 30
"""How long az, and the other programs of a developer's machine, may take to give a token."""


def build_user_agent(ticket: str | None = None) -> str:
    """Return what a run says that it is: its version, and the ticket that it belongs to."""
    product = f"erfailover/{__version__}"
    return f"{product} ticket/{ticket}" if ticket else product


class OneContextAdapter(HTTPAdapter):
    """Connections that share one TLS context.

    requests has each connection make its own context and read the certificate authorities
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
            text = verify if isinstance(verify, str) else certifi.where()
            where = str(self._authorities or text)
            if where not in self._contexts:
                self._contexts[where] = _build_tls_context(where)
            pool["ssl_context"] = self._contexts[where]
        return host, pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing is left to do: the context has the authorities."""


def _build_tls_context(authorities: str) -> ssl.SSLContext:
    """Return a context that trusts the authorities of a file or folder.

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
    """What the clients of a run share: the credentials, and the session with its connections.

    Args:
        cloud: how to reach it.
        tenants: the tenants to sign in to beside that of the credential, and by which credential.
        agent: what the clients say that they are, before the SDK's own name.
    """

    def __init__(
        self,
        cloud: Cloud,
        tenants: Mapping[str, TenantCredential] = MappingProxyType({}),
        agent: str | None = None,
    ) -> None:
        self.cloud = cloud
        self.agent = agent or build_user_agent()
        self._session = requests.Session()
        for scheme in ("https://", "http://"):  # a managed identity's tokens come over HTTP
            self._session.mount(scheme, OneContextAdapter(cloud.ca, pool_maxsize=POOL))
        home = SharedCredential(self._build_default_credential)
        self.tenants = Tenants(
            cloud,
            self.build_transport(cloud.endpoint),
            home,
            tenants,
            self._build_tenant_credential,
        )

    @property
    def credential(self) -> SharedCredential:
        """The credential that signs in, unless a tenant has its own."""
        return self.tenants.home

    def build_transport(
        self, base: str | None, connect_s: float = CONNECT_S, answer_s: float = ANSWER_S
    ) -> LoggedTransport:
        """Return a transport on the shared session, with the environment's proxies.

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
        self.tenants.close()
        self._session.close()

    def _build_default_credential(self, **options: Any) -> TokenCredential:
        """azure-identity's whole chain, at this cloud's authority."""
        with _set_variable(AUTHORITY_VARIABLE, self.cloud.authority):
            return DefaultAzureCredential(process_timeout=AZ_S, **self._settings, **options)

    def _build_tenant_credential(self, tenant: str, kind: TenantCredential) -> TokenCredential:
        """Return a credential that gives tokens of a tenant, from where its kind says."""
        others = {"additionally_allowed_tenants": [tenant]}
        with _set_variable(AUTHORITY_VARIABLE, self.cloud.authority):
            match kind:
                case "azure-cli":
                    return AzureCliCredential(tenant_id=tenant, process_timeout=AZ_S)
                case "environment":
                    return EnvironmentCredential(**self._settings, **others)
                case "workload-identity":
                    return WorkloadIdentityCredential(tenant_id=tenant, **self._settings)
                case "default":
                    return self._build_default_credential(
                        workload_identity_tenant_id=tenant, **others
                    )

    @property
    def _settings(self) -> dict[str, Any]:
        return {
            "authority": self.cloud.authority,
            "disable_instance_discovery": self.cloud.private_authority,
            "transport": self.build_transport(None),  # these requests carry no token
        }


@contextmanager
def _set_variable(name: str, value: str) -> Iterator[None]:
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
