"""What is in use stays, what is left behind says so: rules across resources, over HTTPS."""

from __future__ import annotations

from typing import Any

import pytest

from erfailover.lab.providers.network import peering as network_peering
from tests.support.arm_client import Arm
from tests.support.lab_story import machine


def peering(arm: Arm, local: str, other: str) -> Any:
    return arm.get(f"virtualNetworks/{local}/virtualNetworkPeerings/{local}-to-{other}")[
        "properties"
    ]


def widen(arm: Arm, name: str, *prefixes: str) -> None:
    arm.put(f"virtualNetworks/{name}", {"addressSpace": {"addressPrefixes": list(prefixes)}})


def synchronise(arm: Arm, local: str, other: str) -> None:
    path = f"virtualNetworks/{local}/virtualNetworkPeerings/{local}-to-{other}"
    body = {"properties": arm.peering_properties(other)}
    arm.wait(arm.call("PUT", f"{path}?syncRemoteAddressSpace=true", body))


def levels(arm: Arm) -> tuple[str, str]:
    return (
        peering(arm, "a", "b")["peeringSyncLevel"],
        peering(arm, "b", "a")["peeringSyncLevel"],
    )


@pytest.fixture
def pair(arm: Arm) -> Arm:
    arm.vnet("a", "10.1.0.0/16")
    arm.vnet("b", "10.2.0.0/16")
    arm.peering("a", "b")
    arm.peering("b", "a")
    return arm


def test_sync_levels_tell_which_side_is_behind(pair: Arm) -> None:
    assert levels(pair) == ("FullyInSync", "FullyInSync")
    widen(pair, "a", "10.1.0.0/16", "10.11.0.0/16")
    assert levels(pair) == ("RemoteNotInSync", "LocalNotInSync")
    widen(pair, "b", "10.2.0.0/16", "10.12.0.0/16")
    assert levels(pair) == ("LocalAndRemoteNotInSync", "LocalAndRemoteNotInSync")
    synchronise(pair, "a", "b")
    assert levels(pair) == ("RemoteNotInSync", "LocalNotInSync")
    value = peering(pair, "b", "a")["remoteAddressSpace"]["addressPrefixes"]
    assert value == ["10.1.0.0/16"]
    synchronise(pair, "b", "a")
    assert levels(pair) == ("FullyInSync", "FullyInSync")
    value = peering(pair, "b", "a")["remoteAddressSpace"]["addressPrefixes"]
    assert value == ["10.1.0.0/16", "10.11.0.0/16"]


def test_a_write_without_synchronising_leaves_the_level(pair: Arm) -> None:
    widen(pair, "b", "10.2.0.0/16", "10.12.0.0/16")
    pair.peering("a", "b", forwarded=True)
    assert levels(pair) == ("LocalNotInSync", "RemoteNotInSync")


def test_a_disconnected_peering_written_anew_lets_the_other_return(pair: Arm) -> None:
    path = "virtualNetworks/a/virtualNetworkPeerings/a-to-b"
    pair.delete(path)
    assert peering(pair, "b", "a")["peeringState"] == "Disconnected"
    assert pair.peering_refused("a", "b").code == "RemotePeeringIsDisconnected"
    pair.peering("b", "a")
    assert peering(pair, "b", "a")["peeringState"] == "Initiated"
    pair.peering("a", "b")
    assert {peering(pair, *names)["peeringState"] for names in (("a", "b"), ("b", "a"))} == {
        "Connected"
    }


def test_a_vnet_made_again_does_not_take_its_peering_up_again(pair: Arm) -> None:
    pair.delete("virtualNetworks/a")
    pair.vnet("a", "10.1.0.0/16")
    assert peering(pair, "b", "a")["peeringState"] == "Disconnected"
    assert pair.peering_refused("a", "b").code == "RemotePeeringIsDisconnected"


def test_an_initiated_peering_whose_remote_vnet_goes_is_disconnected(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    arm.vnet("b", "10.2.0.0/16")
    arm.peering("a", "b")
    arm.delete("virtualNetworks/b")
    assert peering(arm, "a", "b")["peeringState"] == "Disconnected"


def test_a_vnet_takes_so_many_peerings_and_no_more(
    arm: Arm, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert network_peering.MOST_PEERINGS == 500
    monkeypatch.setattr(network_peering, "MOST_PEERINGS", 2)
    for number in range(4):
        arm.vnet(f"v{number}", f"10.{number}.0.0/16")
    arm.peering("v0", "v1")
    arm.peering("v0", "v2")
    assert "more than 2" in arm.peering_refused("v0", "v3").message
    arm.peering("v0", "v2", forwarded=True)


def test_a_gateway_that_a_spoke_uses_is_not_deleted(hub_and_spoke: Arm) -> None:
    arm = hub_and_spoke
    arm.peering("hub", "spoke", transit=True)
    arm.peering("spoke", "hub", remote=True)
    assert arm.call("DELETE", "virtualNetworkGateways/g1").status == 400
    arm.peering("spoke", "hub")
    arm.delete("virtualNetworkGateways/g1")
    assert arm.call("GET", "virtualNetworkGateways/g1").code == "ResourceNotFound"
    arm.delete("publicIPAddresses/g1-ip")


def test_remote_gateways_wait_for_a_connection_under_write(hub_and_spoke: Arm) -> None:
    arm = hub_and_spoke
    arm.peering("hub", "spoke", transit=True)
    arm.put(
        "localNetworkGateways/l",
        {
            "gatewayIpAddress": "20.1.1.1",
            "localNetworkAddressSpace": {"addressPrefixes": ["10.9.0.0/16"]},
        },
    )
    properties = {
        "connectionType": "IPsec",
        "virtualNetworkGateway1": {"id": arm.id("virtualNetworkGateways/g1")},
        "localNetworkGateway2": {"id": arm.id("localNetworkGateways/l")},
    }
    body = {"location": "westeurope", "properties": properties}
    writing = arm.call("PUT", "connections/c", body)
    refused = arm.peering_refused("spoke", "hub", remote=True)
    assert (refused.status, refused.code) == (400, "ReferencedResourceNotProvisioned")
    arm.wait(writing)
    arm.peering("spoke", "hub", remote=True)


def test_a_gateway_subnet_of_three_addresses_is_too_small(arm: Arm) -> None:
    arm.vnet("hub", "10.2.0.0/16", GatewaySubnet="10.2.0.0/30")
    arm.public_ip("g-ip")
    refused = arm.expect_refusal("virtualNetworkGateways/g", arm.gateway_properties("g", "hub"))
    assert "too small" in refused.message


def test_an_interface_of_a_machine_goes_with_or_after_it(arm: Arm) -> None:
    arm.vnet("v", "10.1.0.0/16", apps="10.1.0.0/24")
    machine(arm, "vm", ("nic", "v/subnets/apps", "10.1.0.4", True))
    assert arm.call("DELETE", "networkInterfaces/nic").code == "NicInUse"
    assert arm.call("DELETE", "virtualNetworks/v").code == "InUseSubnetCannotBeDeleted"
    arm.delete("Microsoft.Compute/virtualMachines/vm")
    arm.delete("networkInterfaces/nic")
    arm.delete("publicIPAddresses/nic-ip")
    arm.delete("virtualNetworks/v")


def test_a_group_goes_with_what_is_in_it_and_leaves_other_groups_peerings_disconnected(
    pair: Arm,
) -> None:
    other = Arm(pair.lab, pair.clock, pair.endpoint, pair.ca_file, group="other")
    other.make_group()
    other.vnet("c", "10.3.0.0/16")
    remote = {"remoteVirtualNetwork": {"id": pair.id("virtualNetworks/a")}}
    other.put("virtualNetworks/c/virtualNetworkPeerings/c-to-a", remote)
    back = {"remoteVirtualNetwork": {"id": other.id("virtualNetworks/c")}}
    pair.put("virtualNetworks/a/virtualNetworkPeerings/a-to-c", back)
    assert peering(other, "c", "a")["peeringState"] == "Connected"
    pair.wait(pair.call("DELETE", pair.root))
    assert peering(other, "c", "a")["peeringState"] == "Disconnected"
    assert [resource.id.resource_group for resource in pair.lab.world.resources.values()] == [
        "other"
    ] * 3
    other.pool.clear()
