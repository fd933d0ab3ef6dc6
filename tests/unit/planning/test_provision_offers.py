"""Whether Azure offers what a topology asks for: every answer of Azure, enumerated."""

from __future__ import annotations

from itertools import product

import pytest

from erfailover.model.conditions import ConditionStatus
from erfailover.model.observed import Reading
from erfailover.planning.provision.offers import RegionAvailability, check_offers
from tests.support import sites

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
    offers = RegionAvailability(
        Reading(regions), Reading(zones), {"Small": Reading(size)}, {"a:b:c:d": Reading(image)}
    )
    conditions = {check_offer.name: check_offer for check_offer in check_offers(SITE, offers)}

    def to_status(holds: bool | None) -> ConditionStatus:
        return {
            True: ConditionStatus.HOLDS,
            False: ConditionStatus.FAILS,
            None: ConditionStatus.UNKNOWN,
        }[holds]

    here = None if regions is None else "westeurope" in regions
    assert conditions["region_has_vpn_gateways"].status is to_status(here)
    assert len(conditions) == (1 if here is False else 4)
    if here is not False:
        zoned = None if zones is None else zones == ALL
        assert conditions["region_has_availability_zones"].status is to_status(zoned)
        assert conditions["size_is_offered"].status is to_status(None if size is None else not size)
        assert conditions["image_is_offered"].status is to_status(image)
    for condition in conditions.values():
        assert bool(condition.remedy) is (condition.status is not ConditionStatus.HOLDS)
