"""Sizes of machines: ``Microsoft.Compute/skus``, which clients read before they create one.

Owns a few of Azure's sizes; pure. The form of a row is documented. Sizes of the first B series
are there until they retire in 2028 (announced).
"""

from __future__ import annotations

import re

from erfailover.lab.core.errors import RefusalError, method_not_allowed, not_modelled
from erfailover.lab.core.protocol import Answer, Request
from erfailover.lab.core.world import Body
from erfailover.lab.providers.regions import REGIONS, WITHOUT_ZONES, ZONES

SIZES = (
    ("Standard_B1s", "standardBSFamily", 1),
    ("Standard_B2s", "standardBSFamily", 2),
    ("Standard_B2ats_v2", "standardBasv2Family", 2),
    ("Standard_B2als_v2", "standardBasv2Family", 2),
    ("Standard_D2s_v5", "standardDSv5Family", 2),
    ("Standard_D2as_v5", "standardDASv5Family", 2),
)
_FILTER = re.compile(r"\s*location\s+eq\s+'([^']*)'\s*", re.IGNORECASE)


def answer(request: Request) -> Answer:
    """Return the sizes in a region, by ``$filter``, or in all; raise RefusalError."""
    if request.method != "GET":
        raise RefusalError(method_not_allowed(request.method, "Microsoft.Compute/skus"))
    text = request.query.get("$filter", "")
    match = _FILTER.fullmatch(text)
    if text and match is None:
        raise RefusalError(not_modelled(f"the filter {text}"))
    region_filter = match.group(1).lower() if match else ""
    places = [region for region in REGIONS if region_filter in ("", region)]
    return Answer(200, {"value": [_build_row(place, *size) for place in places for size in SIZES]})


def _build_row(place: str, name: str, family: str, cores: int) -> Body:
    zones = [] if place in WITHOUT_ZONES else list(ZONES)
    return {
        "resourceType": "virtualMachines",
        "name": name,
        "tier": "Standard",
        "size": name.partition("_")[2],
        "family": family,
        "locations": [place],
        "locationInfo": [{"location": place, "zones": zones, "zoneDetails": []}],
        "capabilities": [{"name": "vCPUs", "value": str(cores)}],
        "restrictions": [],
    }
