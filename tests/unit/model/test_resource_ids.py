"""Resource ids: taken apart in any letter case, and put together again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erfailover.model.resource_ids import (
    GROUP,
    NETWORK,
    PEERING,
    SUBNET,
    SUBSCRIPTION,
    ResourceId,
    build_child_id,
    get_full_name,
    get_group_id,
    get_last_name,
    get_network_id,
    get_resource_id,
    get_subscription,
    parse,
)

GROUP_ID = "/subscriptions/s1/resourceGroups/rg-we"
VNET = f"{GROUP_ID}/providers/Microsoft.Network/virtualNetworks/vnet1"

NAMES = st.text("abcXYZ019-_.()", min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("/subscriptions/s1", ResourceId("s1", SUBSCRIPTION, ())),
        (GROUP_ID, ResourceId("s1", GROUP, ("rg-we",))),
        (VNET, ResourceId("s1", NETWORK, ("rg-we", "vnet1"))),
        (f"{VNET}/subnets/a", ResourceId("s1", SUBNET, ("rg-we", "vnet1", "a"))),
    ],
)
def test_an_id_is_taken_apart(text: str, parts: ResourceId) -> None:
    assert parse(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vnet1",
        "/",
        "/subscriptions/",
        "/subscriptions/s1/resourceGroups",
        "/subscriptions/s1/resourceGroups/rg/",
        "/subscriptions/s1/providers/Microsoft.Network/virtualNetworks/vnet1",
        f"{GROUP_ID}/providers/Microsoft.Network",
        f"{GROUP_ID}/providers/Microsoft.Network/virtualNetworks",
        f"{VNET}/subnets",
        f"{VNET}//a",
        f"{VNET}/providers/Microsoft.Authorization/locks/mine",
        f"https://management.azure.com{VNET}",
    ],
)
def test_what_is_no_id_of_a_resource_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a resource id"):
        parse(text)


@given(NAMES, NAMES, NAMES, NAMES, st.sampled_from([str, str.lower, str.upper, str.swapcase]))
def test_the_letter_case_of_segments_does_not_matter(
    subscription: str, group: str, network: str, name: str, cased: Callable[[str], str]
) -> None:
    plain = (
        f"/subscriptions/{subscription}/resourceGroups/{group}"
        f"/providers/Microsoft.Network/virtualNetworks/{network}"
    )
    text = cased(build_child_id(plain, PEERING, name))
    resource_id = parse(text)
    assert resource_id.is_a(PEERING)
    assert not resource_id.is_a(NETWORK)
    assert (resource_id.subscription, resource_id.group) == (cased(subscription), cased(group))
    assert resource_id.names == (cased(group), cased(network), cased(name))
    assert get_network_id(text) == get_resource_id(text) == cased(plain)
    assert parse(get_group_id(text)) == ResourceId(cased(subscription), GROUP, (cased(group),))
    assert get_subscription(text) == cased(subscription)
    assert get_last_name(text) == cased(name)


@pytest.mark.parametrize("text", ["", "vnet1", "/", "/providers/Microsoft.Network", "/x/y"])
def test_a_path_without_a_subscription_names_none(text: str) -> None:
    with pytest.raises(ValueError, match="has no subscription"):
        get_subscription(text)


def test_the_subscription_of_a_longer_path_is_found() -> None:
    assert get_subscription("/Subscriptions/s1/providers/Microsoft.Network/locations") == "s1"
    assert get_subscription("/subscriptions/s1") == "s1"


def test_a_peering_is_named_with_its_network() -> None:
    assert (
        get_full_name(build_child_id(VNET, PEERING, "vnet1-to-vnet2"), PEERING)
        == "vnet1/vnet1-to-vnet2"
    )
    assert get_full_name(VNET, NETWORK) == get_last_name("vnet1") == "vnet1"
