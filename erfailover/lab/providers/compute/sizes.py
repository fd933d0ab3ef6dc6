"""Sizes of machines: ``Microsoft.Compute/skus``, as a client asks before it makes one.

Owns a few of Azure's sizes; pure. The form of a row is documented. Sizes of the first B series
are there until they retire in 2028 (announced).
"""

from __future__ import annotations

import re

from erfailover.lab.core.errors import Refused, method_not_allowed, not_modelled
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
    """The sizes in a region, by ``$filter``, or in all. Raises Refused."""
    if request.method != "GET":
        raise Refused(method_not_allowed(request.method, "Microsoft.Compute/skus"))
    text = request.query.get("$filter", "")
    found = _FILTER.fullmatch(text)
    if text and found is None:
        raise Refused(not_modelled(f"the filter {text}"))
    wanted = found.group(1).lower() if found else ""
    places = [each for each in REGIONS if wanted in ("", each)]
    return Answer(200, {"value": [_row(place, *size) for place in places for size in SIZES]})


def _row(place: str, name: str, family: str, cores: int) -> Body:
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
