"""What ARM refuses about peerings, met over HTTPS."""

from __future__ import annotations

import pytest

from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.core.errors import UnknownCodes
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server.server import LabServer
from tests.support.arm_client import Arm, Reply


def assert_unknown(arm: Arm, reply: Reply, name: str) -> None:
    """The refusal is the one of that name, under the code of this run."""
    codes: UnknownCodes = arm.lab.context.unknown
    assert (reply.status, reply.code) == (400, codes.get_code(name))


def peer_hub_and_spoke(arm: Arm) -> Arm:
    arm.peering("hub", "spoke", transit=True)
    arm.peering("spoke", "hub", remote=True)
    return arm


def test_a_peering_is_initiated_until_its_opposite_exists(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    arm.vnet("b", "10.2.0.0/16")
    first = arm.peering("a", "b")["properties"]
    assert first["peeringState"] == "Initiated"
    assert first["peeringSyncLevel"] == "RemoteNotInSync"
    second = arm.peering("b", "a")["properties"]
    path = "virtualNetworks/a/virtualNetworkPeerings/a-to-b"
    first = arm.get(path)["properties"]
    assert {first["peeringState"], second["peeringState"]} == {"Connected"}
    assert {first["peeringSyncLevel"], second["peeringSyncLevel"]} == {"FullyInSync"}
    assert first["resourceGuid"] == second["resourceGuid"]
    assert first["remoteAddressSpace"] == {"addressPrefixes": ["10.2.0.0/16"]}


def test_deleting_a_peering_disconnects_the_other_and_bars_its_return(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    arm.vnet("b", "10.2.0.0/16")
    arm.peering("a", "b")
    arm.peering("b", "a")
    arm.delete("virtualNetworks/a/virtualNetworkPeerings/a-to-b")
    other = "virtualNetworks/b/virtualNetworkPeerings/b-to-a"
    assert arm.get(other)["properties"]["peeringState"] == "Disconnected"
    reply = arm.peering_refused("a", "b")
    assert (reply.status, reply.code) == (400, "RemotePeeringIsDisconnected")
    assert arm.peering("b", "a")["properties"]["peeringState"] == "Initiated"
    assert arm.peering("a", "b")["properties"]["peeringState"] == "Connected"


def test_deleting_a_peered_vnet_disconnects_the_other_side(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    arm.vnet("b", "10.2.0.0/16")
    arm.peering("a", "b")
    arm.peering("b", "a")
    arm.delete("virtualNetworks/a")
    (remaining,) = arm.get("virtualNetworks/b/virtualNetworkPeerings")["value"]
    assert remaining["properties"]["peeringState"] == "Disconnected"


def test_remote_gateways_need_a_gateway_there(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    arm.vnet("b", "10.2.0.0/16", GatewaySubnet="10.2.0.0/24")
    reply = arm.peering_refused("a", "b", remote=True)
    assert (reply.status, reply.code) == (400, "RemoteVnetHasNoGateways")
    assert "UseRemoteGateway flag" in reply.message


def test_remote_gateways_are_accepted_before_the_opposite_peering_exists(
    hub_and_spoke: Arm,
) -> None:
    properties = hub_and_spoke.peering("spoke", "hub", remote=True)["properties"]
    assert properties["useRemoteGateways"] is True
    assert properties["remoteGateways"] == [{"id": hub_and_spoke.id("virtualNetworkGateways/g1")}]


def test_a_second_peering_with_remote_gateways_is_refused(hub_and_spoke: Arm) -> None:
    arm = peer_hub_and_spoke(hub_and_spoke)
    arm.peering("other", "spoke", transit=True)
    arm.peering("spoke", "other")
    reply = arm.peering_refused("spoke", "other", remote=True)
    assert_unknown(arm, reply, "second remote gateway")
    assert "already has UseRemoteGateways flag set to true" in reply.message


def test_remote_gateways_are_refused_where_the_opposite_forbids_transit(
    hub_and_spoke: Arm,
) -> None:
    arm = hub_and_spoke
    arm.peering("hub", "spoke")
    reply = arm.peering_refused("spoke", "hub", remote=True)
    assert_unknown(arm, reply, "remote side forbids transit")


def test_transit_in_use_is_not_withdrawn(hub_and_spoke: Arm) -> None:
    arm = peer_hub_and_spoke(hub_and_spoke)
    reply = arm.peering_refused("hub", "spoke", transit=False)
    assert_unknown(arm, reply, "transit withdrawn while in use")
    arm.peering("spoke", "hub", remote=False)
    answer = arm.peering("hub", "spoke", transit=False)
    assert answer["properties"]["allowGatewayTransit"] is False


def test_a_vnet_with_a_gateway_does_not_use_another_one(hub_and_spoke: Arm) -> None:
    arm = hub_and_spoke
    arm.peering("hub", "other", transit=True)
    reply = arm.peering_refused("other", "hub", remote=True)
    assert_unknown(arm, reply, "remote gateways beside an own gateway")


def test_overlapping_address_spaces_are_not_peered(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    arm.vnet("b", "10.1.128.0/17")
    reply = arm.peering_refused("a", "b")
    assert (reply.status, reply.code) == (400, "VnetAddressSpacesOverlap")
    assert reply.message.endswith("10.1.0.0/16, 10.1.128.0/17")


def test_a_vnet_is_not_peered_with_two_that_overlap(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    arm.vnet("b", "10.2.0.0/16")
    arm.vnet("c", "10.2.0.0/24")
    arm.peering("a", "b")
    reply = arm.peering_refused("a", "c")
    assert reply.code == "VnetAddressSpaceOverlapsWithAlreadyPeeredVnet"


def test_a_second_peering_to_one_vnet_is_refused(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    arm.vnet("b", "10.2.0.0/16")
    arm.peering("a", "b")
    properties = arm.peering_properties("b")
    reply = arm.expect_refusal("virtualNetworks/a/virtualNetworkPeerings/again", properties)
    assert reply.code == "AnotherPeeringAlreadyReferencesRemoteVnet"


def test_a_peering_to_a_missing_vnet_is_refused(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    assert arm.peering_refused("a", "nowhere").code == "InvalidResourceReference"


def test_a_peering_in_a_missing_vnet_has_no_parent(arm: Arm) -> None:
    assert arm.peering_refused("nowhere", "a").code == "ParentResourceNotFound"


def test_a_changed_address_space_is_out_of_sync_until_it_is_read_again(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    arm.vnet("b", "10.2.0.0/16")
    arm.peering("a", "b")
    arm.peering("b", "a")
    space = {"addressSpace": {"addressPrefixes": ["10.2.0.0/16", "10.20.0.0/16"]}}
    arm.put("virtualNetworks/b", space)
    ours = "virtualNetworks/a/virtualNetworkPeerings/a-to-b"
    theirs = "virtualNetworks/b/virtualNetworkPeerings/b-to-a"
    assert arm.get(ours)["properties"]["peeringSyncLevel"] == "LocalNotInSync"
    assert arm.get(theirs)["properties"]["peeringSyncLevel"] == "RemoteNotInSync"
    arm.peering("a", "b", forwarded=True)
    assert arm.get(ours)["properties"]["peeringSyncLevel"] == "LocalNotInSync"
    body = {"properties": arm.peering_properties("b")}
    arm.wait(arm.call("PUT", ours + "?syncRemoteAddressSpace=true", body))
    assert arm.get(ours)["properties"]["peeringSyncLevel"] == "FullyInSync"


def test_a_write_to_a_vnet_under_write_is_retryable(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    arm.vnet("b", "10.2.0.0/16")
    arm.vnet("c", "10.3.0.0/16")
    path = "virtualNetworks/a/virtualNetworkPeerings/a-to-b"
    accepted = arm.call("PUT", path, {"properties": arm.peering_properties("b")})
    assert accepted.body["properties"]["provisioningState"] == "Updating"
    assert arm.get("virtualNetworks/a")["properties"]["provisioningState"] == "Updating"
    reply = arm.peering_refused("a", "c")
    assert (reply.status, reply.code) == (429, "RetryableError")
    assert reply.headers["Retry-After"] == "13"
    (detail,) = reply.body["error"]["details"]
    assert detail["code"] == "RetryableErrorDueToAnotherOperation"
    assert "PutVirtualNetworkPeeringOperation" in detail["message"]


def test_a_write_that_refers_to_a_vnet_under_write_is_refused(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    arm.vnet("b", "10.2.0.0/16")
    path = "virtualNetworks/a/virtualNetworkPeerings/a-to-b"
    accepted = arm.call("PUT", path, {"properties": arm.peering_properties("b")})
    reply = arm.peering_refused("b", "a")
    assert (reply.status, reply.code) == (400, "ReferencedResourceNotProvisioned")
    assert "is in Updating state" in reply.message
    arm.wait(accepted)
    assert arm.peering("b", "a")["properties"]["peeringState"] == "Connected"


def test_two_vnets_may_be_written_at_once_against_one_idle_vnet(arm: Arm) -> None:
    for number, name in enumerate("abc", start=1):
        arm.vnet(name, f"10.{number}.0.0/16")
    first = arm.call(
        "PUT",
        "virtualNetworks/a/virtualNetworkPeerings/x",
        {"properties": arm.peering_properties("c")},
    )
    second = arm.call(
        "PUT",
        "virtualNetworks/b/virtualNetworkPeerings/x",
        {"properties": arm.peering_properties("c")},
    )
    assert (first.status, second.status) == (201, 201)


def test_subnets_of_one_vnet_meet_another_operation_in_progress(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16", one="10.1.1.0/24")
    two = {"properties": {"addressPrefix": "10.1.2.0/24"}}
    accepted = arm.call("PUT", "virtualNetworks/a/subnets/two", two)
    reply = arm.expect_refusal("virtualNetworks/a/subnets/three", {"addressPrefix": "10.1.3.0/24"})
    assert (reply.status, reply.code) == (409, "AnotherOperationInProgress")
    uri = accepted.headers["Azure-AsyncOperation"].split("?")[0]
    assert reply.message.endswith(f"use uri: {uri}.")


def test_remote_gateways_wait_for_a_gateway_under_write(hub_and_spoke: Arm) -> None:
    arm = hub_and_spoke
    arm.peering("hub", "spoke", transit=True)
    body = {"location": "westeurope", "properties": arm.gateway_properties("g1", "hub")}
    assert arm.call("PUT", "virtualNetworkGateways/g1", body).status == 200
    reply = arm.peering_refused("spoke", "hub", remote=True)
    assert reply.code == "ReferencedResourceNotProvisioned"
    assert "virtualNetworkGateways/g1" in reply.message


def test_what_a_client_sends_of_the_future_comes_back(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    arm.vnet("b", "10.2.0.0/16")
    properties = arm.peering_properties("b") | {"somethingOfTomorrow": {"kept": [1, None]}}
    peering = arm.put("virtualNetworks/a/virtualNetworkPeerings/x", properties)
    assert peering["properties"]["somethingOfTomorrow"] == {"kept": [1, None]}


@pytest.mark.parametrize(
    "part",
    [
        {"peerCompleteVnets": False},
        {"localSubnetNames": ["apps"]},
        {"remoteSubnetNames": ["GatewaySubnet"]},
        {"enableOnlyIPv6Peering": True},
    ],
)
def test_a_peering_of_subnets_is_not_made_up(arm: Arm, part: dict[str, object]) -> None:
    arm.vnet("a", "10.1.0.0/16")
    arm.vnet("b", "10.2.0.0/16")
    body = {"properties": arm.peering_properties("b") | part}
    reply = arm.call("PUT", "virtualNetworks/a/virtualNetworkPeerings/x", body)
    assert (reply.status, reply.code) == (501, "NotModelledByLab")


def test_the_codes_nobody_knows_differ_from_run_to_run(clock: SteppedClock) -> None:
    codes = {Lab(clock).context.unknown.get_code("second remote gateway") for _ in range(3)}
    assert len(codes) == 3


@pytest.mark.parametrize("flags", [{"transit": True, "remote": True}])
def test_lending_and_borrowing_at_once_is_refused(
    hub_and_spoke: Arm, flags: dict[str, bool]
) -> None:
    reply = hub_and_spoke.peering_refused("spoke", "hub", **flags)
    assert_unknown(hub_and_spoke, reply, "transit and remote gateways")


def test_the_server_listens_on_loopback_only(server: LabServer) -> None:
    assert server.endpoint.startswith("https://127.0.0.1:")
