"""The SDK's clients of one subscription, each made when it is first used.

Credential and connections are the run's (``access``); nothing here owns any.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from azure.core.rest import HttpRequest
from azure.mgmt.network import NetworkManagementClient

from erfailover.azure.client.clouds import ENDPOINT_VARIABLE, resolve
from erfailover.azure.client.rate_limits import Budget, PacingPolicy
from erfailover.azure.client.access import Access


def access_to(endpoint: str | None) -> Access:
    """Access to a management endpoint, with the environment's authority; None for the public."""
    environment = dict(os.environ)
    environment.pop(ENDPOINT_VARIABLE, None)
    if endpoint:
        environment[ENDPOINT_VARIABLE] = endpoint
    return Access(resolve("public", environment))


@dataclass
class Clients:
    """The SDK's clients for a subscription.

    Attributes:
        subscription: the subscription's id.
        endpoint: the management endpoint, where no access is given; None for the public cloud.
        access: the credential and connections of the run; made for these clients where not given.
        budget: what the run may ask; every request takes its share. No limit where not given.
    """

    subscription: str
    endpoint: str | None = None
    access: Access | None = field(default=None, repr=False)
    budget: Budget | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._owned = self.access is None
        self._access = self.access or access_to(self.endpoint)

    @cached_property
    def network(self) -> NetworkManagementClient:
        """Microsoft.Network."""
        return NetworkManagementClient(self._access.credential, self.subscription, **self._settings)

    @cached_property
    def compute(self) -> Any:
        """Microsoft.Compute, loaded only where a command needs machines."""
        from azure.mgmt.compute import ComputeManagementClient

        return ComputeManagementClient(self._access.credential, self.subscription, **self._settings)

    @cached_property
    def resource(self) -> Any:
        """Microsoft.Resources, loaded only where a command needs resource groups."""
        from azure.mgmt.resource.resources import ResourceManagementClient

        return ResourceManagementClient(
            self._access.credential, self.subscription, **self._settings
        )

    @property
    def base_url(self) -> str:
        """The management endpoint, without a slash at its end."""
        return self._access.cloud.endpoint

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
        """Close the clients that were made, and the access where it is theirs alone."""
        for name in ("network", "compute", "resource"):
            if name in self.__dict__:
                self.__dict__[name].close()
        if self._owned:
            self._access.close()

    @property
    def _settings(self) -> Mapping[str, Any]:
        cloud = self._access.cloud
        return {
            "base_url": cloud.endpoint,
            "credential_scopes": [cloud.scope],
            "transport": self._access.transport(),
            "retry_total": 0,
            "per_call_policies": [PacingPolicy(self.budget)] if self.budget else [],
        }
