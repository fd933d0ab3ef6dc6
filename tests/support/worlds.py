"""Worlds built directly, without HTTP: resources as ARM stores them, active at once.

For tests of routing and of machines. ``Builder`` writes one resource a call and tells the
world's listeners; ``proof_of_concept`` is the whole topology.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from erfailover.lab.core import ids
from erfailover.lab.core.world import Resource, World
from erfailover.lab.routing.bgp import Bgp
from erfailover.lab.routing.sessions import BgpTiming

SUBSCRIPTION = "00000000-0000-0000-0000-0000000000aa"
GROUP = "rg-we"
NETWORK = "Microsoft.Network"


def resource_id(type_: str, *names: str, provider: str = NETWORK) -> ids.ResourceId:
    """The id of a resource of the tests' group; ``type_`` without the provider."""
    return ids.ResourceId(SUBSCRIPTION, GROUP, provider, tuple(type_.split("/")), names)


def reference(type_: str, *names: str, provider: str = NETWORK) -> dict[str, str]:
    """A reference to another resource, as it stands in a body."""
    return {"id": str(resource_id(type_, *names, provider=provider))}


@dataclass
class Builder:
    """Writes resources into a world."""

    world: World = field(default_factory=World)
    _public: int = 3

    def put(
        self,
        type_: str,
        *names: str,
        provider: str = NETWORK,
        hidden: dict[str, str] | None = None,
        **properties: Any,
    ) -> Resource:
        """Create a resource, or replace its properties; done and active at once."""
        id_ = resource_id(type_, *names, provider=provider)
        body = {"id": str(id_), "name": id_.name, "type": id_.type, "properties": properties}
        resource = self.world.get(id_)
        if resource is None:
            resource = Resource(id_, body)
            self.world.add(resource)
        resource.body = body
        resource.active = copy.deepcopy(body)
        resource.hidden.update(hidden or {})
        self.world.notify_listeners()
        return resource

    def patch(self, type_: str, *names: str, **properties: Any) -> Resource:
        """Change some properties of a resource."""
        resource = self.get(type_, *names)
        return self.put(type_, *names, **(resource.active_properties | properties))

    def get(self, type_: str, *names: str, provider: str = NETWORK) -> Resource:
        """A resource that is there."""
        resource = self.world.get(resource_id(type_, *names, provider=provider))
        assert resource is not None, f"no {type_} {names}"
        return resource

    def delete(self, type_: str, *names: str) -> None:
        """Take a resource away, with its children; peerings to a VNet become Disconnected."""
        id_ = resource_id(type_, *names)
        resource = self.get(type_, *names)
        if type_ == "virtualNetworks":
            gone = {ids.to_key(id_)}
            for peering in list(self.world.iter_by_type(f"{NETWORK}/{PEERINGS}")):
                remote = peering.active_properties["remoteVirtualNetwork"]["id"]
                if ids.to_key(remote) in gone:
                    peering.active_properties["peeringState"] = "Disconnected"
        elif type_ == PEERINGS:
            opposite = self._opposite(resource)
            if opposite is not None:
                opposite.active_properties["peeringState"] = "Disconnected"
        self.world.remove(id_)
        self.world.notify_listeners()

    def vnet(self, name: str, *prefixes: str) -> Resource:
        """A virtual network."""
        return self.put("virtualNetworks", name, addressSpace={"addressPrefixes": list(prefixes)})

    def subnet(self, vnet: str, name: str, prefix: str, **properties: Any) -> Resource:
        """A subnet."""
        return self.put("virtualNetworks/subnets", vnet, name, addressPrefix=prefix, **properties)

    def peer(
        self,
        vnet: str,
        remote: str,
        *,
        access: bool = True,
        forwarded: bool = False,
        transit: bool = False,
        remote_gateways: bool = False,
    ) -> Resource:
        """One side of a peering, ``<vnet>-to-<remote>``; Connected once both sides are there."""
        name = f"{vnet}-to-{remote}"
        back = self.world.get(resource_id(PEERINGS, remote, f"{remote}-to-{vnet}"))
        if back is not None:
            back.active_properties["peeringState"] = "Connected"
        space = self.get("virtualNetworks", remote).active_properties["addressSpace"]
        return self.put(
            PEERINGS,
            vnet,
            name,
            remoteVirtualNetwork=reference("virtualNetworks", remote),
            allowVirtualNetworkAccess=access,
            allowForwardedTraffic=forwarded,
            allowGatewayTransit=transit,
            useRemoteGateways=remote_gateways,
            peeringState="Initiated" if back is None else "Connected",
            peeringSyncLevel="FullyInSync",
            remoteAddressSpace=copy.deepcopy(space),
        )

    def public_ip(self, name: str) -> str:
        """A public IP address; returns the address."""
        self._public += 1
        address = f"20.50.0.{self._public}"
        self.put("publicIPAddresses", name, ipAddress=address)
        return address

    def gateway(
        self,
        name: str,
        vnet: str,
        asn: int,
        *bgp_addresses: str,
        bgp: bool = True,
    ) -> Resource:
        """A VPN gateway with a public IP ``<name>-public-ip<n>`` for each BGP address."""
        configurations = []
        for number in range(1, len(bgp_addresses) + 1):
            self.public_ip(f"{name}-public-ip{number}")
            own = resource_id("virtualNetworkGateways/ipConfigurations", name, f"c{number}")
            configurations.append(
                {
                    "id": str(own),
                    "name": f"c{number}",
                    "properties": {
                        "subnet": reference("virtualNetworks/subnets", vnet, "GatewaySubnet"),
                        "publicIPAddress": reference(
                            "publicIPAddresses", f"{name}-public-ip{number}"
                        ),
                    },
                }
            )
        return self.put(
            "virtualNetworkGateways",
            name,
            gatewayType="Vpn",
            vpnType="RouteBased",
            enableBgp=bgp,
            activeActive=len(bgp_addresses) > 1,
            ipConfigurations=configurations,
            bgpSettings={"asn": asn, "bgpPeeringAddress": ",".join(bgp_addresses)},
        )

    def public_address(self, gateway: str, number: int = 1) -> str:
        """A gateway's public address."""
        name = f"{gateway}-public-ip{number}"
        return str(self.get("publicIPAddresses", name).active_properties["ipAddress"])

    def local_gateway(
        self, name: str, address: str, asn: int, bgp_address: str, *prefixes: str
    ) -> Resource:
        """A local network gateway."""
        return self.put(
            "localNetworkGateways",
            name,
            gatewayIpAddress=address,
            localNetworkAddressSpace={"addressPrefixes": list(prefixes)},
            bgpSettings={"asn": asn, "bgpPeeringAddress": bgp_address},
        )

    def connection(
        self, name: str, gateway: str, local_gateway: str, key: str = "key", *, bgp: bool = True
    ) -> Resource:
        """A connection."""
        return self.put(
            "connections",
            name,
            hidden={"sharedKey": key},
            virtualNetworkGateway1=reference("virtualNetworkGateways", gateway),
            localNetworkGateway2=reference("localNetworkGateways", local_gateway),
            connectionType="IPsec",
            enableBgp=bgp,
        )

    def machine(self, name: str, *nics: str) -> Resource:
        """A virtual machine."""
        rows = [reference("networkInterfaces", nic) for nic in nics]
        return self.put(
            "virtualMachines",
            name,
            provider="Microsoft.Compute",
            networkProfile={"networkInterfaces": rows},
            osProfile={"computerName": name},
        )

    def nic(
        self,
        name: str,
        vnet: str,
        subnet: str,
        address: str,
        *,
        public_ip: str = "",
        forwarding: bool = False,
        **properties: Any,
    ) -> Resource:
        """A network interface."""
        configuration: dict[str, Any] = {
            "privateIPAddress": address,
            "primary": True,
            "subnet": reference("virtualNetworks/subnets", vnet, subnet),
        }
        if public_ip:
            configuration["publicIPAddress"] = reference("publicIPAddresses", public_ip)
        return self.put(
            "networkInterfaces",
            name,
            ipConfigurations=[{"name": "c1", "properties": configuration}],
            enableIPForwarding=forwarding,
            **properties,
        )

    def wait(self, seconds: float) -> None:
        """Let modelled time pass."""
        self.world.advance_to(self.world.now + seconds)

    def _opposite(self, peering: Resource) -> Resource | None:
        own = ids.to_key(peering.id.parent or "")
        remote = peering.active_properties["remoteVirtualNetwork"]["id"]
        for child in self.world.list_children(remote, "virtualNetworkPeerings"):
            if ids.to_key(child.active_properties["remoteVirtualNetwork"]["id"]) == own:
                return child
        return None


PEERINGS = "virtualNetworks/virtualNetworkPeerings"


def routing(builder: Builder, timing: BgpTiming | None = None) -> Bgp:
    """The routing of a builder's world."""
    bgp = Bgp(builder.world, timing or BgpTiming())
    builder.world.listeners.insert(0, bgp.refresh)
    return bgp


def link(builder: Builder, number: int, one: str, other: str, key: str = "key") -> None:
    """A local network gateway and a connection of one gateway towards another, BGP on.

    The local network gateway carries the far VNet's address space, as in the facts.
    """
    far = builder.get("virtualNetworkGateways", other).active_properties
    subnet = far["ipConfigurations"][0]["properties"]["subnet"]["id"]
    vnet = builder.world.get(subnet.rpartition("/subnets/")[0])
    assert vnet is not None
    prefixes = vnet.active_properties["addressSpace"]["addressPrefixes"]
    settings = far["bgpSettings"]
    builder.local_gateway(
        f"lng{number}",
        builder.public_address(other),
        settings["asn"],
        settings["bgpPeeringAddress"],
        *prefixes,
    )
    builder.connection(f"{one}-to-{other}", one, f"lng{number}", key)


def proof_of_concept(builder: Builder | None = None) -> Builder:
    """The topology of the proof of concept in its initial state; sessions are not up yet."""
    b = builder or Builder()
    for number in range(1, 6):
        b.vnet(f"vnet{number}", f"10.{number}.0.0/16")
    b.put("routeTables", "rt1")
    b.put(
        "routeTables/routes",
        "rt1",
        "nat",
        addressPrefix="8.8.4.4/32",
        nextHopType="VirtualAppliance",
        nextHopIpAddress="10.2.2.4",
    )
    b.subnet("vnet1", "vnet1-sub1", "10.1.0.0/24", routeTable=reference("routeTables", "rt1"))
    b.subnet("vnet2", "vnet2-sub1", "10.2.1.0/24")
    b.subnet("vnet2", "vnet2-sub2", "10.2.2.0/24")
    b.subnet("vnet5", "vnet5-sub1", "10.5.0.0/24")
    for number in (2, 3, 4):
        b.subnet(f"vnet{number}", "GatewaySubnet", f"10.{number}.0.0/24")
    b.gateway("vng1", "vnet2", 65000, "10.2.0.254")
    b.gateway("vng2", "vnet3", 65010, "10.3.0.254")
    b.gateway("vng3", "vnet4", 65020, "10.4.0.254")
    link(b, 1, "vng1", "vng3", "one")
    link(b, 2, "vng2", "vng3", "two")
    link(b, 3, "vng3", "vng1", "one")
    link(b, 4, "vng3", "vng2", "two")
    b.peer("vnet2", "vnet1", forwarded=True, transit=True)
    b.peer("vnet1", "vnet2", forwarded=True, remote_gateways=True)
    b.peer("vnet4", "vnet5", forwarded=True, transit=True)
    b.peer("vnet5", "vnet4", forwarded=True, remote_gateways=True)
    for name in ("vm1", "vm2", "vm3"):
        b.public_ip(f"{name}-public-ip")
    b.nic("vm1-nic", "vnet1", "vnet1-sub1", "10.1.0.4", public_ip="vm1-public-ip")
    b.nic("vm2-nic", "vnet5", "vnet5-sub1", "10.5.0.4", public_ip="vm2-public-ip")
    b.nic(
        "vm3-nic1",
        "vnet2",
        "vnet2-sub1",
        "10.2.1.4",
        public_ip="vm3-public-ip",
        forwarding=True,
    )
    b.nic("vm3-nic2", "vnet2", "vnet2-sub2", "10.2.2.4", forwarding=True)
    b.machine("vm1", "vm1-nic")
    b.machine("vm2", "vm2-nic")
    b.machine("vm3", "vm3-nic1", "vm3-nic2")
    return b


def expressroute_fails(b: Builder) -> None:
    """The drill: lng1's BGP peering address becomes one that nobody has."""
    b.patch(
        "localNetworkGateways",
        "lng1",
        bgpSettings={"asn": 65020, "bgpPeeringAddress": "10.4.0.253"},
    )


def expressroute_is_repaired(b: Builder) -> None:
    """The drill's end."""
    b.patch(
        "localNetworkGateways",
        "lng1",
        bgpSettings={"asn": 65020, "bgpPeeringAddress": "10.4.0.254"},
    )


def leave_primary(b: Builder) -> None:
    """The gateway flags of the peering of vnet1 and vnet2 off, on both sides."""
    b.peer("vnet1", "vnet2")
    b.peer("vnet2", "vnet1")


def join_backup(b: Builder) -> None:
    """Vnet1 uses the gateway of vnet3."""
    b.peer("vnet3", "vnet1", forwarded=True, transit=True)
    b.peer("vnet1", "vnet3", forwarded=True, remote_gateways=True)
