"""The SDK's clients of one subscription, each made when it is first used.

Credential and connections are the run's (``access``); nothing here owns any.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.rest import HttpRequest
from azure.mgmt.network import NetworkManagementClient

from erfailover.azure.client.access import Access
from erfailover.azure.client.answers import parse_object
from erfailover.azure.client.api_versions import ApiVersionPolicy, find_version
from erfailover.azure.client.rate_limits import PacingPolicy, RateLimiter
from erfailover.azure.client.tenants import PeerTenantPolicy
from erfailover.azure.client.write_guard import Guard, WriteGuardPolicy


@dataclass
class Clients:
    """The SDK's clients for a subscription.

    Attributes:
        subscription: the subscription's id.
        access: the credential and connections of the run.
        budget: what the run may ask; every request takes its share.
        guard: consulted immediately before a write is sent; None for clients that only read.
    """

    subscription: str
    access: Access = field(repr=False)
    budget: RateLimiter = field(repr=False)
    guard: Guard | None = None

    @cached_property
    def network(self) -> NetworkManagementClient:
        """Microsoft.Network."""
        return NetworkManagementClient(self._credential, self.subscription, **self._settings)

    @cached_property
    def compute(self) -> Any:
        """Microsoft.Compute, loaded only where a command needs machines."""
        from azure.mgmt.compute import ComputeManagementClient

        return ComputeManagementClient(self._credential, self.subscription, **self._settings)

    @cached_property
    def resource(self) -> Any:
        """Microsoft.Resources, loaded only where a command needs resource groups."""
        from azure.mgmt.resource.resources import ResourceManagementClient

        return ResourceManagementClient(self._credential, self.subscription, **self._settings)

    @property
    def base_url(self) -> str:
        """The management endpoint, without a slash at its end."""
        return self.access.cloud.endpoint

    def get_url(self, url: str) -> dict[str, Any]:
        """GET a URL of the management endpoint, as Azure gave it; its JSON, empty for none.

        The SDK can only re-attach by a token that embeds the first answer, secrets and all, so
        an operation that another process began is watched by its URL.
        """
        answer = self.network.send_request(HttpRequest("GET", url))
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return {}
        answer.raise_for_status()
        return parse_object(answer)

    def get_api_version(self, provider: str) -> str:
        """Return the api-version that requests carry: of ``network`` or ``compute``."""
        if provider == "compute":
            return find_version(self.compute.virtual_machines.get)
        return find_version(self.network.virtual_networks.get)

    def close(self) -> None:
        """Close the clients that were made."""
        for name in ("network", "compute", "resource"):
            if name in self.__dict__:
                self.__dict__[name].close()

    @property
    def _credential(self) -> TokenCredential:
        return self.access.tenants.build_credential(self.subscription)

    @property
    def _settings(self) -> Mapping[str, Any]:
        cloud, tenants = self.access.cloud, self.access.tenants
        across = [PeerTenantPolicy(tenants, cloud.scope)] if tenants.are_several else []
        return {
            "base_url": cloud.endpoint,
            "credential_scopes": [cloud.scope],
            "transport": self.access.build_transport(cloud.endpoint),
            "retry_total": 0,
            "user_agent": self.access.agent,
            "per_call_policies": [
                ApiVersionPolicy(cloud.api_versions),
                PacingPolicy(self.budget),
                *across,
            ],
            # The SDK puts this one last, right before the transport, which does the logging.
            "http_logging_policy": WriteGuardPolicy(self.guard),
        }
