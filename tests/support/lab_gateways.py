"""VPN gateways of the lab, connected."""

from __future__ import annotations

from tests.support.arm_client import Arm


def connect(arm: Arm, name: str, near: str, far_ip: str, far: tuple[str, int, str]) -> None:
    """A local network gateway and a connection towards one instance of a far gateway."""
    prefix, asn, address = far
    public = arm.get(f"publicIPAddresses/{far_ip}")["properties"]["ipAddress"]
    properties = {
        "gatewayIpAddress": public,
        "localNetworkAddressSpace": {"addressPrefixes": [prefix]},
        "bgpSettings": {"asn": asn, "bgpPeeringAddress": address},
    }
    arm.put(f"localNetworkGateways/{name}", properties)
    arm.put(
        f"connections/{name}",
        {
            "connectionType": "IPsec",
            "enableBgp": True,
            "sharedKey": "key",
            "virtualNetworkGateway1": {"id": arm.id(f"virtualNetworkGateways/{near}")},
            "localNetworkGateway2": {"id": arm.id(f"localNetworkGateways/{name}")},
        },
    )
