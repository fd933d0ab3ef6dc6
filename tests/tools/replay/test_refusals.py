"""Refusals word for word, as real Azure is known to answer them.

Each text is what public recordings and issue threads show; names and ids are the test's own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server.server import LabServer
from tests.support.arm_client import Arm, Reply

Json = Any
NETWORK = "Microsoft.Network"


@pytest.fixture(scope="module")
def arm() -> Iterator[Arm]:
    """A hub with a gateway, a spoke with a machine's interface and address; nothing peered."""
    clock = SteppedClock()
    lab = Lab(clock, seed=5)
    with LabServer(lab) as server:
        client = Arm(lab, clock, server.endpoint, str(server.ca_file))
        client.make_group()
        client.vnet("spoke", "10.1.0.0/16", apps="10.1.0.0/24")
        client.vnet("hub", "10.2.0.0/16", GatewaySubnet="10.2.0.0/24")
        client.gateway("gw", "hub")
        client.public_ip("m-ip")
        client.put("networkInterfaces/m-nic", interface(client, "m-ip"))
        client.put("Microsoft.Compute/virtualMachines/m", machine(client))
        client.put("routeTables/table", {})
        client.put("routeTables/table/routes/one", ROUTE)
        yield client
        client.pool.clear()


ROUTE = {"addressPrefix": "8.8.4.4/32", "nextHopType": "Internet"}


def interface(arm: Arm, address: str = "") -> Json:
    inner = {"subnet": {"id": arm.id("virtualNetworks/spoke/subnets/apps")}}
    if address:
        inner["publicIPAddress"] = {"id": arm.id(f"publicIPAddresses/{address}")}
    return {"ipConfigurations": [{"name": "one", "properties": inner}]}


def machine(arm: Arm) -> Json:
    return {
        "hardwareProfile": {"vmSize": "Standard_B2ats_v2"},
        "osProfile": {"adminUsername": "someone", "adminPassword": "Lab-password-1"},
        "networkProfile": {"networkInterfaces": [{"id": arm.id("networkInterfaces/m-nic")}]},
    }


def settle(arm: Arm) -> None:
    """Let whatever is under way end."""
    arm.clock.sleep(3600)


def error(reply: Reply) -> tuple[int, str, str]:
    return reply.status, reply.code, reply.message


def detail(reply: Reply) -> tuple[str, str]:
    (value,) = reply.body["error"]["details"]
    return value["code"], value["message"]


TOP = (
    "connections",
    "localNetworkGateways",
    "networkInterfaces",
    "publicIPAddresses",
    "routeTables",
    "virtualNetworkGateways",
    "virtualNetworks",
)


@pytest.mark.parametrize("kind", TOP)
def test_a_missing_resource_is_not_found(arm: Arm, kind: str) -> None:
    assert error(arm.call("GET", f"{kind}/none")) == (
        404,
        "ResourceNotFound",
        f"The Resource '{NETWORK}/{kind}/none' under resource group 'rg' was not found. For more "
        "details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("kind", TOP)
def test_in_a_missing_group_the_group_is_not_found(arm: Arm, kind: str, method: str) -> None:
    path = arm.id(f"{kind}/one").replace("/rg/", "/gone/")
    body = {"location": "westeurope"} if method == "PUT" else None
    assert error(arm.call(method, path, body)) == (
        404,
        "ResourceGroupNotFound",
        "Resource group 'gone' could not be found.",
    )


@pytest.mark.parametrize(
    "path",
    [
        "virtualNetworks/spoke/subnets/none",
        "virtualNetworks/spoke/virtualNetworkPeerings/none",
        "routeTables/table/routes/none",
    ],
)
def test_a_missing_child_is_told_by_its_provider(arm: Arm, path: str) -> None:
    message = f"Resource {arm.id(path)} not found."
    assert error(arm.call("GET", path)) == (404, "NotFound", message)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    ("path", "parent"),
    [
        ("virtualNetworks/none/subnets/one", f"{NETWORK}/virtualNetworks/none"),
        ("virtualNetworks/none/virtualNetworkPeerings/one", f"{NETWORK}/virtualNetworks/none"),
        ("routeTables/none/routes/one", f"{NETWORK}/routeTables/none"),
    ],
)
def test_of_a_child_without_parent_the_parent_is_not_found(
    arm: Arm, method: str, path: str, parent: str
) -> None:
    reply = arm.call(method, path)
    assert (reply.status, reply.code) == (404, "ResourceNotFound")
    assert reply.message.startswith(f"The Resource '{parent}' under resource group 'rg' was not")


def test_before_2020_a_missing_resource_is_told_without_a_link() -> None:
    clock = SteppedClock()
    lab = Lab(clock, seed=5, today=dt.date(2018, 5, 10))
    with LabServer(lab) as server:
        old = Arm(lab, clock, server.endpoint, str(server.ca_file))
        old.make_group()
        assert old.call("GET", "virtualNetworks/none").message == (
            f"The Resource '{NETWORK}/virtualNetworks/none' under resource group 'rg' was not "
            "found."
        )
        old.pool.clear()


def test_a_reference_to_what_is_not_there(arm: Arm) -> None:
    subnet, nic = arm.id("virtualNetworks/none/subnets/one"), arm.id("networkInterfaces/new")
    inner = {"subnet": {"id": subnet}}
    reply = arm.expect_refusal(
        "networkInterfaces/new", {"ipConfigurations": [{"name": "one", "properties": inner}]}
    )
    assert error(reply) == (
        400,
        "InvalidResourceReference",
        f"Resource {subnet} referenced by resource {nic} was not found. Please make sure that the "
        "referenced resource exists, and that both resources are in the same region.",
    )


def test_several_configurations_and_none_primary(arm: Arm) -> None:
    inner = {"subnet": {"id": arm.id("virtualNetworks/spoke/subnets/apps")}}
    rows = [{"name": name, "properties": inner} for name in ("one", "two")]
    reply = arm.expect_refusal("networkInterfaces/new", {"ipConfigurations": rows})
    assert error(reply) == (
        400,
        "NetworkInterfaceMustHaveOneOneIPConfigAsPrimary",
        "Network Interface new specifies multiple IPConfigurations but none of the "
        "IPConfigurations is specified as Primary.",
    )


def test_an_interface_that_a_machine_has(arm: Arm) -> None:
    vm = arm.id("Microsoft.Compute/virtualMachines/m")
    assert error(arm.call("DELETE", "networkInterfaces/m-nic")) == (
        400,
        "NicInUse",
        f"Network Interface {arm.id('networkInterfaces/m-nic')} is used by existing VM {vm}.",
    )


def test_an_address_that_something_has(arm: Arm) -> None:
    user = arm.id("networkInterfaces/m-nic/ipConfigurations/one")
    assert error(arm.call("DELETE", "publicIPAddresses/m-ip")) == (
        400,
        "PublicIPAddressCannotBeDeleted",
        f"Public IP address {arm.id('publicIPAddresses/m-ip')} can not be deleted since it is "
        f"still allocated to resource {user}. In order to delete the public IP, "
        "disassociate/detach the Public IP address from the resource.  To learn how to do this, "
        "see aka.ms/deletepublicip.",
    )


@pytest.mark.parametrize("path", ["virtualNetworks/spoke", "virtualNetworks/spoke/subnets/apps"])
def test_a_subnet_that_something_is_in(arm: Arm, path: str) -> None:
    user = arm.id("networkInterfaces/m-nic/ipConfigurations/one")
    assert error(arm.call("DELETE", path)) == (
        400,
        "InUseSubnetCannotBeDeleted",
        f"Subnet apps is in use by {user} and cannot be deleted. In order to delete the subnet, "
        "delete all the resources within the subnet. See aka.ms/deletesubnet.",
    )


def test_an_address_prefix_that_is_none(arm: Arm) -> None:
    subnet = "virtualNetworks/spoke/subnets/new"
    assert error(arm.expect_refusal(subnet, {"addressPrefix": "10.1.4.0/24--no-wait"})) == (
        400,
        "InvalidAddressPrefixFormat",
        f"Address prefix 10.1.4.0/24--no-wait of resource {arm.id(subnet)} is not formatted "
        "correctly. It should follow CIDR notation, for example 10.0.0.0/24.",
    )


def test_a_gateways_upgrade_from_basic_and_change_of_generation(arm: Arm) -> None:
    gateway = arm.id("virtualNetworkGateways/gw")
    names = (
        "System.Collections.Generic.List`1[Microsoft.WindowsAzure.Networking.Nrp.Frontend."
        "Contract.Csm.Public.VirtualNetworkGatewaySkuName]"
    )
    sku = {"sku": {"name": "Standard", "tier": "Standard"}}
    reply = arm.expect_refusal(
        "virtualNetworkGateways/gw", arm.gateway_properties("gw", "hub", **sku)
    )
    assert error(reply) == (
        400,
        "InvalidGatewaySkuSpecifiedForGatewayDeploymentType",
        f"Virtual network gateway Sku specified is not valid for gateway {gateway} with "
        f"DeploymentType VMScaleSet. The allowed Skus are {names},{names}.",
    )


def test_a_global_address_of_the_basic_sku(arm: Arm) -> None:
    reply = arm.expect_refusal(
        "publicIPAddresses/new",
        {"publicIPAllocationMethod": "Static"},
        sku={"name": "Basic", "tier": "Global"},
    )
    assert error(reply) == (
        400,
        "GlobalPublicIPAddressNotSupportedForBasicPublicIpAddress",
        "Global publicIP addresses are only supported for standard SKU public IP addresses. "
        f"Public IP address {arm.id('publicIPAddresses/new')} is not standard SKU.",
    )


@pytest.mark.parametrize(
    ("location", "code", "start"),
    [
        (
            "non-existing",
            "InvalidResourceLocation",
            "The specified location 'non-existing' is invalid. A location must consist of "
            "characters, whitespace, digit, or following symbols '(,)'.",
        ),
        (
            "local",
            "LocationNotAvailableForResourceGroup",
            "The provided location 'local' is not available for resource group. List of "
            "available regions is '",
        ),
    ],
)
def test_a_group_where_there_is_no_region(arm: Arm, location: str, code: str, start: str) -> None:
    path = arm.root.replace("/rg", "/new")
    reply = arm.call("PUT", path, {"location": location})
    assert (reply.status, reply.code) == (400, code)
    assert reply.message.startswith(start)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_groups_name_with_characters_it_cannot_have(arm: Arm, method: str) -> None:
    body = {"location": "westeurope"} if method == "PUT" else None
    assert error(arm.call(method, arm.root.replace("/rg", "/~`1"), body)) == (
        400,
        "InvalidResourceGroup",
        "The provided resource group name '~`1' has these invalid characters: '~`'. The name can "
        "only be a letter, digit, '-', '.', '(', ')' or '_'.",
    )


def test_a_body_that_cannot_be_parsed(arm: Arm) -> None:
    reply = arm.expect_refusal("virtualNetworks/new", {"addressSpace": 1})
    assert error(reply) == (400, "InvalidRequestFormat", "Cannot parse the request.")
    assert detail(reply)[0] == "InvalidJson"


@pytest.mark.parametrize(
    ("method", "operation"), [("PUT", "PutRouteOperation"), ("DELETE", "DeleteRouteOperation")]
)
def test_a_second_write_to_a_route_table(arm: Arm, method: str, operation: str) -> None:
    arm.put("routeTables/table/routes/two", ROUTE | {"addressPrefix": "8.8.8.8/32"})
    changed = {"properties": ROUTE | {"addressPrefix": "9.9.9.9/32"}}
    first = arm.call(method, "routeTables/table/routes/two", changed if method == "PUT" else None)
    name = first.headers["Azure-AsyncOperation"].split("?")[0].rsplit("/", 1)[-1]
    reply = arm.expect_refusal("routeTables/table/routes/three", ROUTE)
    settle(arm)
    assert error(reply) == (429, "RetryableError", "A retryable error occurred.")
    assert detail(reply) == (
        "RetryableErrorDueToAnotherOperation",
        f"Operation {operation} ({name}) is updating resource {arm.id('routeTables/table')}. The "
        f"call can be retried in {reply.headers['Retry-After']} seconds.",
    )


def test_a_peering_to_a_vnet_under_write(arm: Arm) -> None:
    peering = "virtualNetworks/spoke/virtualNetworkPeerings/spoke-to-hub"
    arm.call("PUT", "virtualNetworks/hub/subnets/new", {"properties": {"addressPrefix": NEW}})
    reply = arm.expect_refusal(peering, arm.peering_properties("hub", access=True))
    settle(arm)
    assert error(reply) == (
        400,
        "ReferencedResourceNotProvisioned",
        f"Cannot proceed with operation because resource {arm.id('virtualNetworks/hub')} used by "
        f"resource {arm.id(peering)} is not in Succeeded state. Resource is in Updating state and "
        "the last operation that updated/is updating the resource is PutSubnetOperation.",
    )


NEW = "10.2.9.0/24"


def test_an_interface_in_a_subnet_under_write(arm: Arm) -> None:
    subnet = "virtualNetworks/spoke/subnets/more"
    arm.call("PUT", subnet, {"properties": {"addressPrefix": "10.1.8.0/24"}})
    inner = {"subnet": {"id": arm.id(subnet)}}
    rows = [{"name": "one", "properties": inner}]
    reply = arm.expect_refusal("networkInterfaces/new", {"ipConfigurations": rows})
    settle(arm)
    assert error(reply) == (429, "RetryableError", "A retryable error occurred.")
    assert detail(reply) == (
        "ReferencedResourceNotProvisioned",
        f"Cannot proceed with operation because resource {arm.id(subnet)} used by resource "
        f"{arm.id('networkInterfaces/new')} is not in Succeeded state. Resource is in Updating "
        "state and the last operation that updated/is updating the resource is "
        "PutSubnetOperation.",
    )


def test_a_second_subnet_of_a_vnet_under_write(arm: Arm) -> None:
    first = arm.call(
        "PUT", "virtualNetworks/spoke/subnets/two", {"properties": {"addressPrefix": "10.1.6.0/24"}}
    )
    reply = arm.expect_refusal(
        "virtualNetworks/spoke/subnets/three", {"addressPrefix": "10.1.7.0/24"}
    )
    settle(arm)
    uri = first.headers["Azure-AsyncOperation"].split("?")[0]
    assert (reply.status, reply.code) == (409, "AnotherOperationInProgress")
    assert reply.message.startswith(
        "Another operation on this or dependent resource is in progress. To retrieve status of "
        f"the operation use uri: {uri}"
    )


def test_remote_gateways_where_there_are_none(arm: Arm) -> None:
    arm.vnet("plain", "10.7.0.0/16")
    path = "virtualNetworks/spoke/virtualNetworkPeerings/spoke-to-plain"
    assert error(arm.peering_refused("spoke", "plain", remote=True)) == (
        400,
        "RemoteVnetHasNoGateways",
        f"Peering {arm.id(path)} cannot have UseRemoteGateway flag set to true because remote "
        f"virtual network {arm.id('virtualNetworks/plain')} referenced by the peering does not "
        "have any gateways.",
    )


def test_remote_gateways_where_the_other_side_forbids_transit(arm: Arm) -> None:
    arm.vnet("spoke2", "10.12.0.0/16")
    arm.peering("hub", "spoke2", access=True, transit=False)
    reply = arm.peering_refused("spoke2", "hub", remote=True)
    assert reply.message.endswith(
        "spoke2-to-hub cannot have UseRemoteGateways flag set to true, because corresponding "
        "remote peering has AllowGatewayTransit flag set to false."
    )


def test_a_second_peering_with_remote_gateways(arm: Arm) -> None:
    arm.vnet("spoke3", "10.13.0.0/16")
    arm.vnet("hub3", "10.23.0.0/16", GatewaySubnet="10.23.0.0/24")
    arm.gateway("gw3", "hub3")
    for hub in ("hub", "hub3"):
        arm.peering(hub, "spoke3", access=True, transit=True)
    arm.peering("spoke3", "hub", access=True, remote=True)
    other = arm.id("virtualNetworks/spoke3/virtualNetworkPeerings/spoke3-to-hub")
    assert arm.peering_refused("spoke3", "hub3", remote=True).message == (
        "Peering spoke3/spoke3-to-hub3 cannot have UseRemoteGateways flag set to true, because "
        f"another peering {other} already has UseRemoteGateways flag set to true."
    )


def test_vnets_whose_address_spaces_overlap(arm: Arm) -> None:
    arm.vnet("same", "10.1.0.0/16")
    path = "virtualNetworks/spoke/virtualNetworkPeerings/spoke-to-same"
    one, other = arm.id("virtualNetworks/spoke"), arm.id("virtualNetworks/same")
    assert error(arm.peering_refused("spoke", "same", access=True)) == (
        400,
        "VnetAddressSpacesOverlap",
        f"Cannot create or update peering {arm.id(path)}. Virtual networks {one} and {other} "
        "cannot be peered because their address spaces overlap. Overlapping address prefixes: "
        "10.1.0.0/16, 10.1.0.0/16",
    )


def test_a_peering_whose_opposite_is_disconnected(arm: Arm) -> None:
    arm.vnet("left", "10.31.0.0/16")
    arm.vnet("right", "10.32.0.0/16")
    arm.peering("left", "right", access=True)
    arm.peering("right", "left", access=True)
    arm.delete("virtualNetworks/left/virtualNetworkPeerings/left-to-right")
    one = arm.id("virtualNetworks/left/virtualNetworkPeerings/left-to-right")
    other = arm.id("virtualNetworks/right/virtualNetworkPeerings/right-to-left")
    assert error(arm.peering_refused("left", "right", access=True)) == (
        400,
        "RemotePeeringIsDisconnected",
        f"Cannot create or update peering {one} because remote peering {other} referencing parent "
        f"virtual network {arm.id('virtualNetworks/left')} is in Disconnected state. Update or "
        "re-create the remote peering to get it back to Initiated state. Peering gets "
        "Disconnected when remote vnet or remote peering is deleted and re-created.",
    )


def test_a_second_peering_to_the_same_vnet(arm: Arm) -> None:
    arm.vnet("third", "10.33.0.0/16")
    arm.peering("spoke", "third", access=True)
    path = "virtualNetworks/spoke/virtualNetworkPeerings/again"
    reply = arm.expect_refusal(path, arm.peering_properties("third", access=True))
    assert reply.code == "AnotherPeeringAlreadyReferencesRemoteVnet"


def test_a_peering_of_a_vnet_in_deletion(arm: Arm) -> None:
    arm.vnet("leaving", "10.34.0.0/16")
    arm.vnet("staying", "10.35.0.0/16")
    arm.peering("leaving", "staying", access=True)
    arm.peering("staying", "leaving", access=True)
    assert arm.call("DELETE", "virtualNetworks/leaving").status == 202
    path = "virtualNetworks/staying/virtualNetworkPeerings/staying-to-leaving"
    reply = arm.call("DELETE", path)
    settle(arm)
    assert error(reply) == (
        400,
        "ReferencedResourceNotProvisioned",
        f"Cannot proceed with operation because resource {arm.id('virtualNetworks/leaving')} used "
        f"by resource {arm.id(path)} is not in Succeeded state. Resource is in Deleting state and "
        "the last operation that updated/is updating the resource is "
        "DeleteVirtualNetworkOperation.",
    )


def test_a_gateway_with_connections(arm: Arm) -> None:
    far = {
        "localNetworkAddressSpace": {"addressPrefixes": ["10.4.0.0/16"]},
        "gatewayIpAddress": "203.0.113.4",
    }
    arm.put("localNetworkGateways/far", far)
    inner = {
        "connectionType": "IPsec",
        "virtualNetworkGateway1": {"id": arm.id("virtualNetworkGateways/gw")},
        "localNetworkGateway2": {"id": arm.id("localNetworkGateways/far")},
    }
    arm.put("connections/to-far", inner)
    reply = arm.call("DELETE", "virtualNetworkGateways/gw")
    assert (reply.status, reply.code) == (400, "VirtualNetworkGatewayCannotBeDeleted")
