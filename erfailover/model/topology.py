"""The topology of a site: what ``provision`` creates and ``destroy`` deletes.

Owns the shape of the section ``topology`` of a site file. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from erfailover.model.peering_flags import Flags
from erfailover.model.site_file import Prefix, Section

ADMIN_PASSWORD = "admin-password"
"""The name of the machines' password among the secrets."""


@dataclass(frozen=True, slots=True)
class TopologySubnet(Section):
    """A subnet to provision."""

    prefix: Prefix
    """Its address prefix."""
    routes: Mapping[IPv4Network, IPv4Address] = field(default_factory=dict)
    """User-defined routes: each prefix, with the address of the virtual appliance."""


@dataclass(frozen=True, slots=True)
class TopologyNetwork(Section):
    """A VNet to provision."""

    address_space: tuple[Prefix, ...]
    """Its prefixes."""
    subnets: Mapping[str, TopologySubnet] = field(default_factory=dict)
    """Its subnets, by name; a VNet with a gateway needs a GatewaySubnet."""


@dataclass(frozen=True, slots=True)
class TopologyGateway(Section):
    """A VPN gateway to provision; Azure assigns its BGP address from the GatewaySubnet."""

    virtual_network: str
    """The VNet of the topology that it is in."""
    asn: int
    """Its autonomous system number."""
    sku: str = "VpnGw1AZ"
    """Its SKU."""


@dataclass(frozen=True, slots=True)
class TopologyConnection(Section):
    """One direction of a tunnel: a connection and the local network gateway of the far end."""

    gateway: str
    """The gateway that the connection belongs to."""
    far_gateway: str
    """The gateway at the other end."""
    local_network_gateway: str
    """The local network gateway that represents the far one."""


@dataclass(frozen=True, slots=True)
class TopologyPeering(Section):
    """A peering to provision that no switch changes."""

    virtual_network: str
    """The VNet that owns it."""
    remote_virtual_network: str
    """The VNet at the other end."""
    flags: Flags
    """Its flags, the same on both paths."""


@dataclass(frozen=True, slots=True)
class TopologyInterface(Section):
    """A network interface to provision; the first of a machine is eth0."""

    subnet: str
    """``<virtual network>/<subnet>``"""
    address: IPv4Address
    """Its private address."""
    public: bool = False
    """Whether it has its own public address, closed to the Internet."""
    forwarding: bool = False
    """Whether IP forwarding is on."""


@dataclass(frozen=True, slots=True)
class TopologyMachine(Section):
    """A Linux machine to provision."""

    interfaces: Mapping[str, TopologyInterface]
    """Its network interfaces, by name; the first is eth0."""
    size: str = "Standard_B2ats_v2"
    """Its size, as Azure names it."""
    image: str = "Canonical:ubuntu-24_04-lts:server:latest"
    """``publisher:offer:sku:version``"""
    admin_username: str = "azureuser"
    """The name of the user who can sign in."""
    ssh_public_key: str | None = None
    """That user's public SSH key, or the path of its file. With a key, there is no password."""
    nat_for: Prefix | None = None
    """Makes it a NAT gateway for this prefix: eth0 is outside, eth1 is inside."""


@dataclass(frozen=True, slots=True)
class TopologySharedKeys(Section):
    """Where the tunnels' shared key is: one secret in a key vault, for all tunnels."""

    key_vault: str
    """The vault's URL, as Azure shows it."""
    secret: str
    """The secret's name."""
    version: str | None = None
    """The version of the secret. Default: the newest."""

    @property
    def id(self) -> str:
        """The secret's id in lower case; without a version if none is named."""
        return f"{self.unversioned_id}/{self.version}" if self.version else self.unversioned_id

    @property
    def unversioned_id(self) -> str:
        """The secret's id without a version."""
        return f"{self.key_vault.rstrip('/').lower()}/secrets/{self.secret.lower()}"


@dataclass(frozen=True, slots=True)
class Topology(Section):
    """What ``provision`` creates; an existing network needs none."""

    virtual_networks: Mapping[str, TopologyNetwork]
    """The VNets, by name."""
    gateways: Mapping[str, TopologyGateway]
    """The VPN gateways, by name."""
    connections: Mapping[str, TopologyConnection]
    """The connections, by name; a tunnel needs two, one from each end."""
    peerings: Mapping[str, TopologyPeering] = field(default_factory=dict)
    """The peerings that no switch changes, by name."""
    machines: Mapping[str, TopologyMachine] = field(default_factory=dict)
    """The virtual machines, by name."""
    shared_keys: TopologySharedKeys | None = None
    """Where the tunnels' shared key is. Default: generated, and kept on this machine."""
