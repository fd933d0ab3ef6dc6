"""Microsoft's hub-and-spoke tutorial with an Azure Firewall, doubled, by plain ARM requests.

Owns a network in which every spoke's default route leads to the appliance in the primary hub and
gateway routes are kept out. ``udr-dg`` is shared by the first two spokes, ``udr-dg-web`` belongs to
the third and has a route of its own to the premises. Both GatewaySubnets send what is for a spoke
through their hub's appliance. It imports nothing of the controller.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.support.adopted_world import Arm, Reply

Json = Any
PLACE = "westeurope"
GROUP = "rg-firewall-hybrid"
PREMISES, CORP, INTERNET = "192.168.0.0/16", "192.168.1.4", "8.8.4.4"
STATEFUL = """#!/bin/sh
sysctl -w net.ipv4.ip_forward=1
iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP
iptables -t nat -A POSTROUTING -o eth0 -d 10.0.0.0/8 -j ACCEPT
iptables -t nat -A POSTROUTING -o eth0 -d 192.168.0.0/16 -j ACCEPT
iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE
"""
"""A machine that forwards as an Azure Firewall does: it drops answers to what it has not seen."""


class Appliance(StrEnum):
    """What forwards in a hub."""

    FIREWALL = "an Azure Firewall"
    MACHINE = "a machine with IP forwarding"
    BALANCED = "two machines behind a load balancer"


@dataclass(frozen=True)
class Hub:
    """A hub: its VNet, what its addresses begin with, its gateway's ASN."""

    name: str
    prefix: str
    gateway: str
    asn: int

    def address(self, appliance: Appliance) -> str:
        """The private address of its appliance."""
        host = {Appliance.FIREWALL: "0.4", Appliance.MACHINE: "1.4", Appliance.BALANCED: "1.100"}
        return f"{self.prefix}.{host[appliance]}"


@dataclass(frozen=True)
class Spoke:
    """A spoke: its VNet, address space, route table, and the address of its machine."""

    name: str
    prefix: str
    table: str

    @property
    def machine(self) -> str:
        return self.name.replace("vnet", "vm")

    @property
    def nic(self) -> str:
        return f"{self.machine}-nic"

    @property
    def address(self) -> str:
        return self.prefix.replace("0.0/16", "0.4")


PRIMARY = Hub("vnet-hub", "10.5", "gw-hub", 65000)
BACKUP = Hub("vnet-hub-dr", "10.15", "gw-hub-dr", 65010)
SPOKES = (
    Spoke("vnet-app", "10.6.0.0/16", "udr-dg"),
    Spoke("vnet-data", "10.7.0.0/16", "udr-dg"),
    Spoke("vnet-web", "10.8.0.0/16", "udr-dg-web"),
)
TABLES = ("udr-dg", "udr-dg-web")
UNUSED = "192.168.2.253"
"""An address in the premises' GatewaySubnet that no gateway has: the drill's."""

_SPOKE = """\
  - virtual_network: {name}
    spoke_to_primary:
      name: {name}-to-hub
      on_expressroute: {{allow_forwarded_traffic: true, use_remote_gateways: true}}
      on_ipsec: {{allow_forwarded_traffic: true}}
    primary_to_spoke:
      name: hub-to-{name}
      on_expressroute: {{allow_forwarded_traffic: true, allow_gateway_transit: true}}
      on_ipsec: {{allow_forwarded_traffic: true}}
    spoke_to_backup:
      name: {name}-to-hub-dr
      on_expressroute: absent
      on_ipsec: {{allow_forwarded_traffic: true, use_remote_gateways: true}}
    backup_to_spoke:
      name: hub-dr-to-{name}
      on_expressroute: absent
      on_ipsec: {{allow_forwarded_traffic: true, allow_gateway_transit: true}}
"""


@dataclass(frozen=True)
class Shape:
    """What the hubs have for appliances."""

    primary: Appliance = Appliance.FIREWALL
    backup: Appliance = Appliance.FIREWALL

    @property
    def primary_address(self) -> str:
        return PRIMARY.address(self.primary)

    @property
    def backup_address(self) -> str:
        return BACKUP.address(self.backup)


def write_site(shape: Shape | None = None, mode: str = "") -> str:
    """The site file; with ``mode`` (``overlay`` or ``replace``) also what moves the next hops."""
    shape = shape or Shape()
    text = (
        "site: firewall\n"
        f"resource_group: {GROUP}\n"
        f"primary: {{virtual_network: {PRIMARY.name}, gateway: {PRIMARY.gateway}}}\n"
        f"backup: {{virtual_network: {BACKUP.name}, gateway: {BACKUP.gateway}}}\n"
        f"remote_prefixes: [{PREMISES}]\n"
        "spokes:\n" + "".join(_SPOKE.format(name=spoke.name) for spoke in SPOKES)
    )
    text += (
        "drill:\n  local_network_gateway: lng-hub-to-onprem\n"
        f"  bgp_peering_address: 192.168.2.254\n  unused_bgp_peering_address: {UNUSED}\n"
    )
    if mode:
        text += "routing:\n" + "".join(
            f"  - route_table: {table}\n    mode: {mode}\n"
            f"    on_expressroute: {shape.primary_address}\n"
            f"    on_ipsec: {shape.backup_address}\n"
            for table in TABLES
        )
    return text


@dataclass(frozen=True)
class FirewallWorld:
    """The ids by which the world is met."""

    subscription: str
    shape: Shape = field(default_factory=Shape)

    def id(self, path: str) -> str:
        """The id of ``virtualNetworks/a`` or ``Microsoft.Compute/virtualMachines/b``."""
        provider = "" if path.startswith("Microsoft.") else "Microsoft.Network/"
        root = f"/subscriptions/{self.subscription}/resourceGroups/{GROUP}"
        return f"{root}/providers/{provider}{path}"

    @property
    def primary_hub(self) -> str:
        return self.id(f"virtualNetworks/{PRIMARY.name}")

    @property
    def backup_hub(self) -> str:
        return self.id(f"virtualNetworks/{BACKUP.name}")


def build(arm: Arm, shape: Shape | None = None) -> FirewallWorld:
    """Make the world in an empty lab."""
    subscription = arm.get("/subscriptions")["value"][0]["subscriptionId"]
    return _Maker(arm, FirewallWorld(subscription, shape or Shape())).make()


@dataclass
class _Maker:
    arm: Arm
    world: FirewallWorld

    def make(self) -> FirewallWorld:
        root = self.world.id("x/y").rpartition("/providers/")[0]
        self.arm.call("PUT", root, {"location": PLACE})
        for table in TABLES:
            self.put(f"routeTables/{table}", {"disableBgpRoutePropagation": True})
        for table in ("udr-hub-spoke", "udr-hub-spoke-dr"):
            self.put(f"routeTables/{table}", {})
        self._vnets()
        slow = [*self._gateways(), *self._firewalls()]
        for spoke in SPOKES:
            self._machine(spoke.machine, spoke.name, "workload", spoke.address)
        self._machine("vm-corp", "vnet-onprem", "corp", CORP)
        self._appliances()
        self.arm.finish(slow)
        self._tunnels()
        for spoke in SPOKES:
            self._peer(PRIMARY.name, f"hub-to-{spoke.name}", spoke.name, allowGatewayTransit=True)
            self._peer(spoke.name, f"{spoke.name}-to-hub", PRIMARY.name, useRemoteGateways=True)
        self._routes()
        self.arm.sleep(120.0)
        return self.world

    def put(self, path: str, properties: Json, **top: Json) -> Json:
        """Write a resource and wait."""
        if path.count("/") == 1 or path.startswith("Microsoft."):
            top.setdefault("location", PLACE)
        return self.arm.put(self.world.id(path), properties, **top)

    def reference(self, path: str) -> Json:
        return {"id": self.world.id(path)}

    def _vnets(self) -> None:
        for hub, table in ((PRIMARY, "udr-hub-spoke"), (BACKUP, "udr-hub-spoke-dr")):
            self._vnet(
                hub.name,
                f"{hub.prefix}.0.0/16",
                AzureFirewallSubnet=(f"{hub.prefix}.0.0/26", ""),
                nva=(f"{hub.prefix}.1.0/24", ""),
                GatewaySubnet=(f"{hub.prefix}.2.0/26", table),
            )
        for spoke in SPOKES:
            subnet = spoke.prefix.replace("0.0/16", "0.0/24")
            self._vnet(spoke.name, spoke.prefix, workload=(subnet, spoke.table))
        self._vnet(
            "vnet-onprem",
            PREMISES,
            corp=("192.168.1.0/24", ""),
            GatewaySubnet=("192.168.2.0/24", ""),
        )

    def _vnet(self, name: str, prefix: str, **subnets: tuple[str, str]) -> None:
        rows = []
        for subnet, (subnet_prefix, table) in subnets.items():
            inner: Json = {"addressPrefix": subnet_prefix}
            if table:
                inner["routeTable"] = self.reference(f"routeTables/{table}")
            rows.append({"name": subnet, "properties": inner})
        space = {"addressPrefixes": [prefix]}
        self.put(f"virtualNetworks/{name}", {"addressSpace": space, "subnets": rows})

    def _public_ip(self, name: str) -> Json:
        method = {"publicIPAllocationMethod": "Static"}
        zones = ["1", "2", "3"]
        self.put(f"publicIPAddresses/{name}", method, sku={"name": "Standard"}, zones=zones)
        return self.reference(f"publicIPAddresses/{name}")

    def _gateways(self) -> Iterable[Reply]:
        """Start the three gateways; that of the primary hub represents ExpressRoute."""
        for vnet, name, asn in (
            (PRIMARY.name, PRIMARY.gateway, PRIMARY.asn),
            (BACKUP.name, BACKUP.gateway, BACKUP.asn),
            ("vnet-onprem", "gw-onprem", 65020),
        ):
            inner = {
                "subnet": self.reference(f"virtualNetworks/{vnet}/subnets/GatewaySubnet"),
                "publicIPAddress": self._public_ip(f"{name}-pip"),
            }
            properties = {
                "gatewayType": "Vpn",
                "vpnType": "RouteBased",
                "enableBgp": True,
                "sku": {"name": "VpnGw1AZ", "tier": "VpnGw1AZ"},
                "bgpSettings": {"asn": asn},
                "ipConfigurations": [{"name": "default", "properties": inner}],
            }
            path = f"virtualNetworkGateways/{name}"
            body = {"location": PLACE, "properties": properties}
            yield self.arm.begin(self.world.id(path), body)

    def _firewalls(self) -> Iterable[Reply]:
        for hub, appliance in self._hubs():
            if appliance is not Appliance.FIREWALL:
                continue
            name = f"azfw-{hub.name}"
            inner = {
                "subnet": self.reference(f"virtualNetworks/{hub.name}/subnets/AzureFirewallSubnet"),
                "publicIPAddress": self._public_ip(f"{name}-pip"),
            }
            properties = {"ipConfigurations": [{"name": "fw", "properties": inner}]}
            path = f"azureFirewalls/{name}"
            body = {"location": PLACE, "properties": properties}
            yield self.arm.begin(self.world.id(path), body)

    def _appliances(self) -> None:
        for hub, appliance in self._hubs():
            if appliance is Appliance.MACHINE:
                self._machine(f"nva-{hub.name}", hub.name, "nva", f"{hub.prefix}.1.4", "")
            elif appliance is Appliance.BALANCED:
                pool = self._load_balancer(hub)
                for number in (4, 5):
                    address, name = f"{hub.prefix}.1.{number}", f"nva-{hub.name}-{number}"
                    self._machine(name, hub.name, "nva", address, pool)

    def _hubs(self) -> tuple[tuple[Hub, Appliance], ...]:
        shape = self.world.shape
        return (PRIMARY, shape.primary), (BACKUP, shape.backup)

    def _load_balancer(self, hub: Hub) -> str:
        """An internal load balancer with a rule for all ports; the id of its pool."""
        path = f"loadBalancers/lb-{hub.name}"
        front_end = {
            "subnet": self.reference(f"virtualNetworks/{hub.name}/subnets/nva"),
            "privateIPAddress": hub.address(Appliance.BALANCED),
            "privateIPAllocationMethod": "Static",
        }
        rule = {
            "frontendIPConfiguration": self.reference(f"{path}/frontendIPConfigurations/front"),
            "backendAddressPool": self.reference(f"{path}/backendAddressPools/nvas"),
            "protocol": "All",
            "frontendPort": 0,
            "backendPort": 0,
        }
        properties = {
            "frontendIPConfigurations": [{"name": "front", "properties": front_end}],
            "backendAddressPools": [{"name": "nvas"}],
            "loadBalancingRules": [{"name": "all", "properties": rule}],
        }
        self.put(path, properties, sku={"name": "Standard"})
        return self.world.id(f"{path}/backendAddressPools/nvas")

    def _machine(
        self, name: str, vnet: str, subnet: str, address: str, pool: str | None = None
    ) -> None:
        """A machine; an appliance with ``pool``, which is the load balancer's or empty."""
        inner: Json = {
            "subnet": self.reference(f"virtualNetworks/{vnet}/subnets/{subnet}"),
            "privateIPAllocationMethod": "Static",
            "privateIPAddress": address,
        }
        if pool is not None:
            inner["publicIPAddress"] = self._public_ip(f"{name}-pip")
        if pool:
            inner["loadBalancerBackendAddressPools"] = [{"id": pool}]
        self.put(
            f"networkInterfaces/{name}-nic",
            {
                "enableIPForwarding": pool is not None,
                "ipConfigurations": [{"name": "ipconfig1", "properties": inner}],
            },
        )
        script = "#!/bin/sh\ntrue\n" if pool is None else STATEFUL
        make_machine(self.arm, self.world, name, f"{name}-nic", script)

    def _tunnels(self) -> None:
        """Both hubs are connected with the premises; the primary's tunnel is the drill's."""
        for name, near, far in (
            ("hub-to-onprem", PRIMARY.gateway, "gw-onprem"),
            ("onprem-to-hub", "gw-onprem", PRIMARY.gateway),
            ("hub-dr-to-onprem", BACKUP.gateway, "gw-onprem"),
            ("onprem-to-hub-dr", "gw-onprem", BACKUP.gateway),
        ):
            bgp = self.arm.get(self.world.id(f"virtualNetworkGateways/{far}"))["properties"]
            public = self.arm.get(self.world.id(f"publicIPAddresses/{far}-pip"))["properties"]
            settings = {key: bgp["bgpSettings"][key] for key in ("asn", "bgpPeeringAddress")}
            self.put(
                f"localNetworkGateways/lng-{name}",
                {
                    "gatewayIpAddress": public["ipAddress"],
                    "localNetworkAddressSpace": {"addressPrefixes": []},
                    "bgpSettings": settings,
                },
            )
            self.put(
                f"connections/{name}",
                {
                    "connectionType": "IPsec",
                    "enableBgp": True,
                    "sharedKey": "only-the-lab-knows-it" if "dr" not in name else "nor-this-one",
                    "virtualNetworkGateway1": self.reference(f"virtualNetworkGateways/{near}"),
                    "localNetworkGateway2": self.reference(f"localNetworkGateways/lng-{name}"),
                },
            )

    def _peer(self, owner: str, name: str, other: str, **flags: bool) -> None:
        properties = {
            "remoteVirtualNetwork": self.reference(f"virtualNetworks/{other}"),
            "allowVirtualNetworkAccess": True,
            "allowForwardedTraffic": True,
            **flags,
        }
        self.put(f"virtualNetworks/{owner}/virtualNetworkPeerings/{name}", properties)

    def _routes(self) -> None:
        shape = self.world.shape
        for table in TABLES:
            self._route(table, "to-firewall", "0.0.0.0/0", shape.primary_address)
        self._route("udr-dg-web", "to-premises", PREMISES, shape.primary_address)
        for table, address in (
            ("udr-hub-spoke", shape.primary_address),
            ("udr-hub-spoke-dr", shape.backup_address),
        ):
            for spoke in SPOKES:
                self._route(table, f"to-{spoke.name}", spoke.prefix, address)

    def _route(self, table: str, name: str, prefix: str, address: str) -> None:
        hop = {"nextHopType": "VirtualAppliance", "nextHopIpAddress": address}
        self.put(f"routeTables/{table}/routes/{name}", {"addressPrefix": prefix, **hop})


def make_machine(arm: Arm, world: FirewallWorld, name: str, nic: str, script: str) -> None:
    """A virtual machine with an interface, which runs a script when it is made."""
    image = {
        "publisher": "Canonical",
        "offer": "ubuntu-24_04-lts",
        "sku": "server",
        "version": "latest",
    }
    properties = {
        "hardwareProfile": {"vmSize": "Standard_B2ats_v2"},
        "storageProfile": {"imageReference": image},
        "osProfile": {
            "computerName": name,
            "adminUsername": "hans",
            "adminPassword": "not to be seen 1!",
            "customData": b64encode(script.encode()).decode(),
        },
        "networkProfile": {"networkInterfaces": [{"id": world.id(f"networkInterfaces/{nic}")}]},
    }
    path = f"Microsoft.Compute/virtualMachines/{name}"
    arm.put(world.id(path), properties, location=PLACE)
