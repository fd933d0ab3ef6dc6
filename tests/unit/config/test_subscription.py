"""Which subscription a site is in, and who says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from erfailover.config.subscription import Subscription, choose
from erfailover.errors import UsageFailure
from erfailover.model.site import Hub, Site
from tests.support.sites import site as a_site

FILE, VARIABLE, AZ = (f"{digit * 8}-0000-0000-0000-000000000000" for digit in "123")
OF_IDS = "44444444-0000-0000-0000-000000000000"


def make_plain_site() -> Site:
    return replace(a_site(), subscription=None)


def make_site_by_ids() -> Site:
    def full(type_: str, name: str) -> str:
        return (
            f"/subscriptions/{OF_IDS}/resourceGroups/g/providers/Microsoft.Network/{type_}/{name}"
        )

    plain = make_plain_site()
    spokes = tuple(
        replace(spoke, virtual_network=full("virtualNetworks", spoke.virtual_network))
        for spoke in plain.spokes
    )
    hubs = [
        Hub(full("virtualNetworks", net), full("virtualNetworkGateways", gateway))
        for net, gateway in (("vnet2", "vng1"), ("vnet3", "vng2"))
    ]
    return replace(plain, primary=hubs[0], backup=hubs[1], spokes=spokes)


def profile(folder: Path, *rows: dict[str, Any]) -> dict[str, str]:
    """az's profile as az writes it, byte order mark included; the variable that leads to it."""
    text = json.dumps({"installationId": "x", "subscriptions": list(rows)})
    (folder / "azureProfile.json").write_text(text, "utf-8-sig")
    return {"AZURE_CONFIG_DIR": str(folder)}


def row(id_: str = AZ, **more: Any) -> dict[str, Any]:
    return {"id": id_, "name": "s", "isDefault": True, "environmentName": "AzureCloud", **more}


def test_the_site_file_wins_then_the_variable_then_az(tmp_path: Path) -> None:
    az = profile(tmp_path, row(VARIABLE, isDefault=False), row())
    variable = {"AZURE_SUBSCRIPTION_ID": VARIABLE}
    named = replace(make_plain_site(), subscription=FILE)
    assert choose(named, "f", az | variable) == Subscription(FILE, "site file")
    assert choose(make_plain_site(), "f", az | variable) == Subscription(
        VARIABLE, "AZURE_SUBSCRIPTION_ID"
    )
    subscription = choose(make_plain_site(), "f", az)
    assert subscription.to_data() == {"id": AZ, "from": "az"}
    assert subscription.may_change
    assert "the default of az" in subscription.description


def test_az_is_looked_for_at_home(tmp_path: Path) -> None:
    (tmp_path / ".azure").mkdir()
    profile(tmp_path / ".azure", row())
    assert choose(make_plain_site(), "f", {"HOME": str(tmp_path)}).id == AZ


def test_a_site_of_resource_ids_needs_none_and_heeds_no_variable(tmp_path: Path) -> None:
    for environment in (
        {"AZURE_CONFIG_DIR": str(tmp_path)},
        {"AZURE_SUBSCRIPTION_ID": VARIABLE},
    ):
        assert choose(make_site_by_ids(), "f", environment) == Subscription(OF_IDS, "resource ids")
    assert make_site_by_ids().needs_subscription is False
    assert replace(make_site_by_ids(), backup=a_site().backup).needs_subscription


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (None, "not signed in"),
        ([], "no default"),
        ([row(isDefault=False)], "no default"),
        ([row("not-a-guid")], "without a subscription"),
        ([row(name="N/A(tenant level account)")], "without a subscription"),
        ([row(environmentName="AzureUSGovernment")], "in the cloud AzureUSGovernment"),
    ],
)
def test_without_any_all_three_ways_are_told(
    tmp_path: Path, rows: list[dict[str, Any]] | None, why: str
) -> None:
    environment = {"AZURE_CONFIG_DIR": str(tmp_path)}
    if rows is not None:
        profile(tmp_path, *rows)
    with pytest.raises(UsageFailure, match=why) as caught:
        choose(make_plain_site(), "the-file.yaml", environment)
    text = f"{caught.value.message} {caught.value.hint}"
    assert "the-file.yaml" in text
    for way in ("subscription:", "AZURE_SUBSCRIPTION_ID", "az login"):
        assert way in text


def test_a_profile_of_another_cloud_serves_a_site_of_that_cloud(tmp_path: Path) -> None:
    environment = profile(tmp_path, row(environmentName="AzureUSGovernment"))
    assert choose(replace(make_plain_site(), cloud="usgovernment"), "f", environment).id == AZ


@pytest.mark.parametrize("text", ["", "{", "[]", '{"subscriptions": 3}', "\xff"])
def test_a_broken_profile_of_az_is_told_and_not_a_bug(tmp_path: Path, text: str) -> None:
    (tmp_path / "azureProfile.json").write_text(text, "latin-1")
    with pytest.raises(UsageFailure, match="cannot be read"):
        choose(make_plain_site(), "f", {"AZURE_CONFIG_DIR": str(tmp_path)})


def test_a_variable_that_is_no_id_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageFailure, match="'production'"):
        choose(make_plain_site(), "f", {"AZURE_SUBSCRIPTION_ID": "production"})
