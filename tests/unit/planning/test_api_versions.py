"""Which api-versions are chosen, and what doctor says of those in use."""

from __future__ import annotations

from dataclasses import replace

import pytest

from erfailover.model.conditions import ConditionStatus
from erfailover.model.observed import Reading
from erfailover.model.site import ApiVersions as Pinned
from erfailover.model.site import CloudEndpoint, NamedCloud, Site
from erfailover.planning.api_versions import TESTED, ApiVersions, Offer, format_yaml
from erfailover.planning.doctor.environment import check_api_versions
from tests.support.doctor_facts import FAILS, HOLDS, OFFERED, SITE, UNKNOWN, facts, versions


def run_check(api_versions: ApiVersions, site: Site = SITE) -> tuple[ConditionStatus, str]:
    (line,) = check_api_versions(site, facts(api_versions=Reading(api_versions)))
    return line.verdict, f"{line.message} -> {line.remedy}"


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (OFFERED, "2026-03-01"),
        (("2027-01-01", "2025-07-01", "2024-05-01"), "2025-07-01"),
        (("2026-03-01-preview", "2024-07-01"), "2024-07-01"),
        (("2027-01-01", "2019-07-01"), None),
        ((), None),
    ],
    ids=["newest", "newer than tested", "preview", "none tested", "none"],
)
def test_the_newest_version_that_is_offered_and_was_tested_is_chosen(
    offered: tuple[str, ...], chosen: str | None
) -> None:
    assert versions(offered=offered).choose_versions().get("network") == chosen


def test_a_version_counts_if_every_type_has_it_in_every_subscription() -> None:
    whole = versions()
    (offers,) = whole.offers["network"]
    fewer = {**offers, "virtualnetworkgateways": Offer(("2024-05-01",), ())}
    assert replace(whole, offers={"network": (fewer,)}).choose_versions() == {
        "network": "2024-05-01"
    }
    assert replace(whole, offers={"network": (offers, fewer)}).choose_versions() == {
        "network": "2024-05-01"
    }


def test_a_child_that_is_not_listed_is_as_its_parent() -> None:
    whole = versions()
    offers = dict(whole.offers["network"][0])
    del offers["virtualnetworks/virtualnetworkpeerings"]
    assert replace(whole, offers={"network": (offers,)}).choose_versions() == {
        "network": "2026-03-01"
    }
    del offers["virtualnetworkgateways"]
    api_versions = replace(whole, offers={"network": (offers,)})
    assert api_versions.choose_versions() == {}
    assert (
        api_versions.find_problem("network")
        == "Microsoft.Network/virtualNetworkGateways is not listed"
    )


def test_what_is_pinned_and_offered_is_sound() -> None:
    assert run_check(versions())[0] is HOLDS


def test_the_sdks_own_version_is_warned_of() -> None:
    verdict, text = run_check(versions("2026-03-01", pinned=False))
    assert verdict is UNKNOWN
    assert "cloud: {name: public, api_versions: {network: 2026-03-01}}" in text
    site = replace(SITE, cloud=CloudEndpoint("https://m", "https://l"))
    assert (
        "api_versions: {network: 2026-03-01} (below cloud:)"
        in run_check(versions("2026-03-01", pinned=False), site)[1]
    )


def test_a_version_that_was_not_tested_is_warned_of() -> None:
    assert run_check(versions("2018-11-01"))[0] is UNKNOWN


@pytest.mark.parametrize("pinned", [True, False])
def test_a_version_that_is_not_offered_fails(pinned: bool) -> None:
    """Reported: a cloud or region that lacks the SDK's version answers 404."""
    verdict, text = run_check(versions("2026-03-01", offered=OFFERED[1:], pinned=pinned))
    assert verdict is FAILS
    assert "2018-11-01, 2024-05-01, 2025-07-01" in text
    assert "api_versions: {network: 2025-07-01}" in text


def test_a_region_without_the_type_fails() -> None:
    verdict, text = run_check(versions(locations=("North Europe",)))
    assert verdict is FAILS
    assert "is not offered in westeurope" in text


def test_what_cannot_be_read_is_unknown() -> None:
    (line,) = check_api_versions(SITE, facts(api_versions=Reading(None, "403")))
    assert line.verdict is UNKNOWN
    assert not line.required


def test_the_site_file_says_the_versions_and_the_cloud() -> None:
    cloud = NamedCloud("china", Pinned(network="2025-07-01"))
    site = replace(SITE, cloud=cloud)
    assert site.api_versions == {"network": "2025-07-01"}
    assert site.cloud_name == "china"
    assert SITE.api_versions == {}
    assert SITE.cloud_name == "public"
    assert format_yaml("china", site.api_versions) == (
        "cloud: {name: china, api_versions: {network: 2025-07-01}}"
    )


def test_tested_versions_are_in_order() -> None:
    for names in TESTED.values():
        assert list(names) == sorted(names)
