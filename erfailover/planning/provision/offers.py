"""Whether Azure offers what a topology asks for: region, zones, sizes, images. Pure.

Owns the conditions that ``provision`` checks before its first write. What could not be asked is
UNKNOWN and stops nothing: Azure refuses by itself what it does not offer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import Reading
from erfailover.model.site import Site
from erfailover.planning.provision.arm_bodies import ZONES

REGION, ZONED = "region_has_vpn_gateways", "region_has_availability_zones"
SIZE, IMAGE = "size_is_offered", "image_is_offered"


@dataclass(frozen=True, slots=True)
class RegionAvailability:
    """What Azure offers in one region, as asked.

    Attributes:
        regions: where VPN gateways are offered, in Azure's short names.
        zones: the availability zones of public addresses in the site's region.
        sizes: for each size, why it is not available; empty if it is.
        images: for each image, whether it has a version.
    """

    regions: Reading[frozenset[str]]
    zones: Reading[frozenset[str]]
    sizes: Mapping[str, Reading[str]] = field(default_factory=dict)
    images: Mapping[str, Reading[bool]] = field(default_factory=dict)


def normalize_region(location: str) -> str:
    """Return a region's short name: ``West Europe`` is ``westeurope``."""
    return location.replace(" ", "").lower()


def check_offers(site: Site, offers: RegionAvailability) -> Iterator[Condition]:
    """Yield whether Azure offers what a site's topology needs, each with its remedy."""
    place = normalize_region(site.location)
    choose = "Set another location in the site file; az account list-locations lists them."
    if offers.regions.value is None:
        yield _build_unknown(REGION, offers.regions)
    else:
        is_found = place in offers.regions.value
        message = f"{place} {'offers' if is_found else 'does not offer'} VPN gateways"
        yield _build_condition(REGION, is_found, message, choose)
        if not is_found:
            return
    if offers.zones.value is None:
        yield _build_unknown(ZONED, offers.zones)
    else:
        is_found = set(ZONES) <= offers.zones.value
        has = ", ".join(sorted(offers.zones.value)) or "none"
        message = (
            f"{place} has the availability zones {has}; public IP addresses need {', '.join(ZONES)}"
        )
        yield _build_condition(ZONED, is_found, message, choose)
    for size, why in offers.sizes.items():
        if why.value is None:
            yield _build_unknown(SIZE, why)
        else:
            message = f"{size} is offered in {place}" if not why.value else f"{size}: {why.value}"
            yield _build_condition(
                SIZE, not why.value, message, "Set another size in the site file."
            )
    for image, there in offers.images.items():
        if there.value is None:
            yield _build_unknown(IMAGE, there)
        else:
            message = f"{image} {'is' if there.value else 'is not'} offered in {place}"
            remedy = "Set another image in the site file (publisher:offer:sku:version)."
            yield _build_condition(IMAGE, there.value, message, remedy)


def _build_condition(name: str, holds: bool, message: str, remedy: str) -> Condition:
    if holds:
        return Condition(name, ConditionStatus.HOLDS, message)
    return Condition(name, ConditionStatus.FAILS, message, remedy)


def _build_unknown(name: str, reading: Reading[Any]) -> Condition:
    return Condition(
        name,
        ConditionStatus.UNKNOWN,
        reading.unknown or "Azure was not asked",
        "Check it in the portal.",
    )
