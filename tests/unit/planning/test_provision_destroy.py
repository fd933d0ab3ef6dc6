"""What destroy deletes, in which order, and what it keeps."""

from __future__ import annotations

from typing import Any

import pytest

from erfailover.planning.provision.arm_bodies import TAG
from erfailover.planning.provision.destroy import DestroyPlan, plan
from erfailover.reporting.destroy import format_plan

GROUP = "/subscriptions/s/resourceGroups/rg-we"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
OURS = {TAG: "poc"}


def resource(type_: str, name: str, tags: dict[str, str] | None = None) -> dict[str, Any]:
    id_ = f"{GROUP}/providers/{type_}/{name}"
    return {"id": id_, "type": type_, "name": name, "tags": OURS if tags is None else tags}


def peering(name: str, remote: str, uses: bool) -> dict[str, Any]:
    remote_id = {"id": f"{NETWORK}/virtualNetworks/{remote}"}
    return {
        "name": name,
        "properties": {"remoteVirtualNetwork": remote_id, "useRemoteGateways": uses},
    }


def configuration(owner: str) -> dict[str, Any]:
    return {"id": f"{GROUP}/providers/{owner}/ipConfigurations/x"}


LISTED = [
    resource("Microsoft.Network/routeTables", "routes"),
    resource("Microsoft.Network/virtualNetworks", "vnet1"),
    resource("Microsoft.Network/virtualNetworks", "vnet2"),
    resource("Microsoft.Network/publicIPAddresses", "pip"),
    resource("Microsoft.Network/virtualNetworkGateways", "vng1"),
    resource("Microsoft.Network/localNetworkGateways", "lng1"),
    resource("Microsoft.Network/connections", "conn"),
    resource("Microsoft.Network/networkSecurityGroups", "nsg"),
    resource("Microsoft.Network/networkInterfaces", "nic"),
    resource("Microsoft.Compute/virtualMachines", "vm1"),
]


@pytest.fixture
def bodies() -> dict[str, Any]:
    subnet = {
        "ipConfigurations": [configuration("Microsoft.Network/networkInterfaces/nic")],
        "routeTable": {"id": f"{NETWORK}/routeTables/routes"},
    }
    by_name = {
        f"{NETWORK}/virtualNetworks/vnet1": {
            "subnets": [{"name": "a", "properties": subnet}],
            "virtualNetworkPeerings": [peering("vnet1-to-vnet2", "vnet2", True)],
        },
        f"{NETWORK}/virtualNetworks/vnet2": {
            "subnets": [],
            "virtualNetworkPeerings": [peering("vnet2-to-vnet1", "vnet1", False)],
        },
        f"{NETWORK}/connections/conn": {
            "virtualNetworkGateway1": {"id": f"{NETWORK}/virtualNetworkGateways/vng1"}
        },
    }
    return {id_.lower(): {"properties": properties} for id_, properties in by_name.items()}


def plan_destroy(
    bodies: dict[str, Any],
    *more: dict[str, Any],
    tags: dict[str, str] = OURS,
) -> DestroyPlan:
    group = {"id": GROUP, "name": "rg-we", "tags": tags}
    return plan("poc", group, [*LISTED, *more], bodies)


def is_deleted_before(result: DestroyPlan, first: str, second: str) -> bool:
    """Whether one deletion waits for another, directly or not."""
    by_name = {deletion.id.rsplit("/", 1)[-1]: deletion for deletion in result.deletions}
    by_id = {deletion.id: deletion for deletion in result.deletions}
    deletions = [by_name[second]]
    while deletions:
        item = deletions.pop()
        if item.id == by_name[first].id:
            return True
        deletions += [by_id[need] for need in item.needs]
    return False


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("conn", "vng1"),
        ("conn", "lng1"),
        ("vnet1-to-vnet2", "vnet2-to-vnet1"),
        ("vnet2-to-vnet1", "vng1"),
        ("vng1", "pip"),
        ("vng1", "vnet2"),
        ("vm1", "nic"),
        ("nic", "pip"),
        ("nic", "nsg"),
        ("nic", "vnet1"),
        ("vnet1-to-vnet2", "vnet1"),
        ("vnet1", "routes"),
        ("routes", "rg-we"),
    ],
)
def test_what_is_in_use_goes_after_what_uses_it(
    bodies: dict[str, Any], first: str, second: str
) -> None:
    result = plan_destroy(bodies)
    assert is_deleted_before(result, first, second)
    assert not is_deleted_before(result, second, first)


def test_all_of_ours_goes_and_the_group_last(bodies: dict[str, Any]) -> None:
    result = plan_destroy(bodies)
    assert len(result.deletions) == len(LISTED) + 2 + 1
    assert result.deletions[-1].id == GROUP
    assert result.retained == ()


def test_a_connection_being_deleted_holds_its_gateway(bodies: dict[str, Any]) -> None:
    [connection] = [
        deletion for deletion in plan_destroy(bodies).deletions if deletion.id.endswith("/conn")
    ]
    assert f"{NETWORK}/virtualNetworkGateways/vng1".lower() in connection.owns


@pytest.mark.parametrize("tags", [{}, {TAG: "another"}, {"other": "poc"}])
def test_what_does_not_carry_the_site_s_tag_is_kept_and_named_and_so_is_the_group(
    bodies: dict[str, Any], tags: dict[str, str]
) -> None:
    result = plan_destroy(bodies, resource("Microsoft.Network/virtualNetworks", "theirs", tags))
    assert not any("theirs" in deletion.id or deletion.id == GROUP for deletion in result.deletions)
    assert result.retained == (
        "VNet theirs: not created by erfailover for poc",
        "resource group rg-we: contains other resources",
    )
    assert "VNet theirs" in format_plan(result)


def test_a_type_that_erfailover_never_makes_is_kept_whatever_its_tag(
    bodies: dict[str, Any],
) -> None:
    result = plan_destroy(bodies, resource("Microsoft.Storage/storageAccounts", "data"))
    assert any("data" in name for name in result.retained)


def test_the_disk_of_a_machine_of_ours_goes_with_the_machine(bodies: dict[str, Any]) -> None:
    result = plan_destroy(bodies, resource("Microsoft.Compute/disks", "vm1_OsDisk_1_abc", {}))
    assert result.retained == ()
    assert result.deletions[-1].id == GROUP


def test_a_group_that_is_not_ours_is_kept(bodies: dict[str, Any]) -> None:
    result = plan_destroy(bodies, tags={})
    assert all(deletion.id != GROUP for deletion in result.deletions)
    assert result.retained == ("resource group rg-we: not created by erfailover",)


def test_a_network_that_somebody_else_uses_is_kept_with_what_its_subnets_use(
    bodies: dict[str, Any],
) -> None:
    subnets = bodies[f"{NETWORK}/virtualNetworks/vnet1".lower()]["properties"]["subnets"]
    theirs = configuration("Microsoft.Network/networkInterfaces/theirs")
    subnets[0]["properties"]["ipConfigurations"].append(theirs)
    result = plan_destroy(bodies)
    assert result.retained == (
        "VNet vnet1: contains theirs",
        "route table routes: used by vnet1",
        "resource group rg-we: contains other resources",
    )
    ids = [deletion.id for deletion in result.deletions]
    assert f"{NETWORK}/virtualNetworks/vnet2" in ids
    assert f"{NETWORK}/virtualNetworks/vnet1/virtualNetworkPeerings/vnet1-to-vnet2" in ids


def test_a_peering_of_somebody_else_s_network_is_said_to_become_disconnected(
    bodies: dict[str, Any],
) -> None:
    peerings = bodies[f"{NETWORK}/virtualNetworks/vnet1".lower()]["properties"]
    peerings["virtualNetworkPeerings"].append(peering("vnet1-to-theirs", "theirs", False))
    assert plan_destroy(bodies).disconnected == ("the peering of theirs with vnet1",)


def test_with_nothing_there_nothing_is_deleted() -> None:
    result = plan("poc", None, [], {})
    assert (result.deletions, result.retained) == ((), ())
    assert "Nothing to delete." in format_plan(result)


def test_the_plan_says_how_long_it_takes_and_what_takes_longest(bodies: dict[str, Any]) -> None:
    text = format_plan(plan_destroy(bodies))
    assert "Takes about" in text
    assert "  a gateway: typically 6 min 44 s, 90th percentile 9 min 55 s\n" in text
