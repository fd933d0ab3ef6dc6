"""Every answer carries the keys that Azure's answers of its kind always carry.

What Azure's answers carry: ``replay/response_keys.json``, 95 % and more of recorded samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server.server import LabServer
from tests.support.arm_client import Arm, Reply
from tests.tools.replay import bodies

Json = Any
TAGS = {"purpose": "test"}
NETWORK, COMPUTE = "Microsoft.Network", "Microsoft.Compute"
VNETS, VMS = f"{NETWORK}/virtualNetworks", f"{COMPUTE}/virtualMachines"
SIZES = {
    "hardwareProfile": {"vmSize": "Standard_B2ats_v2"},
    "storageProfile": {
        "imageReference": {
            "publisher": "Canonical",
            "offer": "ubuntu-24_04-lts",
            "sku": "server",
            "version": "latest",
        },
        "osDisk": {"createOption": "FromImage"},
    },
    "osProfile": {
        "computerName": "m",
        "adminUsername": "someone",
        "adminPassword": "Lab-password-1",
    },
}

_POINT_TO_SITE = "properties.vpnClientConfiguration."
ABSENT = {
    # Only answers of api-versions up to 2019 have it; the samples of this kind are that old.
    "properties.enableVmProtection",
    # Only where point-to-site is set up, which the lab does not model.
    f"{_POINT_TO_SITE}vpnClientAddressPool",
    f"{_POINT_TO_SITE}vpnClientConnectionHealth",
}
"""Keys that an answer of the lab lacks for a reason."""


class Notebook:
    """Sends requests and keeps the last answer of every kind."""

    def __init__(self, arm: Arm) -> None:
        self.arm = arm
        self.answers: dict[str, Json] = {}

    def keep(self, kind: str, method: str, reply: Reply) -> Reply:
        """Keep an answer under ``type | METHOD status``."""
        assert reply.status < 300, reply
        self.answers[f"{kind} | {method} {reply.status}".lower()] = reply.body
        return reply

    def put(self, kind: str, path: str, properties: Json, **top: Json) -> None:
        """Create or update, wait, read."""
        body = {"properties": properties, **top}
        if kind.count("/") == 1:
            body |= {"location": "westeurope", "tags": TAGS}
        self.arm.wait(self.keep(kind, "PUT", self.arm.call("PUT", path, body)))
        self.keep(kind, "GET", self.arm.call("GET", path))

    def twice(self, kind: str, path: str, properties: Json, **top: Json) -> None:
        """Create, read, update, change the tags, list."""
        self.put(kind, path, properties, **top)
        self.put(kind, path, properties, **top)
        if kind.count("/") == 1:
            self.keep(kind, "PATCH", self.arm.call("PATCH", path, {"tags": TAGS}))
            self.arm.clock.sleep(300)
        self.keep(f"{kind} [list]", "GET", self.arm.call("GET", path.rsplit("/", 1)[0]))


def write_groups(note: Notebook) -> None:
    kind, arm = "Microsoft.Resources/resourceGroups", note.arm
    for _ in range(2):
        body = {"location": "westeurope", "tags": TAGS}
        note.keep(kind, "PUT", arm.call("PUT", arm.root, body))
    note.keep(kind, "GET", arm.call("GET", arm.root))
    note.keep(kind, "PATCH", arm.call("PATCH", arm.root, {"tags": TAGS}))
    note.keep(f"{kind} [list]", "GET", arm.call("GET", arm.root.rsplit("/", 1)[0]))


def write_networks(note: Notebook) -> None:
    arm = note.arm
    route = {
        "addressPrefix": "8.8.4.4/32",
        "nextHopType": "VirtualAppliance",
        "nextHopIpAddress": "10.2.2.4",
    }
    routes = [{"name": "one", "properties": route}]
    note.twice(f"{NETWORK}/routeTables", "routeTables/table", {"routes": routes})
    note.twice(f"{NETWORK}/routeTables/routes", "routeTables/table/routes/two", route)
    group = "networkSecurityGroups/group"
    note.twice(f"{NETWORK}/networkSecurityGroups", group, {})
    spaces = {"spoke": "10.1.0.0", "hub": "10.2.0.0"}
    for name, address in spaces.items():
        subnet = {"name": "GatewaySubnet", "properties": {"addressPrefix": f"{address}/24"}}
        space = {"addressPrefixes": [f"{address}/16"]}
        inner = {"addressSpace": space, "subnets": [subnet], "dhcpOptions": {"dnsServers": []}}
        note.twice(VNETS, f"virtualNetworks/{name}", inner)
    path = "virtualNetworks/spoke/subnets/apps"
    inner = {"addressPrefix": "10.1.1.0/24", "routeTable": {"id": arm.id("routeTables/table")}}
    note.twice(f"{VNETS}/subnets", path, inner)
    for one, other in (("spoke", "hub"), ("hub", "spoke")):
        path = f"virtualNetworks/{one}/virtualNetworkPeerings/{one}-to-{other}"
        kind = f"{VNETS}/virtualNetworkPeerings"
        note.twice(kind, path, arm.peering_properties(other, access=True, forwarded=True))


def write_gateways(note: Notebook) -> None:
    arm = note.arm
    address = {"publicIPAllocationMethod": "Static"}
    zones = {"sku": {"name": "Standard"}, "zones": ["1", "2", "3"]}
    note.twice(f"{NETWORK}/publicIPAddresses", "publicIPAddresses/gw-ip", address, **zones)
    gateway = "virtualNetworkGateways/gw"
    note.twice(f"{NETWORK}/virtualNetworkGateways", gateway, arm.gateway_properties("gw", "hub"))
    far = {
        "localNetworkAddressSpace": {"addressPrefixes": ["10.4.0.0/16"]},
        "gatewayIpAddress": "203.0.113.4",
        "bgpSettings": {"asn": 65020, "bgpPeeringAddress": "10.4.0.254"},
    }
    note.twice(f"{NETWORK}/localNetworkGateways", "localNetworkGateways/far", far)
    connection = {
        "connectionType": "IPsec",
        "virtualNetworkGateway1": {"id": arm.id(gateway)},
        "localNetworkGateway2": {"id": arm.id("localNetworkGateways/far")},
        "enableBgp": True,
        "sharedKey": "lab-key",
    }
    note.twice(f"{NETWORK}/connections", "connections/to-far", connection)
    key = arm.call("GET", "connections/to-far/sharedkey")
    note.keep(f"{NETWORK}/connections/sharedkey", "GET", key)


def write_machines(note: Notebook) -> None:
    arm = note.arm
    address = {"publicIPAllocationMethod": "Static"}
    note.put(
        f"{NETWORK}/publicIPAddresses",
        "publicIPAddresses/m-ip",
        address,
        sku={"name": "Standard"},
        zones=["1"],
    )
    subnet = {"id": arm.id("virtualNetworks/spoke/subnets/apps")}
    configuration = {"subnet": subnet, "publicIPAddress": {"id": arm.id("publicIPAddresses/m-ip")}}
    interface = {
        "ipConfigurations": [{"name": "one", "properties": configuration}],
        "networkSecurityGroup": {"id": arm.id("networkSecurityGroups/group")},
    }
    note.twice(f"{NETWORK}/networkInterfaces", "networkInterfaces/m-nic", interface)
    wired = {"networkInterfaces": [{"id": arm.id("networkInterfaces/m-nic")}]}
    path = f"{VMS}/m"
    note.twice(VMS, path, {**SIZES, "networkProfile": wired})
    note.keep(f"{VMS}:instanceView", "GET", arm.call("GET", f"{path}/instanceView"))
    started = arm.call("POST", "networkInterfaces/m-nic/effectiveRouteTable")
    kind = f"{NETWORK}/networkInterfaces:effectiveRouteTable"
    note.keep(kind, "POST", arm.wait(started))
    for kind, path in (("publicIPAddresses", "gw-ip"), ("networkInterfaces", "m-nic")):
        note.keep(f"{NETWORK}/{kind}", "GET", arm.call("GET", f"{kind}/{path}"))
    kind = "Microsoft.Resources/resourceGroups:resources"
    note.keep(kind, "GET", arm.call("GET", f"{arm.root}/resources"))


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, Json]]:
    """The last answer of every kind that a whole topology shows."""
    clock = SteppedClock()
    lab = Lab(clock, seed=3)
    with LabServer(lab) as server:
        note = Notebook(Arm(lab, clock, server.endpoint, str(server.ca_file)))
        for write in (write_groups, write_networks, write_gateways, write_machines):
            write(note)
        yield note.answers
        note.arm.pool.clear()


@pytest.mark.parametrize("kind", list(bodies.response_keys()))
def test_an_answer_has_what_azures_always_has(answers: dict[str, Json], kind: str) -> None:
    missing, looked = bodies.missing_always(bodies.response_keys()[kind], answers[kind])
    assert looked > 0
    assert set(missing) - ABSENT == set()


@pytest.mark.parametrize("kind", list(bodies.response_keys()))
def test_an_answer_has_what_azures_has_whenever_the_parent_is_there(
    answers: dict[str, Json], kind: str
) -> None:
    missing, _ = bodies.missing_if_parent(bodies.response_keys()[kind], answers[kind])
    assert set(missing) - ABSENT == set()


@pytest.mark.parametrize("kind", list(bodies.response_keys()))
def test_the_json_types_of_an_answer_are_azures(answers: dict[str, Json], kind: str) -> None:
    body = bodies.response_keys()[kind].types
    by_name = bodies.shape(answers[kind])
    wrong = {
        path: (by_name[path], types)
        for path, types in body.items()
        if path in by_name and by_name[path] not in types.split("|")
    }
    assert wrong == {}
