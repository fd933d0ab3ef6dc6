"""The proof of concept's topology in the lab, written by ARM, and what is asked of it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from tests.support.arm_client import Arm

OBSERVED = Path(__file__).parents[1] / "lab" / "observed_bgp.json"
VNETS = {
    "vnet1": ("10.1.0.0/16", {"vnet1-sub1": "10.1.0.0/24"}),
    "vnet2": (
        "10.2.0.0/16",
        {
            "GatewaySubnet": "10.2.0.0/24",
            "vnet2-sub1": "10.2.1.0/24",
            "vnet2-sub2": "10.2.2.0/24",
        },
    ),
    "vnet3": ("10.3.0.0/16", {"GatewaySubnet": "10.3.0.0/24"}),
    "vnet4": ("10.4.0.0/16", {"GatewaySubnet": "10.4.0.0/24"}),
    "vnet5": ("10.5.0.0/16", {"vnet5-sub1": "10.5.0.0/24"}),
}
GATEWAYS = {"vng1": ("vnet2", 65000), "vng2": ("vnet3", 65010), "vng3": ("vnet4", 65020)}
LOCAL = {
    "lng1": ("vng1", "vng3", "10.4.0.0/16", 65020, "10.4.0.254"),
    "lng2": ("vng2", "vng3", "10.4.0.0/16", 65020, "10.4.0.254"),
    "lng3": ("vng3", "vng1", "10.2.0.0/16", 65000, "10.2.0.254"),
    "lng4": ("vng3", "vng2", "10.3.0.0/16", 65010, "10.3.0.254"),
}
NAT = [
    "sudo iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE",
    "sudo iptables -A FORWARD -i eth1 -o eth0 -j ACCEPT",
    "sudo iptables -A FORWARD -i eth0 -o eth1 -m state --state RELATED,ESTABLISHED -j ACCEPT",
    "sudo ip route add 10.0.0.0/8 via 10.2.2.1 dev eth1",
    "sudo sysctl -w net.ipv4.ip_forward=1",
    "sudo apt install -y conntrack",
]


def local_gateway(arm: Arm, name: str, peer: str | None = None) -> None:
    _, far, prefix, asn, address = LOCAL[name]
    public = arm.get(f"publicIPAddresses/{far}-public-ip1")["properties"]["ipAddress"]
    arm.put(
        f"localNetworkGateways/{name}",
        {
            "gatewayIpAddress": public,
            "localNetworkAddressSpace": {"addressPrefixes": [prefix]},
            "bgpSettings": {"asn": asn, "bgpPeeringAddress": peer or address},
        },
    )


def gateways(arm: Arm) -> None:
    accepted = []
    for name, (vnet, asn) in GATEWAYS.items():
        arm.public_ip(f"{name}-public-ip1")
        properties = arm.gateway_properties(name, vnet, bgpSettings={"asn": asn})
        inner = properties["ipConfigurations"][0]["properties"]
        inner["publicIPAddress"]["id"] = arm.id(f"publicIPAddresses/{name}-public-ip1")
        body = {"location": "westeurope", "properties": properties}
        accepted.append(arm.call("PUT", f"virtualNetworkGateways/{name}", body))
    for reply in accepted:
        arm.wait(reply)


def connections(arm: Arm) -> None:
    for name, (near, far, *_) in LOCAL.items():
        local_gateway(arm, name)
        arm.put(
            f"connections/{near}-to-{far}",
            {
                "connectionType": "IPsec",
                "enableBgp": True,
                "sharedKey": "a shared key",
                "virtualNetworkGateway1": {"id": arm.id(f"virtualNetworkGateways/{near}")},
                "localNetworkGateway2": {"id": arm.id(f"localNetworkGateways/{name}")},
            },
        )


def machine(arm: Arm, name: str, *interfaces: tuple[str, str, str, bool]) -> None:
    """A machine; an interface is (name, subnet, address, public)."""
    references = []
    for number, (nic, subnet, address, public) in enumerate(interfaces):
        inner: dict[str, Any] = {
            "subnet": {"id": arm.id(f"virtualNetworks/{subnet}")},
            "privateIPAllocationMethod": "Static",
            "privateIPAddress": address,
        }
        if public:
            arm.public_ip(f"{nic}-ip")
            inner["publicIPAddress"] = {"id": arm.id(f"publicIPAddresses/{nic}-ip")}
        arm.put(
            f"networkInterfaces/{nic}",
            {
                "enableIPForwarding": len(interfaces) > 1,
                "ipConfigurations": [{"name": "ipconfig1", "properties": inner}],
            },
        )
        reference = {"id": arm.id(f"networkInterfaces/{nic}")}
        references.append({**reference, "properties": {"primary": number == 0}})
    arm.put(
        f"Microsoft.Compute/virtualMachines/{name}",
        {
            "hardwareProfile": {"vmSize": "Standard_B2ats_v2"},
            "storageProfile": {
                "imageReference": {
                    "publisher": "Canonical",
                    "offer": "ubuntu-24_04-lts",
                    "sku": "server",
                    "version": "latest",
                }
            },
            "osProfile": {
                "computerName": name,
                "adminUsername": "hans",
                "adminPassword": "not to be seen 1!",
                "customData": base64.b64encode(b"#!/bin/sh\ntrue\n").decode(),
            },
            "networkProfile": {"networkInterfaces": references},
        },
    )


def provision(arm: Arm) -> None:
    for name, (prefix, subnets) in VNETS.items():
        arm.vnet(name, prefix, **subnets)
    gateways(arm)
    connections(arm)
    arm.peering("vnet2", "vnet1", access=True, forwarded=True, transit=True)
    arm.peering("vnet1", "vnet2", access=True, forwarded=True, remote=True)
    arm.peering("vnet4", "vnet5", access=True, forwarded=True, transit=True)
    arm.peering("vnet5", "vnet4", access=True, forwarded=True, remote=True)
    arm.put(
        "routeTables/udr",
        {
            "routes": [
                {
                    "name": "dns",
                    "properties": {
                        "addressPrefix": "8.8.4.4/32",
                        "nextHopType": "VirtualAppliance",
                        "nextHopIpAddress": "10.2.2.4",
                    },
                }
            ]
        },
    )
    table = {"routeTable": {"id": arm.id("routeTables/udr")}}
    arm.put("virtualNetworks/vnet1/subnets/vnet1-sub1", {"addressPrefix": "10.1.0.0/24", **table})
    machine(arm, "vm1", ("vm1-nic", "vnet1/subnets/vnet1-sub1", "10.1.0.4", True))
    machine(arm, "vm2", ("vm2-nic", "vnet5/subnets/vnet5-sub1", "10.5.0.4", True))
    machine(
        arm,
        "vm3",
        ("vm3-nic1", "vnet2/subnets/vnet2-sub1", "10.2.1.4", True),
        ("vm3-nic2", "vnet2/subnets/vnet2-sub2", "10.2.2.4", False),
    )


def act(arm: Arm, path: str) -> Any:
    reply = arm.call("POST", path)
    assert reply.status == 202
    assert "Azure-AsyncOperation" not in reply.headers
    answer = arm.wait(reply)
    assert answer.status == 200
    return answer.body["value"]


def run(arm: Arm, name: str, *script: str) -> str:
    body = {"commandId": "RunShellScript", "script": list(script)}
    reply = arm.call("POST", f"Microsoft.Compute/virtualMachines/{name}/runCommand", body)
    assert reply.status == 202
    output = arm.wait(reply).body["properties"]["output"]
    message = str(output["value"][0]["message"])
    return message.split("[stdout]\n", 1)[1].split("\n[stderr]\n", 1)[0]


def has_no_packet_loss(output: str) -> bool:
    return ", 0% packet loss" in output


def table(rows: list[dict[str, Any]], fields: dict[str, str]) -> set[tuple[Any, ...]]:
    return {tuple(row.get(wire) or None for wire in fields.values()) for row in rows}


def assert_observed(arm: Arm, name: str) -> None:
    """The gateway's two tables are those that the real gateway showed."""
    value = {load["name"]: load for load in json.loads(OBSERVED.read_text())["observations"]}[name]
    at = f"virtualNetworkGateways/{value['gateway']}"
    route = {
        "network": "network",
        "next_hop": "nextHop",
        "local_address": "localAddress",
        "weight": "weight",
        "source_peer": "sourcePeer",
        "origin": "origin",
        "as_path": "asPath",
    }
    peer = {
        "neighbor": "neighbor",
        "local_address": "localAddress",
        "asn": "asn",
        "state": "state",
        "routes_received": "routesReceived",
    }
    expected = {tuple(row[name] or None for name in route) for row in value["routes"]}
    assert table(act(arm, f"{at}/getLearnedRoutes"), route) == expected
    expected = {tuple(row[name] or None for name in peer) for row in value["peers"]}
    assert table(act(arm, f"{at}/getBgpPeerStatus"), peer) == expected
