"""Whether Azure offers what a topology asks for: enumerated, then asked of the lab."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from erfailover.model.claims import Verdict
from erfailover.model.observed import Reading
from erfailover.planning.provision.offers import Offers, claims
from tests.scenarios.conftest import identity_, stage
from tests.support import sites
from tests.support.stage import Stage

__all__ = ["identity_", "stage"]

ALL = frozenset({"1", "2", "3"})
SITE = sites.site()


@pytest.mark.parametrize(
    ("regions", "zones", "size", "image"),
    list(
        product(
            (frozenset({"westeurope"}), frozenset({"eastus"}), None),
            (ALL, frozenset({"1"}), frozenset[str](), None),
            ("", "is not offered in this region", None),
            (True, False, None),
        )
    ),
)
def test_every_answer_of_azure_has_its_verdict(
    regions: frozenset[str] | None,
    zones: frozenset[str] | None,
    size: str | None,
    image: bool | None,
) -> None:
    offers = Offers(
        Reading(regions), Reading(zones), {"Small": Reading(size)}, {"a:b:c:d": Reading(image)}
    )
    found = {each.name: each for each in claims(SITE, offers)}

    def wanted(holds: bool | None) -> Verdict:
        return {True: Verdict.HOLDS, False: Verdict.FAILS, None: Verdict.UNKNOWN}[holds]

    here = None if regions is None else "westeurope" in regions
    assert found["region_has_vpn_gateways"].verdict is wanted(here)
    assert len(found) == (1 if here is False else 4)
    if here is not False:
        zoned = None if zones is None else zones == ALL
        assert found["region_has_availability_zones"].verdict is wanted(zoned)
        assert found["size_is_offered"].verdict is wanted(None if size is None else not size)
        assert found["image_is_offered"].verdict is wanted(image)
    for each in found.values():
        assert bool(each.remedy) is (each.verdict is not Verdict.HOLDS)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("location: westeurope", "location: atlantis", "atlantis is no region that has VPN"),
        ("location: westeurope", "location: westus", "westus has the availability zones none"),
        ("Standard_B2ats_v2", "Standard_Z9000", "Standard_Z9000: is not offered in this region"),
        ("ubuntu-24_04-lts", "ubuntu-4_10", "Canonical:ubuntu-4_10:server:latest is not offered"),
    ],
)
def test_what_azure_does_not_offer_is_refused_before_the_first_write(
    stage: Stage, before: str, after: str, words: str
) -> None:
    stage.do("init")
    file = Path("erfailover.yaml")
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))
    assert stage.run("provision", "--yes") == 3
    assert words in " ".join(stage.err.split())
    assert stage.writes() == []
