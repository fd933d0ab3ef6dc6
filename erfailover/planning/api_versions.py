"""Which api-versions a site's requests should carry. Pure.

Microsoft.Network's versions arrive region by region and later in other clouds (reported:
azure-powershell 10299 and 12061, azure-cli 28496), while the SDK sends the version of the day on
which it was made. Chosen is the newest version that the providers list for every type that is used
and that erfailover's tests were run with; not an older one for safety, because Azure refuses a
write by an older version than the one that set a property.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from erfailover.planning.provision.offers import normalize_region

PROVIDERS = {"network": "Microsoft.Network", "compute": "Microsoft.Compute"}
"""The keys of ``cloud.api_versions``, and the provider that each is of."""

TYPES = {
    "network": (
        "virtualNetworks",
        "virtualNetworks/virtualNetworkPeerings",
        "virtualNetworkGateways",
        "connections",
        "localNetworkGateways",
    ),
    "compute": ("virtualMachines",),
}
"""The types without which a switch, or a probe on a machine, cannot work."""

TESTED = {
    "network": (
        "2024-05-01",
        "2024-07-01",
        "2024-10-01",
        "2025-01-01",
        "2025-03-01",
        "2025-05-01",
        "2025-07-01",
        "2026-03-01",
    ),
    "compute": ("2024-07-01", "2024-11-01", "2025-04-01", "2025-11-01", "2026-04-01"),
}
"""Versions with which the tests switch and probe, on the lab; oldest first."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a provider lists for one resource type: its versions, and regions in Azure's words."""

    versions: tuple[str, ...]
    locations: tuple[str, ...]


Offers = Mapping[str, Offer]
"""What a provider lists in one subscription, by type in lower case."""


@dataclass(frozen=True, slots=True)
class ApiVersions:
    """The api-versions of a site.

    Attributes:
        offers: what each provider lists, in each subscription of the site.
        regions: where the site's VNets are.
        used: the version that requests carry, by provider.
        pinned: the versions in the site file.
    """

    offers: Mapping[str, tuple[Offers, ...]]
    regions: tuple[str, ...]
    used: Mapping[str, str]
    pinned: Mapping[str, str]

    def choose_versions(self) -> dict[str, str]:
        """Return the version to use of each provider; without one that has no tested version."""
        best = {}
        for provider in self.offers:
            lines = [name for name in TESTED[provider] if name in self._list_offered(provider)]
            if lines and not any(self._iter_missing(provider)):
                best[provider] = max(lines)
        return best

    def find_problem(self, provider: str) -> str | None:
        """Return why requests with the version in use may be refused; None if they are not."""
        missing = next(self._iter_missing(provider), None)
        if missing:
            return missing
        if self.used[provider] in self._list_offered(provider):
            return None
        newest = ", ".join(sorted(self._list_offered(provider))[-3:]) or "none"
        return f"not offered for all types in use; the newest versions that are: {newest}"

    def _list_offered(self, provider: str) -> frozenset[str]:
        """Return the versions that every type has in every subscription."""
        rows = [
            frozenset(offer.versions)
            for _, offer in self._iter_types(provider)
            if offer is not None
        ]
        return frozenset.intersection(*rows) if rows else frozenset()

    def _iter_missing(self, provider: str) -> Iterator[str]:
        """Return the types that a region of the site lacks, in words."""
        for type_, offer in self._iter_types(provider):
            if offer is None:
                yield f"{PROVIDERS[provider]}/{type_} is not listed"
                continue
            there = {normalize_region(location) for location in offer.locations}
            for region in self.regions:
                if there and "global" not in there and normalize_region(region) not in there:
                    yield f"{PROVIDERS[provider]}/{type_} is not offered in {region}"

    def _iter_types(self, provider: str) -> Iterator[tuple[str, Offer | None]]:
        """Return what is offered of each type; a child that is not listed is as its parent."""
        for offers in self.offers[provider]:
            for type_ in TYPES[provider]:
                parent = type_.partition("/")[0]
                yield type_, offers.get(type_.lower()) or offers.get(parent.lower())


def format_yaml(cloud: str | None, versions: Mapping[str, str]) -> str:
    """Return the key of the site file; of a cloud by its URLs, what to add to ``cloud``."""
    text = ", ".join(f"{provider}: {version}" for provider, version in versions.items())
    pinned = f"api_versions: {{{text}}}"
    return f"cloud: {{name: {cloud}, {pinned}}}" if cloud else f"{pinned} (below cloud:)"
