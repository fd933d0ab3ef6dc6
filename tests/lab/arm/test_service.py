"""Verbs, asynchronous operations and errors of the lab's ARM service."""

from __future__ import annotations

import json
import ssl
import urllib.request

import pytest

from erfailover.lab.core.clock import ScaledClock, SteppedClock
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server.server import LabServer
from tests.support.arm_client import API, Arm

SPACE = {"addressSpace": {"addressPrefixes": ["10.1.0.0/16"]}}


def vnet_body(**more: object) -> dict[str, object]:
    return {"location": "westeurope", "properties": SPACE, **more}


# Asynchronous operations.


def test_a_creation_is_201_and_updating_with_one_header(arm: Arm) -> None:
    reply = arm.call("PUT", "virtualNetworks/a", vnet_body())
    assert reply.status == 201
    assert reply.body["properties"]["provisioningState"] == "Updating"
    assert reply.headers["azure-asyncnotification"] == "Enabled"
    assert "Location" not in reply.headers
    assert reply.headers["Retry-After"] == "3"
    url = reply.headers["Azure-AsyncOperation"]
    assert url.endswith(f"?api-version={API}")
    assert arm.call("GET", url).body == {"status": "InProgress"}
    arm.clock.sleep(2)
    assert arm.call("GET", url).body == {"status": "Succeeded"}
    assert arm.get("virtualNetworks/a")["properties"]["provisioningState"] == "Succeeded"


def test_an_update_is_200(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    space = {"addressSpace": {"addressPrefixes": ["10.1.0.0/16", "10.9.0.0/16"]}}
    reply = arm.call("PUT", "virtualNetworks/a", vnet_body(properties=space))
    assert reply.status == 200
    assert reply.body["properties"]["provisioningState"] == "Updating"


def test_a_put_that_changes_nothing_succeeds_at_once(arm: Arm) -> None:
    arm.wait(arm.call("PUT", "virtualNetworks/a", vnet_body()))
    reply = arm.call("PUT", "virtualNetworks/a", vnet_body(tags={"a": "b"}))
    assert reply.status == 200
    assert reply.body["properties"]["provisioningState"] == "Succeeded"
    assert reply.body["tags"] == {"a": "b"}
    polled = arm.call("GET", reply.headers["Azure-AsyncOperation"])
    assert polled.body == {"status": "Succeeded"}


def test_a_deletion_is_202_and_its_location_ends_in_204(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    reply = arm.call("DELETE", "virtualNetworks/a")
    assert reply.status == 202
    assert reply.body is None
    location = reply.headers["Location"]
    assert "/operationResults/" in location
    polled = arm.call("GET", location)
    assert polled.status == 202
    assert "Location" in polled.headers
    assert arm.get("virtualNetworks/a")["properties"]["provisioningState"] == "Deleting"
    arm.wait(reply)
    assert arm.call("GET", location).status == 204
    assert arm.call("GET", "virtualNetworks/a").code == "ResourceNotFound"


def test_deleting_what_is_not_there_is_204(arm: Arm) -> None:
    assert arm.call("DELETE", "virtualNetworks/none").status == 204


def test_an_interface_is_created_succeeded_and_carries_the_header(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16", s="10.1.0.0/24")
    inner = {"subnet": {"id": arm.id("virtualNetworks/a/subnets/s")}}
    properties = {"ipConfigurations": [{"name": "one", "properties": inner}]}
    body = {"location": "westeurope", "properties": properties}
    reply = arm.call("PUT", "networkInterfaces/n", body)
    assert reply.body["properties"]["provisioningState"] == "Succeeded"
    assert "Azure-AsyncOperation" in reply.headers
    (configuration,) = reply.body["properties"]["ipConfigurations"]
    assert configuration["properties"]["privateIPAddress"] == "10.1.0.4"


def test_a_gateways_first_answer_takes_seven_seconds(arm: Arm) -> None:
    arm.vnet("hub", "10.2.0.0/16", GatewaySubnet="10.2.0.0/27")
    arm.public_ip("g-ip")
    body = {"location": "westeurope", "properties": arm.gateway_properties("g", "hub")}
    before = arm.clock.now()
    reply = arm.call("PUT", "virtualNetworkGateways/g", body)
    assert arm.clock.now() - before == 7
    url = reply.headers["Azure-AsyncOperation"]
    waits = [int(arm.call("GET", url).headers["Retry-After"]) for _ in range(10)]
    assert waits == [10, 10, 20, 20, 40, 40, 80, 160, 100, 100]
    before = arm.clock.now()
    arm.wait(reply)
    assert 1085 <= arm.clock.now() - before <= 1085 + 100
    settings = arm.get("virtualNetworkGateways/g")["properties"]["bgpSettings"]
    assert settings["bgpPeeringAddress"] == "10.2.0.30"
    (row,) = settings["bgpPeeringAddresses"]
    public = arm.get("publicIPAddresses/g-ip")["properties"]
    assert row["tunnelIpAddresses"] == [public["ipAddress"]]
    assert public["ipConfiguration"]["id"].endswith("/g/ipConfigurations/default")


def test_tags_of_a_gateway_take_their_time_without_a_header(hub_and_spoke: Arm) -> None:
    arm = hub_and_spoke
    reply = arm.call("PATCH", "virtualNetworkGateways/g1", {"tags": {"a": "b"}})
    assert reply.status == 200
    assert "Azure-AsyncOperation" not in reply.headers
    assert reply.body["properties"]["provisioningState"] == "Updating"
    arm.clock.sleep(120)
    gateway = arm.get("virtualNetworkGateways/g1")
    assert gateway["properties"]["provisioningState"] == "Succeeded"
    assert gateway["tags"] == {"a": "b"}


def test_tags_of_others_change_at_once(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    etag = arm.get("virtualNetworks/a")["etag"]
    reply = arm.call("PATCH", "virtualNetworks/a", {"tags": {"x": "y"}})
    assert (reply.status, reply.body["tags"]) == (200, {"x": "y"})
    assert reply.body["etag"] != etag


def test_a_scaled_clock_asks_for_polls_in_milliseconds_of_the_wall() -> None:
    lab = Lab(ScaledClock(1000))
    with LabServer(lab) as server:
        arm = Arm(lab, SteppedClock(), server.endpoint, str(server.ca_file))
        arm.make_group()
        reply = arm.call("PUT", "virtualNetworks/a", vnet_body())
        assert reply.headers["x-ms-retry-after-ms"] == "10"
        assert "Retry-After" not in reply.headers
        arm.pool.clear()


def test_a_shared_key_is_shown_set_and_reset(hub_and_spoke: Arm) -> None:
    arm = hub_and_spoke
    local = {"localNetworkAddressSpace": {"addressPrefixes": ["10.9.0.0/16"]}}
    arm.put("localNetworkGateways/l", {"gatewayIpAddress": "20.1.1.1", **local})
    arm.put(
        "connections/c",
        {
            "connectionType": "IPsec",
            "sharedKey": "first",
            "virtualNetworkGateway1": {"id": arm.id("virtualNetworkGateways/g1")},
            "localNetworkGateway2": {"id": arm.id("localNetworkGateways/l")},
        },
    )
    assert arm.get("connections/c/sharedkey") == {"value": "first"}
    reply = arm.call("PUT", "connections/c/sharedkey", {"value": "second"})
    assert (reply.status, reply.body) == (200, {"value": "second"})
    arm.wait(reply)
    assert arm.get("connections/c/sharedkey") == {"value": "second"}
    reply = arm.call("POST", "connections/c/sharedkey/reset", {"keyLength": 20})
    assert reply.status == 202
    arm.wait(reply)
    assert arm.call("GET", reply.headers["Location"]).body == {"keyLength": 20}
    assert len(arm.get("connections/c/sharedkey")["value"]) == 20


# Reading.


def test_lists_are_by_subscription_group_and_parent(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16", s="10.1.0.0/24", t="10.1.1.0/24")
    other = Arm(arm.lab, arm.clock, arm.endpoint, arm.ca_file, group="second")
    other.make_group()
    other.vnet("b", "10.2.0.0/16")
    assert [vnet["name"] for vnet in arm.get("virtualNetworks")["value"]] == ["a"]
    everywhere = f"/subscriptions/{arm.lab.identity.subscription}/providers/Microsoft.Network"
    names = [vnet["name"] for vnet in arm.get(f"{everywhere}/virtualNetworks")["value"]]
    assert names == ["a", "b"]
    subnets = arm.get("virtualNetworks/a/subnets")["value"]
    assert [subnet["name"] for subnet in subnets] == ["s", "t"]
    value = arm.get(f"{arm.root}/resources?$filter=resourceType eq 'Microsoft.Network/x'")
    assert value["value"] == []
    groups = arm.get(f"/subscriptions/{arm.lab.identity.subscription}/resourcegroups")["value"]
    assert [group["name"] for group in groups] == ["rg", "second"]
    other.pool.clear()


@pytest.mark.parametrize(
    "spelling",
    [
        "/subscriptions/{s}/resourcegroups/RG/providers/microsoft.network/VIRTUALNETWORKS/A",
        "//subscriptions/{s}//resourceGroups/rg/providers/Microsoft.Network//virtualNetworks/a",
    ],
)
def test_any_case_and_doubled_slashes_find_the_resource(arm: Arm, spelling: str) -> None:
    arm.vnet("a", "10.1.0.0/16")
    path = spelling.format(s=arm.lab.identity.subscription)
    assert arm.get(path)["id"] == arm.id("virtualNetworks/a")


def test_what_refers_to_a_subnet_is_shown_there(hub_and_spoke: Arm) -> None:
    subnet = hub_and_spoke.get("virtualNetworks/hub/subnets/GatewaySubnet")["properties"]
    gateway = hub_and_spoke.id("virtualNetworkGateways/g1")
    assert subnet["ipConfigurations"] == [{"id": f"{gateway}/ipConfigurations/default"}]


def test_an_etag_changes_with_every_write_and_guards_the_next(arm: Arm) -> None:
    old = arm.vnet("a", "10.1.0.0/16")["etag"]
    space = {"addressSpace": {"addressPrefixes": ["10.1.0.0/16", "10.3.0.0/16"]}}
    new = arm.put("virtualNetworks/a", space)["etag"]
    assert new != old
    reply = arm.call("PUT", "virtualNetworks/a", vnet_body(), headers={"If-Match": old})
    assert (reply.status, reply.code) == (412, "PreconditionFailed")
    reply = arm.call("PUT", "virtualNetworks/a", vnet_body(), headers={"If-Match": new})
    assert reply.status == 200


# Errors.


def test_a_missing_resource_is_told_by_arms_front_door(arm: Arm) -> None:
    reply = arm.call("GET", "virtualNetworks/x")
    assert (reply.status, reply.code) == (404, "ResourceNotFound")
    assert reply.headers["x-ms-failure-cause"] == "gateway"
    assert reply.message == (
        "The Resource 'Microsoft.Network/virtualNetworks/x' under resource group 'rg' was not "
        "found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )


def test_a_missing_child_is_told_by_the_provider(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    reply = arm.call("GET", "virtualNetworks/a/subnets/x")
    assert (reply.status, reply.code) == (404, "NotFound")
    assert "x-ms-failure-cause" not in reply.headers
    assert reply.message == f"Resource {arm.id('virtualNetworks/a/subnets/x')} not found."


def test_a_missing_group_is_told(arm: Arm) -> None:
    arm.group = "nowhere"
    for method in ("GET", "DELETE"):
        reply = arm.call(method, "virtualNetworks/x")
        assert (reply.status, reply.code) == (404, "ResourceGroupNotFound")
        assert reply.message == "Resource group 'nowhere' could not be found."


def test_another_subscription_is_not_found(arm: Arm) -> None:
    reply = arm.call("GET", "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups")
    assert (reply.status, reply.code) == (404, "SubscriptionNotFound")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "applicationGateways/x"),
        ("GET", "natGateways"),
        ("POST", "virtualNetworkGateways/x/generatevpnprofile"),
        ("GET", "Microsoft.Storage/storageAccounts/x"),
        ("GET", "virtualNetworks/a/usages"),
    ],
)
def test_what_is_not_modelled_is_a_loud_501(arm: Arm, method: str, path: str) -> None:
    reply = arm.call(method, path, {} if method == "PUT" else None)
    assert (reply.status, reply.code) == (501, "NotModelledByLab")
    assert "does not model" in reply.message


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"", 400, "InvalidRequestContent"),
        (b"{", 400, "InvalidRequestContent"),
        (b"[1]", 400, "InvalidRequestContent"),
        (b"\xff\xfe", 400, "InvalidRequestContent"),
        (b"[" * 100_000, 400, "InvalidRequestContent"),
        (b'{"properties": {}}', 400, "LocationRequired"),
        (b'{"location": 7}', 400, "InvalidRequestFormat"),
        (b'{"location": "westeurope", "properties": 3}', 400, "InvalidRequestFormat"),
        (b'{"location": "westeurope", "tags": {"a": 1}}', 400, "InvalidRequestFormat"),
        (
            b'{"location": "westeurope", "properties": {"subnets": [null]}}',
            400,
            "InvalidRequestFormat",
        ),
        (b'{"location": "westeurope"}', 400, "MissingRequiredParameter"),
        (
            b'{"location": "westeurope", "properties": {"addressSpace": '
            b'{"addressPrefixes": ["10.0.0.1/8"]}}}',
            400,
            "InvalidAddressPrefixFormat",
        ),
        (b'"' + b"x" * (4 * 2**20) + b'"', 413, "RequestContentTooLarge"),
    ],
)
def test_bad_bodies_are_refused_as_arm_does(arm: Arm, raw: bytes, status: int, code: str) -> None:
    reply = arm.call("PUT", "virtualNetworks/a", raw=raw)
    assert (reply.status, reply.code) == (status, code)


def test_a_request_without_api_version_is_refused(arm: Arm) -> None:
    reply = arm.call("GET", f"{arm.endpoint}{arm.root}")
    assert (reply.status, reply.code) == (400, "MissingApiVersionParameter")


def test_an_unknown_verb_is_refused(arm: Arm) -> None:
    assert arm.call("PROPFIND", "virtualNetworks/a").code == "MethodNotAllowed"
    assert arm.call("POST", "virtualNetworks/a", {}).status == 405


def test_names_that_azure_would_not_take_are_refused(arm: Arm) -> None:
    reply = arm.call("PUT", "virtualNetworks/a%3Fb", vnet_body())
    assert (reply.status, reply.code) == (400, "InvalidResourceName")


def test_a_resource_does_not_move_to_another_location(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    reply = arm.expect_refusal("virtualNetworks/a", SPACE, location="northeurope")
    assert (reply.status, reply.code) == (409, "InvalidResourceLocation")


def test_a_group_in_deletion_takes_nothing_new(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    reply = arm.call("DELETE", arm.root)
    assert arm.expect_refusal("virtualNetworks/b", SPACE).code == "ResourceGroupBeingDeleted"
    assert arm.wait(reply).status == 200


def test_a_group_that_others_use_is_not_deleted(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16", s="10.1.0.0/24")
    subnet = arm.id("virtualNetworks/a/subnets/s")
    other = Arm(arm.lab, arm.clock, arm.endpoint, arm.ca_file, group="second")
    other.make_group()
    inner = {"subnet": {"id": subnet}}
    other.put("networkInterfaces/n", {"ipConfigurations": [{"name": "x", "properties": inner}]})
    reply = arm.call("DELETE", arm.root)
    assert (reply.status, reply.code) == (409, "ResourceGroupDeletionBlocked")
    other.pool.clear()


# The lab's own paths.


def test_the_trace_tells_writes_from_reads(arm: Arm) -> None:
    arm.vnet("a", "10.1.0.0/16")
    arm.call("GET", "virtualNetworks/nowhere")
    headers = {"Authorization": f"Bearer {arm.lab.identity.lab_secret}"}
    rows = arm.call("GET", f"{arm.endpoint}/lab/trace", headers=headers).body["value"]
    writes = [row["path"].rsplit("/", 1)[1] for row in rows if row["write"]]
    assert writes == ["rg", "a"]
    assert (rows[-1]["status"], rows[-1]["code"]) == (404, "ResourceNotFound")


def test_the_labs_own_paths_need_its_secret(arm: Arm) -> None:
    assert arm.call("GET", f"{arm.endpoint}/lab/status").code == "LabSecretRequired"


def test_a_lab_can_refuse_its_own_paths(arm: Arm) -> None:
    arm.lab.refuse_lab_paths = True
    headers = {"Authorization": f"Bearer {arm.lab.identity.lab_secret}"}
    reply = arm.call("GET", f"{arm.endpoint}/lab/status", headers=headers)
    assert (reply.status, reply.code) == (403, "LabPathsRefused")


def test_reset_empties_the_world_and_keeps_who_listens(arm: Arm) -> None:
    calls: list[float] = []
    arm.lab.listen(lambda: calls.append(arm.lab.world.now))
    arm.vnet("a", "10.1.0.0/16")
    headers = {"Authorization": f"Bearer {arm.lab.identity.lab_secret}"}
    reply = arm.call("POST", f"{arm.endpoint}/lab/reset", headers=headers)
    assert reply.body["resources"] == {}
    before = len(calls)
    arm.make_group()
    assert len(calls) > before


def test_a_host_that_is_not_this_machine_is_turned_away(server: LabServer) -> None:
    request = urllib.request.Request(server.endpoint + "/tenants", headers={"Host": "evil.test:1"})
    context = ssl.create_default_context(cafile=str(server.ca_file))
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, context=context)
    with caught.value as answer:
        assert answer.code == 421
        assert json.loads(answer.read())["error"]["code"] == "MisdirectedRequest"
