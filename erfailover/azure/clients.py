"""Credentials and clients, for the public cloud or any endpoint of another.

Secrets come from where azure-identity finds them; this module reads none and keeps none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from azure.identity import DefaultAzureCredential
from azure.mgmt.network import NetworkManagementClient


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

    def close(self) -> None:
        """Close every connection that was opened."""
        for name in ("network", "compute", "resource", "credential"):
            if name in self.__dict__:
                self.__dict__[name].close()

    @property
    def _settings(self) -> Mapping[str, Any]:
        settings: dict[str, Any] = {"retry_total": 0}
        if self.endpoint:
            endpoint = self.endpoint.rstrip("/")
            settings |= {"base_url": endpoint, "credential_scopes": [f"{endpoint}/.default"]}
        return settings
