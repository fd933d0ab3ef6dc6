"""The first line: the site, and the lab or the subscription, whatever is long or unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from erfailover.model.azure_context import AzureContext, find_identity, from_data
from erfailover.reporting.azure_context import format_heading, place
from erfailover.reporting.screen import Screen
from erfailover.reporting.words import cut_middle

ID = "0f6e2a52-1111-2222-3333-444455556666"
LAB = AzureContext("poc", lab="127.0.0.1:43587", speed=100.0, subscription=ID)
AZURE = AzureContext(
    "poc",
    subscription=ID,
    subscription_from="site file",
    subscription_name="sub-prod-net",
    tenant="72f988bf-86f1-41af-91ab-2d7cd011db47",
    tenant_name="contoso.com",
    cloud="AzureCloud",
    identity="ana@contoso.com",
)
WIDE = Screen(width=200)


def test_a_lab_is_named_with_its_speed_and_nothing_else() -> None:
    assert format_heading(LAB, Screen(80)) == "poc  ·  LAB 127.0.0.1:43587 (x100)"
    assert format_heading(replace(LAB, speed=1.0)) == "poc  ·  LAB 127.0.0.1:43587"


def test_on_azure_it_is_the_subscription_tenant_cloud_and_identity() -> None:
    assert format_heading(AZURE, WIDE) == (
        f"poc  ·  sub-prod-net ({ID})  ·  tenant contoso.com  ·  AzureCloud  ·  ana@contoso.com"
    )


def test_a_dumb_terminal_gets_ascii() -> None:
    long = replace(AZURE, subscription_name="n" * 64)
    for context in (LAB, AZURE, long):
        assert format_heading(context, Screen(80, drawing=False)).isascii()
    assert format_heading(LAB, Screen(80, drawing=False)) == "poc  |  LAB 127.0.0.1:43587 (x100)"


def test_what_is_not_known_is_left_out_and_the_ids_stand_in() -> None:
    bare = AzureContext("poc", subscription=ID, cloud="AzureCloud")
    assert format_heading(bare, WIDE) == f"poc  ·  subscription {ID}  ·  AzureCloud"
    assert f"tenant {AZURE.tenant}" in format_heading(replace(AZURE, tenant_name=""), WIDE)
    assert format_heading(AzureContext("poc"), WIDE) == "poc  ·  subscription no subscription"


def test_a_default_of_az_and_a_clock_that_is_not_the_wall_s_are_said() -> None:
    text = format_heading(replace(AZURE, subscription_from="az", speed=100.0), WIDE)
    assert "  ·  the default of az  ·  " in text
    assert text.endswith("  ·  clock x100")


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("site", ["poc", "vnet-prod-weu-erp-001", "s" * 63])
@pytest.mark.parametrize("name", ["", "sub-prod-net", "Contoso Production Network Hub", "n" * 64])
@pytest.mark.parametrize("identity", ["", "ana@contoso.com", f"{'a' * 64}@{'b' * 90}.com"])
def test_the_first_line_has_the_site_and_the_whole_id_and_no_line_is_too_long(
    width: int, site: str, name: str, identity: str
) -> None:
    context = replace(AZURE, site=site, subscription_name=name, identity=identity)
    first, *rest = format_heading(context, Screen(width)).splitlines()
    assert ID in first
    assert first.startswith(site[:6])
    assert max(map(len, (first, *rest))) <= width
    parts = [part.strip() for line in (first, *rest) for part in line.split("  ·  ")]
    assert "AzureCloud" in parts
    assert "tenant contoso.com" in parts
    if identity:
        assert cut_middle(identity, width - 4, "…") in parts
    else:
        assert parts[-1] == "AzureCloud"


def test_a_name_that_is_too_long_loses_its_middle() -> None:
    assert cut_middle("sub-prod-network", 9, "…") == "sub-…work"
    assert cut_middle("sub-prod-network", 9, Screen(drawing=False).dots) == "sub...ork"
    assert cut_middle("short", 9, "…") == "short"


def test_the_place_alone_names_the_lab_or_the_subscription() -> None:
    assert place(LAB) == "LAB 127.0.0.1:43587 (x100)"
    assert place(AZURE) == f"sub-prod-net ({ID})"


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"upn": "ana@contoso.com", "oid": "o"}, "ana@contoso.com"),
        ({"unique_name": "ana", "appid": "the CLI"}, "ana"),
        ({"preferred_username": "ana", "oid": "o"}, "ana"),
        ({"idtyp": "app", "appid": "app", "upn": "not this one"}, "app"),
        ({"appid": "app", "app_displayname": "sp-network"}, "sp-network"),
        ({"oid": "o"}, "o"),
        ({"upn": "ana\x1b[2J\nbob\u202e"}, "ana\\x1b[2J bob\\u202e"),
        ({"upn": 7}, "7"),
        ({}, ""),
    ],
)
def test_the_identity_comes_from_the_claims_without_control_characters(
    claims: dict[str, object], name: str
) -> None:
    assert find_identity(claims) == name


def test_a_recorded_context_is_read_back_and_a_damaged_one_harms_nothing() -> None:
    assert from_data(AZURE.to_data()) == AZURE
    assert from_data(None) is None
    assert from_data("poc") is None
    odd = from_data({"site": "poc\x1b[2J", "speed": float("nan"), "tenant": None, "more": 1})
    assert odd == AzureContext("poc\\x1b[2J")
