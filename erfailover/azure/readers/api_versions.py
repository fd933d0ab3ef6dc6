"""Reads which api-versions Azure offers a site, for ``init`` and ``doctor``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from erfailover.azure.reader import Reader
from erfailover.model.arm_json import list_objects, list_texts, parse_text
from erfailover.planning.api_versions import PROVIDERS, ApiVersions, Offer, Offers
from erfailover.runtime.clock import run_all

PROVIDER_API = "2021-04-01"
"""Published: REST specification of Microsoft.Resources, ``Providers_Get``."""


def read(
    reader: Reader,
    subscriptions: Sequence[str],
    regions: Sequence[str],
    pinned: Mapping[str, str],
    *,
    machines: bool,
) -> ApiVersions:
    """Return what the providers list in each subscription, and what requests carry.

    Args:
        reader: where to read.
        subscriptions: those of the site's resources.
        regions: those of the site's VNets.
        pinned: the versions in the site file.
        machines: whether machines are read or run commands.

    Raises:
        AzureFailure: as for any read.
    """
    desired = [name for name in PROVIDERS if name == "network" or machines or name in pinned]
    requested = [(provider, subscription) for provider in desired for subscription in subscriptions]
    rows = run_all(reader.clock, [partial(_read_offers, reader, *pair) for pair in requested])
    offers: dict[str, tuple[Offers, ...]] = {}
    for (provider, _), body in zip(requested, rows, strict=True):
        offers[provider] = (*offers.get(provider, ()), body)
    used = {name: reader.get_api_version(name) for name in desired}
    return ApiVersions(offers, tuple(dict.fromkeys(regions)), used, pinned)


def _read_offers(reader: Reader, provider: str, subscription: str) -> Offers:
    path = f"/subscriptions/{subscription}/providers/{PROVIDERS[provider]}"
    value = reader.ask("GET", path, PROVIDER_API).body.get("resourceTypes")
    return {
        parse_text(row.get("resourceType")).lower(): Offer(
            tuple(list_texts(row.get("apiVersions"))), tuple(list_texts(row.get("locations")))
        )
        for row in list_objects(value)
    }
