"""Forms of ARM: api-versions, etags, expansion, pages, spelling, several subscriptions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server.server import LabServer
from tests.support.arm_client import Arm

OTHER = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def small_pages() -> Iterator[Arm]:
    clock = SteppedClock()
    lab = Lab(clock, seed=7, page_size=2, subscriptions=(OTHER,))
    with LabServer(lab) as server:
        arm = Arm(lab, clock, server.endpoint, str(server.ca_file))
        arm.make_group()
        yield arm
        arm.pool.clear()


def ask(arm: Arm, path: str) -> Any:
    """A GET by a whole path and query."""
    sent = {"Authorization": f"Bearer {arm.token}"}
    answer = arm.pool.request("GET", arm.endpoint + path, headers=sent)
    return answer.status, json.loads(answer.data)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "MissingApiVersionParameter"),
        ("?api-version=", "MissingApiVersionParameter"),
        ("?api-version=latest", "InvalidApiVersionParameter"),
        ("?api-version=2024-13-01", "InvalidApiVersionParameter"),
        ("?api-version=2014-12-31", "NoRegisteredProviderFound"),
        ("?api-version=2999-01-01", "NoRegisteredProviderFound"),
    ],
)
def test_an_api_version_is_refused(arm: Arm, query: str, code: str) -> None:
    status, body = ask(arm, arm.id("virtualNetworks") + query)
    assert (status, body["error"]["code"]) == (400, code)


@pytest.mark.parametrize(
    "version", ["2015-05-01-preview", "2015-06-15", "2021-08-01", "2026-04-01"]
)
def test_api_versions_from_2015_to_today_are_taken(arm: Arm, version: str) -> None:
    assert ask(arm, arm.id("virtualNetworks") + f"?api-version={version}")[0] == 200


def test_an_etag_changes_with_every_write_and_an_old_one_is_refused(arm: Arm) -> None:
    first = arm.vnet("v", "10.0.0.0/16")
    second = arm.vnet("v", "10.0.0.0/16", apps="10.0.0.0/24")
    assert first["etag"] != second["etag"]
    body = {"location": "westeurope", "properties": second["properties"]}
    old = arm.call("PUT", "virtualNetworks/v", body, headers={"If-Match": first["etag"]})
    assert (old.status, old.code) == (412, "PreconditionFailed")
    gone = arm.call("DELETE", "virtualNetworks/v", headers={"If-Match": first["etag"]})
    assert (gone.status, gone.code) == (412, "PreconditionFailed")
    arm.wait(arm.call("PUT", "virtualNetworks/v", body, headers={"If-Match": second["etag"]}))
    third = arm.get("virtualNetworks/v")["etag"]
    assert third != second["etag"]
    arm.wait(arm.call("DELETE", "virtualNetworks/v", headers={"If-Match": third}))


@pytest.mark.parametrize("type_", ["routeTables", "networkSecurityGroups", "publicIPAddresses"])
def test_other_types_honour_etags_too(arm: Arm, type_: str) -> None:
    standard = {"sku": {"name": "Standard"}} if type_ == "publicIPAddresses" else {}
    properties = {"publicIPAllocationMethod": "Static"} if standard else {}
    created = arm.put(f"{type_}/a", properties, **standard)
    body = {"location": "westeurope", "tags": {"a": "b"}, "properties": properties, **standard}
    assert arm.call("PUT", f"{type_}/a", body, headers={"If-Match": 'W/"x"'}).status == 412
    reply = arm.call("PUT", f"{type_}/a", body, headers={"If-Match": created["etag"]})
    arm.wait(reply)
    assert arm.get(f"{type_}/a")["etag"] != created["etag"]


def test_if_none_match_lets_a_resource_be_made_once(arm: Arm) -> None:
    body = {"location": "westeurope", "properties": {}}
    star = {"If-None-Match": "*"}
    arm.wait(arm.call("PUT", "routeTables/r", body, headers=star))
    assert arm.call("PUT", "routeTables/r", body, headers=star).status == 412


def test_references_are_expanded(arm: Arm) -> None:
    arm.vnet("v", "10.0.0.0/16", apps="10.0.0.0/24")
    arm.public_ip("p")
    inner = {
        "subnet": {"id": arm.id("virtualNetworks/v/subnets/apps")},
        "publicIPAddress": {"id": arm.id("publicIPAddresses/p")},
    }
    arm.put("networkInterfaces/n", {"ipConfigurations": [{"name": "c", "properties": inner}]})
    (subnet,) = arm.get("virtualNetworks/v?$expand=subnets/ipConfigurations")["properties"][
        "subnets"
    ]
    (expanded,) = subnet["properties"]["ipConfigurations"]
    assert expanded["properties"]["privateIPAddress"] == "10.0.0.4"
    nic = arm.get("networkInterfaces/n?$expand=ipConfigurations/publicIPAddress")
    (configuration,) = nic["properties"]["ipConfigurations"]
    address = configuration["properties"]["publicIPAddress"]["properties"]["ipAddress"]
    assert address == arm.get("publicIPAddresses/p")["properties"]["ipAddress"]
    (plain,) = arm.get("networkInterfaces/n")["properties"]["ipConfigurations"]
    assert set(plain["properties"]["publicIPAddress"]) == {"id"}
    assert arm.call("GET", "virtualNetworks/v?$expand=nothing/at/all").status == 200


def test_a_long_list_comes_page_by_page(small_pages: Arm) -> None:
    arm = small_pages
    for number in range(5):
        arm.vnet(f"v{number}", f"10.{number}.0.0/16")
    names, url, pages = [], "virtualNetworks", 0
    while url:
        reply = arm.call("GET", url)
        names += [vnet["name"] for vnet in reply.body["value"]]
        url, pages = reply.body.get("nextLink", ""), pages + 1
    assert (names, pages) == ([f"v{number}" for number in range(5)], 3)
    top = arm.call("GET", f"{arm.root}/resources?$top=1").body
    assert len(top["value"]) == 1
    assert "nextLink" in top


def test_spelling_does_not_matter(arm: Arm) -> None:
    arm.vnet("Hub", "10.0.0.0/16")
    path = arm.id("virtualNetworks/Hub").replace("resourceGroups", "RESOURCEGROUPS")
    for spelling in (path.lower(), path.upper(), path.replace("/", "//"), path + "/"):
        status, body = ask(arm, f"{spelling}?API-Version=2024-05-01")
        assert (status, body["name"]) == (200, "Hub"), spelling


def test_vnets_of_two_subscriptions_and_groups_are_peered(small_pages: Arm) -> None:
    here = small_pages
    there = Arm(here.lab, here.clock, here.endpoint, here.ca_file, group="other")
    root = f"/subscriptions/{OTHER}/resourceGroups/other"
    assert there.call("PUT", root, {"location": "westeurope"}).status == 201
    subscriptions = ask(here, "/subscriptions?api-version=2022-12-01")[1]["value"]
    assert [subscription["subscriptionId"] for subscription in subscriptions] == list(
        here.lab.subscriptions
    )
    here.vnet("a", "10.1.0.0/16")
    remote = f"{root}/providers/Microsoft.Network/virtualNetworks/b"
    body = {
        "location": "westeurope",
        "properties": {"addressSpace": {"addressPrefixes": ["10.2.0.0/16"]}},
    }
    here.wait(here.call("PUT", remote, body))
    here.put("virtualNetworks/a/virtualNetworkPeerings/p", {"remoteVirtualNetwork": {"id": remote}})
    back = {"properties": {"remoteVirtualNetwork": {"id": here.id("virtualNetworks/a")}}}
    here.wait(here.call("PUT", f"{remote}/virtualNetworkPeerings/q", back))
    for path in (
        "virtualNetworks/a/virtualNetworkPeerings/p",
        f"{remote}/virtualNetworkPeerings/q",
    ):
        properties = here.get(path)["properties"]
        assert (properties["peeringState"], properties["peeringSyncLevel"]) == (
            "Connected",
            "FullyInSync",
        )
    deleted = here.call("DELETE", root)
    here.wait(deleted)
    remaining = here.get("virtualNetworks/a/virtualNetworkPeerings/p")["properties"]
    assert remaining["peeringState"] == "Disconnected"
    unknown = "/subscriptions/22222222-2222-3333-4444-555555555555/resourceGroups"
    assert here.call("GET", unknown).code == "SubscriptionNotFound"
    there.pool.clear()
