"""A site with a real ExpressRoute gateway as primary, made by ARM requests, not by provision.

``er`` in ``hub-er`` hangs on a circuit in Amsterdam and, unless told otherwise, one in Dublin;
both announce the office. ``vpn`` in ``hub-vpn`` is active-active, with a tunnel from either
instance to ``far``, in whose VNet the office lies as well.
"""

from __future__ import annotations

from typing import Any

from erfailover.lab.arm import service
from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.core.protocol import Answer, Request
from erfailover.lab.engine.lab import Lab
from tests.support.direct import BASE, Direct
from tests.support.stage import Stage

OFFICE = "10.5.0.0/16"
SITE = """\
site: express
resource_group: rg
primary: {virtual_network: hub-er, gateway: er}
backup: {virtual_network: hub-vpn, gateway: vpn}
spokes:
  - virtual_network: spoke
    spoke_to_primary:
      name: spoke-to-er
      on_expressroute: {allow_forwarded_traffic: true, use_remote_gateways: true}
      on_ipsec: {}
    primary_to_spoke:
      name: er-to-spoke
      on_expressroute: {allow_forwarded_traffic: true, allow_gateway_transit: true}
      on_ipsec: {}
    spoke_to_backup:
      name: spoke-to-vpn
      on_expressroute: absent
      on_ipsec: {allow_forwarded_traffic: true, use_remote_gateways: true}
    backup_to_spoke:
      name: vpn-to-spoke
      on_expressroute: absent
      on_ipsec: {allow_forwarded_traffic: true, allow_gateway_transit: true}
remote_prefixes: [10.5.0.0/16]
"""
DRILL = "drill: {peering_location: amsterdam}\n"


class Maker(Direct):
    """Writes into the lab of a stage, as somebody else with rights there."""

    def __init__(self, lab: Lab, clock: SteppedClock, group: str = "rg") -> None:
        self.lab, self.clock = lab, clock
        self.token = lab.tokens.issue_access_token(f"{BASE}/t", BASE)
        self.group = f"/subscriptions/{lab.identity.subscription}/resourceGroups/{group}"

    def circuit(self, name: str, location: str, tags: dict[str, str] | None = None) -> None:
        """A circuit in service that announces the office."""
        provider = {
            "serviceProviderName": "Equinix",
            "peeringLocation": location,
            "bandwidthInMbps": 50,
        }
        sku = {"name": "Standard_MeteredData", "tier": "Standard", "family": "MeteredData"}
        announced = {"lab:on-premises": OFFICE, **(tags or {})}
        properties = {"serviceProviderProperties": provider}
        self.put(f"expressRouteCircuits/{name}", properties, sku=sku, tags=announced)
        self.settle()

    def private_peering(self, circuit: str, state: str = "Enabled") -> None:
        """A circuit's private peering."""
        peering = {
            "peeringType": "AzurePrivatePeering",
            "peerASN": 65020,
            "primaryPeerAddressPrefix": "192.168.1.0/30",
            "secondaryPeerAddressPrefix": "192.168.2.0/30",
            "vlanId": 100,
            "state": state,
        }
        self.put(f"expressRouteCircuits/{circuit}/peerings/AzurePrivatePeering", peering)
        self.settle()

    def network(self, name: str, *prefixes: str, subnet: str = "", **more: Any) -> None:
        """A VNet, with a GatewaySubnet where one is named."""
        subnets = [{"name": "GatewaySubnet", "properties": {"addressPrefix": subnet}}]
        properties = {"addressSpace": {"addressPrefixes": list(prefixes)}, **more}
        self.put(f"virtualNetworks/{name}", {**properties, "subnets": subnets if subnet else []})
        self.settle()

    def gateway(self, name: str, network: str, addresses: int, **more: Any) -> None:
        """A gateway; a VPN one with that many public addresses, or with none of ExpressRoute."""
        sku = "VpnGw1AZ" if addresses else "ErGw1AZ"
        subnet = self.reference(f"virtualNetworks/{network}/subnets/GatewaySubnet")
        configurations: list[Any] = []
        for number in range(max(addresses, 1)):
            inner: Any = {"subnet": subnet}
            if addresses:
                ip = f"publicIPAddresses/{name}-ip{number}"
                self.put(
                    ip,
                    {"publicIPAllocationMethod": "Static"},
                    sku={"name": "Standard"},
                    zones=["1", "2", "3"],
                )
                inner["publicIPAddress"] = self.reference(ip)
            configurations.append({"name": f"c{number}", "properties": inner})
        properties = {
            "gatewayType": "Vpn" if addresses else "ExpressRoute",
            "enableBgp": bool(addresses),
            "activeActive": addresses > 1,
            "sku": {"name": sku, "tier": sku},
            "ipConfigurations": configurations,
            **more,
        }
        self.settle()
        self.put(f"virtualNetworkGateways/{name}", properties)

    def tunnel(self, name: str, near: str, far_ip: str, asn: int, address: str) -> None:
        """One direction of a tunnel."""
        body: Any = self.ask("GET", f"publicIPAddresses/{far_ip}").body
        public = body["properties"]["ipAddress"]
        settings = {"asn": asn, "bgpPeeringAddress": address}
        self.put(
            f"localNetworkGateways/{name}", {"gatewayIpAddress": public, "bgpSettings": settings}
        )
        self.settle()
        self.put(
            f"connections/{name}",
            {
                "connectionType": "IPsec",
                "enableBgp": True,
                "sharedKey": "key",
                "virtualNetworkGateway1": self.reference(f"virtualNetworkGateways/{near}"),
                "localNetworkGateway2": self.reference(f"localNetworkGateways/{name}"),
            },
        )

    def connect(self, circuit: str) -> None:
        """Connect ``er`` to a circuit."""
        self.put(
            f"connections/to-{circuit}",
            {
                "connectionType": "ExpressRoute",
                "virtualNetworkGateway1": self.reference("virtualNetworkGateways/er"),
                "peer": self.reference(f"expressRouteCircuits/{circuit}"),
            },
        )
        self.settle()

    def peering(self, name: str, owner: str, remote: str, **flags: bool) -> None:
        """A peering, as the site has it on ExpressRoute."""
        properties = {
            "remoteVirtualNetwork": self.reference(f"virtualNetworks/{remote}"),
            "allowForwardedTraffic": True,
            **flags,
        }
        self.put(f"virtualNetworks/{owner}/virtualNetworkPeerings/{name}", properties)
        self.settle()

    def act(self, path: str, action: str, **query: str) -> Answer:
        """A POST action, by somebody else."""
        headers = {"Authorization": f"Bearer {self.token}"}
        where = f"{self.id(path)}/{action}"
        query = {"api-version": "2024-05-01", **query}
        return service.handle(self.lab, Request("POST", where, query, BASE, b"", headers))

    def tag(self, circuit: str, **tags: str) -> None:
        """Change a circuit's tags, which stand for what is no part of ARM."""
        by_name = {f"lab:{name.replace('_', '-')}": value for name, value in tags.items()}
        desired = {"lab:on-premises": OFFICE, **by_name}
        assert self.ask("PATCH", f"expressRouteCircuits/{circuit}", {"tags": desired}).status == 200
        self.wait(60)


def make(stage: Stage, *locations: str, drill: str = DRILL, **hub: Any) -> Maker:
    """Make the site in a stage's lab, with a circuit at each location, and write its file.

    ``hub`` are further properties of the primary hub's VNet.
    """
    maker = Maker(stage.lab, stage.clock)
    assert maker.ask("PUT", maker.group, {"location": "westeurope"}).status == 201
    maker.network("hub-er", "10.2.0.0/16", subnet="10.2.0.0/27", **hub)
    maker.network("hub-vpn", "10.3.0.0/16", subnet="10.3.0.0/24")
    maker.network("far", "10.4.0.0/16", OFFICE, subnet="10.4.0.0/24")
    maker.network("spoke", "10.1.0.0/16")
    maker.gateway("er", "hub-er", 0)
    maker.gateway("vpn", "hub-vpn", 2, bgpSettings={"asn": 65010})
    maker.gateway("far", "far", 1, bgpSettings={"asn": 65020})
    maker.settle()
    for number, location in enumerate(locations or ("Amsterdam", "Dublin"), 1):
        maker.circuit(f"c{number}", location)
        maker.private_peering(f"c{number}")
        maker.connect(f"c{number}")
    maker.tunnel("there", "vpn", "far-ip0", 65020, "10.4.0.254")
    maker.tunnel("back1", "far", "vpn-ip0", 65010, "10.3.0.4")
    maker.tunnel("back2", "far", "vpn-ip1", 65010, "10.3.0.5")
    maker.peering("er-to-spoke", "hub-er", "spoke", allowGatewayTransit=True)
    maker.peering("spoke-to-er", "spoke", "hub-er", useRemoteGateways=True)
    maker.wait(300)
    (stage.folder / "erfailover.yaml").write_text(SITE + drill)
    return maker
