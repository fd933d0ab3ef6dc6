"""Credentials and clients, for the public cloud or any endpoint of another.

Secrets come from where azure-identity finds them; this module reads none and keeps none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from azure.core.rest import HttpRequest
from azure.identity import DefaultAzureCredential
from azure.mgmt.network import NetworkManagementClient

PUBLIC = "https://management.azure.com"
CONNECT_S, ANSWER_S = 15, 60
"""How long an answer is waited for, in wall seconds. The SDK's 300 s would outlast a deadline;
the slowest first answer known is a gateway's, 8 s (recorded)."""


@dataclass
class Clients:
    """One credential and the SDK's clients on it, each made when first used.

    Attributes:
        subscription: the subscription's id.
        endpoint: the management endpoint of another cloud or a lab; None for the public cloud.
    """

    subscription: str
    endpoint: str | None = None

    @cached_property
    def credential(self) -> DefaultAzureCredential:
        """azure-identity's whole chain."""
        return DefaultAzureCredential()

    @cached_property
    def network(self) -> NetworkManagementClient:
        """Microsoft.Network."""
        return NetworkManagementClient(self.credential, self.subscription, **self._settings)

    @cached_property
    def compute(self) -> Any:
        """Microsoft.Compute, loaded only where a command needs machines."""
        from azure.mgmt.compute import ComputeManagementClient

        return ComputeManagementClient(self.credential, self.subscription, **self._settings)

    @cached_property
    def resource(self) -> Any:
        """Microsoft.Resources, loaded only where a command needs resource groups."""
        from azure.mgmt.resource.resources import ResourceManagementClient

        return ResourceManagementClient(self.credential, self.subscription, **self._settings)

    @property
    def base_url(self) -> str:
        """The management endpoint, without a slash at its end."""
        return (self.endpoint or PUBLIC).rstrip("/")

    def get_url(self, url: str) -> dict[str, Any]:
        """GET a URL of the management endpoint, as Azure gave it; its JSON, empty for none.

        The SDK can only re-attach by a token that embeds the first answer, secrets and all, so
        an operation that another process began is watched by its URL.
        """
        answer = self.network.send_request(HttpRequest("GET", url))
        if answer.status_code == 404:
            return {}
        answer.raise_for_status()
        return answer.json() if answer.text() else {}

    def close(self) -> None:
        """Close every connection that was opened."""
        for name in ("network", "compute", "resource", "credential"):
            if name in self.__dict__:
                self.__dict__[name].close()

    @property
    def _settings(self) -> Mapping[str, Any]:
        settings: dict[str, Any] = {
            "retry_total": 0,
            "connection_timeout": CONNECT_S,
            "read_timeout": ANSWER_S,
        }
        if self.endpoint:
            scopes = [f"{self.base_url}/.default"]
            settings |= {"base_url": self.base_url, "credential_scopes": scopes}
        return settings
