"""Whether a resource is as it should be, and what is written where it is not."""

from __future__ import annotations

from typing import Any

import pytest

from erfailover.planning.provision.arm_bodies import Reference, SecretName
from erfailover.planning.provision.diff import (
    build_lookup,
    fill_secrets,
    list_differences,
    merge_body,
    resolve_body,
)

NOTHING = build_lookup({})


def paths(desired: Any, value: Any) -> list[str]:
    return [difference.path for difference in list_differences(desired, value, NOTHING)]


def test_what_azure_adds_is_no_difference() -> None:
    desired = {"location": "westeurope", "properties": {"asn": 65000}}
    by_name = {"location": "West Europe", "etag": "x", "properties": {"asn": 65000, "weight": 0}}
    assert paths(desired, by_name) == []


def test_ids_are_the_same_in_any_case() -> None:
    desired = {"id": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/x/Y"}
    by_name = {"id": "/subscriptions/S/resourcegroups/rg/providers/microsoft.network/x/y"}
    assert paths(desired, by_name) == []


def test_a_changed_value_is_told_with_both_values() -> None:
    [only] = list_differences(
        {"properties": {"asn": 65001}}, {"properties": {"asn": 65000}}, NOTHING
    )
    assert str(only) == "properties.asn: 65000 -> 65001"


def test_items_are_matched_by_name_and_those_of_others_stay() -> None:
    desired = {"subnets": [{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}}]}
    theirs = {"name": "b", "properties": {"addressPrefix": "10.0.1.0/24"}}
    by_name = {"subnets": [theirs, {"name": "A", "properties": {"addressPrefix": "10.0.0.0/24"}}]}
    assert paths(desired, by_name) == []
    assert paths(desired, {"subnets": [theirs]}) == ["subnets[a]"]


def test_the_order_of_prefixes_is_no_difference_and_a_further_prefix_is() -> None:
    assert paths({"p": ["1", "2"]}, {"p": ["2", "1"]}) == []
    assert paths({"p": ["1"]}, {"p": ["1", "2"]}) == ["p"]


def test_what_azure_leaves_out_where_it_is_off_is_no_difference() -> None:
    assert paths({"a": False, "b": [], "c": {}}, {}) == []
    assert paths({"a": True}, {}) == ["a"]


def test_secrets_are_never_compared_and_never_shown() -> None:
    desired = {"sharedKey": SecretName("shared-key/a/b")}
    assert paths(desired, {"sharedKey": "quite another"}) == []


def test_a_reference_is_compared_by_its_value() -> None:
    desired = {"gatewayIpAddress": Reference("/ID/pip", ("properties", "ipAddress"))}
    lookup = build_lookup({"/id/pip": {"properties": {"ipAddress": "20.0.0.1"}}})
    assert list_differences(desired, {"gatewayIpAddress": "20.0.0.1"}, lookup) == ()
    [only] = list_differences(desired, {"gatewayIpAddress": "20.0.0.2"}, lookup)
    assert (only.expected, only.found) == ("20.0.0.1", "20.0.0.2")


def test_a_reference_without_a_value_yet_is_a_difference() -> None:
    desired = {"gatewayIpAddress": Reference("/id/pip", ("properties", "ipAddress"))}
    [only] = list_differences(desired, {"gatewayIpAddress": "20.0.0.1"}, NOTHING)
    assert "pip" in only.expected


def test_an_update_keeps_what_others_have_set() -> None:
    desired = {
        "tags": {"ours": "1"},
        "properties": {"subnets": [{"name": "a", "properties": {"routeTable": {"id": "/t"}}}]},
    }
    by_name = {
        "etag": "W/1",
        "tags": {"theirs": "2"},
        "properties": {
            "provisioningState": "Succeeded",
            "dhcpOptions": {"dnsServers": ["10.0.0.4"]},
            "subnets": [
                {"name": "b", "properties": {"addressPrefix": "10.0.1.0/24"}},
                {"name": "a", "etag": "W/1", "properties": {"addressPrefix": "10.0.0.0/24"}},
            ],
        },
    }
    assert merge_body(desired, by_name) == {
        "tags": {"theirs": "2", "ours": "1"},
        "properties": {
            "dhcpOptions": {"dnsServers": ["10.0.0.4"]},
            "subnets": [
                {"name": "b", "properties": {"addressPrefix": "10.0.1.0/24"}},
                {
                    "name": "a",
                    "properties": {"addressPrefix": "10.0.0.0/24", "routeTable": {"id": "/t"}},
                },
            ],
        },
    }


def test_an_empty_list_asks_for_nothing_and_takes_nothing_away() -> None:
    rules = {"properties": {"securityRules": [{"name": "ssh"}]}}
    assert merge_body({"properties": {"securityRules": []}}, rules) == rules
    assert paths({"properties": {"securityRules": []}}, rules) == []


def test_what_is_written_is_no_longer_different() -> None:
    desired = {"properties": {"a": 1, "b": [{"name": "x", "c": True}], "d": ["2", "1"]}}
    by_name = {"properties": {"a": 2, "b": [{"name": "x", "c": False}, {"name": "y"}], "d": ["3"]}}
    assert paths(desired, by_name) == ["properties.a", "properties.b[x].c", "properties.d"]
    assert paths(desired, merge_body(desired, by_name)) == []


def test_placeholders_are_replaced_by_values_when_it_is_time() -> None:
    body = {"a": [Reference("/id", ("x",))], "key": SecretName("k")}
    half = resolve_body(body, build_lookup({"/id": {"x": 7}}))
    assert half == {"a": [7], "key": SecretName("k")}
    assert fill_secrets(half, str.upper) == {"a": [7], "key": "K"}


def test_a_reference_without_a_value_cannot_be_written() -> None:
    with pytest.raises(LookupError, match="ipAddress of pip"):
        resolve_body({"a": Reference("/id/pip", ("ipAddress",))}, NOTHING)
