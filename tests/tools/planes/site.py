"""A random site, made directly in a world: only what both data planes carry.

``draw_site`` draws VNets, gateways and tunnels; ``details`` what is in the VNets. What Azure
refuses (overlapping peered VNets, two remote gateways, a default route in a GatewaySubnet) is not
drawn; what it accepts and does not work (wrong keys, one-sided connections) is.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from erfailover.lab.core.world import Resource
from tests.support import worlds
from tests.support.worlds import PEERINGS, Builder
from tests.tools.planes import details

GATEWAY_ASN = 65515
FLAGS = (
    "allowVirtualNetworkAccess",
    "allowForwardedTraffic",
    "allowGatewayTransit",
    "useRemoteGateways",
)


@dataclass
class Site:
    """A site: what is in its world, by name, and the scripts that its machines start with."""

    random: random.Random
    builder: Builder = field(default_factory=Builder)
    hubs: list[str] = field(default_factory=list)
    gateways: dict[str, list[str]] = field(default_factory=dict)
    """The BGP addresses of each gateway's instances."""
    asns: dict[str, int] = field(default_factory=dict)
    custom: dict[str, str] = field(default_factory=dict)
    """The APIPA address of a gateway that has one."""
    vnets: dict[str, list[str]] = field(default_factory=dict)
    subnets: list[tuple[str, str]] = field(default_factory=list)
    tables: dict[str, str] = field(default_factory=dict)
    """The VNet that each route table is for."""
    groups: list[str] = field(default_factory=list)
    machines: dict[str, str] = field(default_factory=dict)
    """The primary address of each machine."""
    second: dict[str, str] = field(default_factory=dict)
    """The address of the second interface of a machine that has one."""
    homes: dict[str, str] = field(default_factory=dict)
    """The VNet of each machine."""
    scripts: dict[str, str] = field(default_factory=dict)
    counter: int = 0

    def chance(self, probability: float) -> bool:
        """Return true with a probability."""
        return self.random.random() < probability

    def number(self) -> int:
        """Return a number that no name has yet."""
        self.counter += 1
        return self.counter

    def list_peerings(self) -> list[tuple[str, str]]:
        """Return the VNet and the name of every side of a peering."""
        return [(each.id.names[0], each.id.name) for each in self._list(PEERINGS)]

    def list_peered(self, vnet: str) -> list[str]:
        """Return the VNets that a VNet has a peering to."""
        names = (name for place, name in self.list_peerings() if place == vnet)
        return [name.rpartition("-to-")[2] for name in names]

    def list_connections(self) -> list[str]:
        """Return the names of the connections."""
        return [each.id.name for each in self._list("connections")]

    def list_local_gateways(self) -> list[str]:
        """Return the names of the local network gateways."""
        return [each.id.name for each in self._list("localNetworkGateways")]

    def get_machine(self, name: str) -> Resource:
        """Return a virtual machine."""
        return self.builder.get("virtualMachines", name, provider="Microsoft.Compute")

    def may_use_remote_gateway(self, vnet: str) -> bool:
        """Return whether Azure lets one more peering of a VNet use a remote gateway."""
        if vnet in self.hubs:
            return False
        return not any(
            each.active_properties["useRemoteGateways"]
            for each in self._list(PEERINGS)
            if each.id.names[0] == vnet
        )

    def peer(self, vnet: str, remote: str, likely: bool) -> None:
        """Create both sides of a peering with random flags, of which some are likely."""
        for here, there in ((vnet, remote), (remote, vnet)):
            lends = there not in self.hubs and here in self.hubs
            self.builder.peer(
                here,
                there,
                access=self.chance(0.95),
                forwarded=self.chance(0.6),
                transit=self.chance(0.9 if lends and likely else 0.3),
                remote_gateways=there in self.hubs
                and self.may_use_remote_gateway(here)
                and self.chance(0.85 if likely else 0.3),
            )

    def _list(self, type_: str) -> list[Resource]:
        return list(self.builder.world.iter_by_type(f"{worlds.NETWORK}/{type_}"))


def draw_site(seed: int) -> Site:
    """Draw a site."""
    site = Site(random.Random(seed))
    count = site.random.choice((2, 2, 3, 3, 4))
    asns = site.random.sample([*range(64512, 65000), *range(65100, 65500)], count)
    if site.chance(0.2):
        asns[-1] = asns[0]
    if site.chance(0.2):
        asns[0] = GATEWAY_ASN
    for number in range(count):
        _add_hub(site, number, asns[number])
    for number in range(site.random.randint(1, 3)):
        _add_spoke(site, f"spoke{number}", 100 + number)
    for number in range(site.random.randint(1, 2)):
        _add_spoke(site, f"office{number}", 200 + number)
    if count > 2 and site.chance(0.4):
        site.peer(site.hubs[0], site.hubs[2], likely=False)
    for one in range(count):
        for other in range(one + 1, count):
            if other == one + 1 or site.chance(0.4):
                _link(site, one, other)
    details.add_details(site)
    return site


def _add_vnet(site: Site, name: str, octet: int) -> str:
    prefixes = [f"10.{octet}.0.0/16"]
    if site.chance(0.25):
        prefixes.append(f"172.16.{octet}.0/24")
    site.builder.vnet(name, *prefixes)
    site.vnets[name] = prefixes
    return prefixes[0]


def _add_hub(site: Site, number: int, asn: int) -> None:
    hub, gateway, octet = f"hub{number}", f"vng{number}", number + 1
    _add_vnet(site, hub, octet)
    site.hubs.append(hub)
    site.builder.subnet(hub, "GatewaySubnet", f"10.{octet}.0.0/24")
    active_active = site.chance(0.45)
    addresses = [f"10.{octet}.0.4", f"10.{octet}.0.5"] if active_active else [f"10.{octet}.0.254"]
    resource = site.builder.gateway(gateway, hub, asn, *addresses, bgp=site.chance(0.85))
    if not active_active and site.chance(0.4):
        site.custom[gateway] = f"169.254.21.{octet}"
        row = {
            "ipconfigurationId": resource.active_properties["ipConfigurations"][0]["id"],
            "defaultBgpIpAddresses": addresses,
            "customBgpIpAddresses": [site.custom[gateway]],
        }
        settings = resource.active_properties["bgpSettings"] | {"bgpPeeringAddresses": [row]}
        site.builder.patch("virtualNetworkGateways", gateway, bgpSettings=settings)
    site.gateways[gateway], site.asns[gateway] = addresses, asn


def _add_spoke(site: Site, name: str, octet: int) -> None:
    _add_vnet(site, name, octet)
    hubs = site.random.sample(site.hubs, site.random.choice((1, 1, 2)))
    for place, hub in enumerate(hubs):
        site.peer(name, hub, likely=place == 0)
    others = [vnet for vnet in site.vnets if vnet not in site.hubs and vnet != name]
    if others and site.chance(0.3):
        site.peer(name, site.random.choice(others), likely=False)


def _link(site: Site, one: int, other: int) -> None:
    """Connect two gateways: one connection for each pair of instances that a side knows of."""
    here, there = f"vng{one}", f"vng{other}"
    key, wrong = f"key{one}{other}", site.chance(0.08)
    one_sided = site.chance(0.06)
    apipa = here in site.custom and there in site.custom and site.chance(0.7)
    bgp = _speaks_bgp(site, here) and _speaks_bgp(site, there)
    for near, far in ((here, there), (there, here)):
        if one_sided and near == there:
            continue
        sure = site.chance(0.85)
        for number, address in enumerate(site.gateways[far], start=1):
            if number > 1 and not sure:
                continue
            connect(site, near, far, number, site.custom[far] if apipa else address, bgp)
            name = f"{near}-{far}-{number}"
            site.builder.get("connections", name).hidden["sharedKey"] = (
                f"{key}x" if wrong and near == here else key
            )
            site.builder.world.notify_listeners()


def _speaks_bgp(site: Site, gateway: str) -> bool:
    return bool(site.builder.get("virtualNetworkGateways", gateway).active_properties["enableBgp"])


def connect(site: Site, near: str, far: str, number: int, address: str, bgp: bool) -> None:
    """Create a local network gateway and a connection towards an instance of a gateway."""
    name = f"{near}-{far}-{number}"
    octet = int(far.removeprefix("vng")) + 1
    if site.chance(0.05):
        address = f"10.{octet}.0.77"
    asn = site.asns[far] + (1 if site.chance(0.04) else 0)
    space = site.vnets[f"hub{octet - 1}"]
    static: list[str] = site.random.choice(
        (
            [*space],
            [] if bgp else [*space],
            space[:1],
            [f"10.{octet}.0.0/17"],
            [f"10.{100 + site.random.randrange(3)}.0.0/16"],
            [*space, f"10.{200 + site.random.randrange(2)}.0.0/16"],
        )
    )
    public = site.builder.public_address(far, number)
    site.builder.local_gateway(name, public, asn, address, *static)
    site.builder.connection(name, near, name, bgp=bgp and site.chance(0.95))
