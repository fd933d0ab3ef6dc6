"""Gateways without BGP, over HTTPS: static routes by the tunnel, no peers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.arm_client import Arm
from tests.support.lab_story import has_no_packet_loss, machine, run


def tunnel(arm: Arm, near: str, far: str, prefix: str) -> None:
    public = arm.get(f"publicIPAddresses/{far}-ip")["properties"]["ipAddress"]
    properties = {
        "gatewayIpAddress": public,
        "localNetworkAddressSpace": {"addressPrefixes": [prefix]},
    }
    arm.put(f"localNetworkGateways/to-{far}", properties)
    arm.put(
        f"connections/{near}-to-{far}",
        {
            "connectionType": "IPsec",
            "sharedKey": "key",
            "virtualNetworkGateway1": {"id": arm.id(f"virtualNetworkGateways/{near}")},
            "localNetworkGateway2": {"id": arm.id(f"localNetworkGateways/to-{far}")},
        },
    )


@pytest.fixture
def static(arm: Arm) -> Arm:
    for number, (name, vnet) in enumerate((("g1", "v1"), ("g2", "v2")), 1):
        subnets = {"GatewaySubnet": f"10.{number}.0.0/27", "apps": f"10.{number}.1.0/24"}
        arm.vnet(vnet, f"10.{number}.0.0/16", **subnets)
        arm.gateway(name, vnet, enableBgp=False, bgpSettings=None)
    tunnel(arm, "g1", "g2", "10.2.0.0/16")
    tunnel(arm, "g2", "g1", "10.1.0.0/16")
    arm.clock.sleep(60)
    return arm


def act(arm: Arm, action: str) -> Any:
    return arm.wait(arm.call("POST", f"virtualNetworkGateways/{action}")).body["value"]


def test_a_gateway_without_bgp_lists_no_peer_and_its_static_routes(static: Arm) -> None:
    assert act(static, "g1/getBgpPeerStatus") == []
    far = static.get("publicIPAddresses/g2-ip")["properties"]["ipAddress"]
    assert act(static, "g1/getLearnedRoutes") == [
        {
            "localAddress": "",
            "network": "10.2.0.0/16",
            "nextHop": far,
            "sourcePeer": far,
            "origin": "Network",
            "asPath": "",
            "weight": 0,
        }
    ]


def test_packets_pass_by_static_routes_both_ways(static: Arm) -> None:
    machine(static, "vm1", ("nic1", "v1/subnets/apps", "10.1.1.4", False))
    machine(static, "vm2", ("nic2", "v2/subnets/apps", "10.2.1.4", False))
    assert has_no_packet_loss(run(static, "vm1", "ping -c 2 10.2.1.4"))
    static.delete("connections/g2-to-g1")
    assert not has_no_packet_loss(run(static, "vm1", "ping -c 2 -W 1 10.2.1.4"))
