"""Records of resources for routing: the active body as a frozen dataclass.

Pure: one function a type, from the resource's key and body. A reference to another resource
becomes that one's key, unresolved. It never reads a second resource.
"""

from __future__ import annotations

from dataclasses import dataclass

from erfailover.lab.core import addresses, ids
from erfailover.lab.core.world import Body, Resource

VNET = "microsoft.network/virtualnetworks"
SUBNET = "microsoft.network/virtualnetworks/subnets"
PEERING = "microsoft.network/virtualnetworks/virtualnetworkpeerings"
GATEWAY = "microsoft.network/virtualnetworkgateways"
LOCAL_GATEWAY = "microsoft.network/localnetworkgateways"
CONNECTION = "microsoft.network/connections"
PUBLIC_IP = "microsoft.network/publicipaddresses"
NIC = "microsoft.network/networkinterfaces"
MACHINE = "microsoft.compute/virtualmachines"
TABLE = "microsoft.network/routetables"
ROUTE = "microsoft.network/routetables/routes"
CIRCUIT = "microsoft.network/expressroutecircuits"
CIRCUIT_PEERING = "microsoft.network/expressroutecircuits/peerings"
RULE = "microsoft.network/networksecuritygroups/securityrules"


@dataclass(frozen=True, slots=True)
class Vnet:
    """A virtual network; ``summarized`` is what its gateways advertise instead of prefixes."""

    key: str
    name: str
    prefixes: tuple[str, ...]
    summarized: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet; ``security_group``, ``route_table`` and ``nat_gateway`` are keys or empty."""

    key: str
    vnet: str
    prefixes: tuple[str, ...]
    security_group: str
    route_table: str
    nat_gateway: str


@dataclass(frozen=True, slots=True)
class Peering:
    """One side of a peering, as its own VNet has it.

    ``remote_prefixes`` is the remote address space as of the last synchronisation; None if
    the resource lacks it, so that the remote VNet's own applies.
    """

    key: str
    name: str
    vnet: str
    remote: str
    connected: bool
    access: bool
    forwarded: bool
    transit: bool
    remote_gateways: bool
    remote_prefixes: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of a gateway: its BGP addresses and the key of its public IP."""

    addresses: tuple[str, ...]
    public_ip: str


@dataclass(frozen=True, slots=True)
class Gateway:
    """A virtual network gateway; two instances if it is active-active.

    ``failed_locations`` are the peering locations, in lower case, that a site failover test of
    this gateway takes down.
    """

    key: str
    name: str
    vnet: str
    kind: str
    bgp: bool
    asn: int
    instances: tuple[Instance, ...]
    failed_locations: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LocalGateway:
    """A local network gateway: a connection's description of the far end."""

    key: str
    prefixes: tuple[str, ...]
    public_address: str
    asn: int
    bgp_address: str


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection of a gateway: to a local network gateway, or to a circuit."""

    key: str
    name: str
    gateway: str
    local_gateway: str
    ipsec: bool
    bgp: bool
    shared_key: str
    circuit: str = ""


@dataclass(frozen=True, slots=True)
class Circuit:
    """An ExpressRoute circuit; ``prefixes`` is what its far end announces.

    ``edges_up`` is whether the primary and the secondary edge router answer,
    ``customer_up`` whether its session with the customer edge may come up; ``ipv6`` is announced
    as well, and no packet follows it.
    """

    key: str
    location: str
    provisioned: bool
    prefixes: tuple[str, ...]
    edges_up: tuple[bool, bool] = (True, True)
    ipv6: tuple[str, ...] = ()
    customer_up: tuple[bool, bool] = (True, True)


@dataclass(frozen=True, slots=True)
class CircuitPeering:
    """A circuit's private peering; ``subnets`` are those of the two sessions."""

    key: str
    enabled: bool
    asn: int
    subnets: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class IpConfiguration:
    """One address of a network interface."""

    address: str
    subnet: str
    public_ip: str


@dataclass(frozen=True, slots=True)
class Nic:
    """A network interface, its primary address first; ``pools`` are load balancers' by key."""

    key: str
    name: str
    configurations: tuple[IpConfiguration, ...]
    forwarding: bool
    security_group: str
    pools: tuple[str, ...] = ()

    @property
    def subnet(self) -> str:
        """The key of the subnet it is in."""
        return self.configurations[0].subnet if self.configurations else ""

    @property
    def vnet(self) -> str:
        """The key of the VNet it is in."""
        return self.subnet.rpartition("/subnets/")[0]

    @property
    def address(self) -> str:
        """Its primary private address."""
        return self.configurations[0].address if self.configurations else ""


@dataclass(frozen=True, slots=True)
class Machine:
    """A virtual machine's interfaces by key, the primary one first."""

    key: str
    name: str
    nics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UserRoute:
    """A route of a route table."""

    name: str
    table: str
    prefix: str
    next_hop_type: str
    next_hop: str


@dataclass(frozen=True, slots=True)
class SecurityRule:
    """A rule of a network security group; ports are ranges as written."""

    name: str
    group: str
    inbound: bool
    allow: bool
    priority: int
    protocol: str
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    ports: tuple[str, ...]


def _read_reference(body: Body, name: str) -> str:
    """Return the key of the resource that a property refers to; empty if there is none."""
    reference = body.get(name) or {}
    return ids.to_key(str(reference.get("id") or ""))


def _read_space(body: Body, name: str) -> tuple[str, ...]:
    return addresses.parse_ipv4_networks((body.get(name) or {}).get("addressPrefixes") or ())


def _read_either(body: Body, one: str, several: str) -> tuple[str, ...]:
    """Return a property that Azure has in a singular and a plural form."""
    items = [*(body.get(several) or ())]
    if body.get(one) not in (None, ""):
        items.append(body[one])
    return tuple(dict.fromkeys(str(item) for item in items))


def read_vnet(key: str, resource: Resource, body: Body) -> Vnet:
    """Read a virtual network."""
    summarized = _read_space(body, "summarizedGatewayPrefixes")
    space = (body.get("addressSpace") or {}).get("addressPrefixes") or ()
    ipv6 = addresses.parse_ipv6_networks(space)
    return Vnet(key, resource.id.name, _read_space(body, "addressSpace"), summarized, ipv6)


def read_subnet(key: str, vnet: str, body: Body) -> Subnet:
    """Read a subnet."""
    return Subnet(
        key,
        vnet,
        addresses.parse_ipv4_networks(_read_either(body, "addressPrefix", "addressPrefixes")),
        _read_reference(body, "networkSecurityGroup"),
        _read_reference(body, "routeTable"),
        _read_reference(body, "natGateway"),
    )


def read_peering(key: str, vnet: str, resource: Resource, body: Body) -> Peering:
    """Read one side of a peering."""
    synchronised = _read_space(body, "remoteAddressSpace")
    return Peering(
        key=key,
        name=resource.id.name,
        vnet=vnet,
        remote=_read_reference(body, "remoteVirtualNetwork"),
        connected=body.get("peeringState") == "Connected",
        access=bool(body.get("allowVirtualNetworkAccess", True)),
        forwarded=bool(body.get("allowForwardedTraffic")),
        transit=bool(body.get("allowGatewayTransit")),
        remote_gateways=bool(body.get("useRemoteGateways")),
        remote_prefixes=synchronised or None,
    )


def read_gateway(key: str, resource: Resource, body: Body) -> Gateway:
    """Read a virtual network gateway and its instances."""
    settings = body.get("bgpSettings") or {}
    configurations = body.get("ipConfigurations") or [{}]
    single = str(settings.get("bgpPeeringAddress") or "").split(",")
    instances = []
    for index, configuration in enumerate(configurations):
        name = ids.to_key(str(configuration.get("id") or ""))
        addresses = [single[index].strip()] if index < len(single) and single[index] else []
        for row in settings.get("bgpPeeringAddresses") or ():
            if name and ids.to_key(str(row.get("ipconfigurationId") or "")) == name:
                addresses += row.get("defaultBgpIpAddresses") or ()
                addresses += row.get("customBgpIpAddresses") or ()
        public_ip = _read_reference(configuration.get("properties") or {}, "publicIPAddress")
        instances.append(Instance(tuple(dict.fromkeys(addresses)), public_ip))
    first = configurations[0].get("properties") or {}
    return Gateway(
        key=key,
        name=resource.id.name,
        vnet=_read_reference(first, "subnet").rpartition("/subnets/")[0],
        kind=str(body.get("gatewayType") or "Vpn").lower(),
        bgp=bool(body.get("enableBgp")),
        asn=int(settings.get("asn") or 65515),
        instances=tuple(instances if body.get("activeActive") else instances[:1]),
        failed_locations=frozenset(filter(None, resource.hidden.get(FAILED, "").split("\n"))),
    )


def read_local_gateway(key: str, body: Body) -> LocalGateway:
    """Read a local network gateway."""
    settings = body.get("bgpSettings") or {}
    return LocalGateway(
        key,
        _read_space(body, "localNetworkAddressSpace"),
        str(body.get("gatewayIpAddress") or ""),
        int(settings.get("asn") or 0),
        str(settings.get("bgpPeeringAddress") or ""),
    )


def read_connection(key: str, resource: Resource, body: Body) -> Connection:
    """Read a connection and its shared key."""
    return Connection(
        key=key,
        name=resource.id.name,
        gateway=_read_reference(body, "virtualNetworkGateway1"),
        local_gateway=_read_reference(body, "localNetworkGateway2"),
        ipsec=str(body.get("connectionType") or "").lower() == "ipsec",
        bgp=bool(body.get("enableBgp")),
        shared_key=resource.hidden.get("sharedKey", ""),
        circuit=_read_reference(body, "peer"),
    )


FAILED = "failedLocations"
"""The hidden value with the locations that a gateway's failover tests take down, one per line."""
ON_PREMISES_TAG = "lab:on-premises"
"""The tag of a circuit that lists the prefixes that its far end advertises."""
EDGES_DOWN_TAG = "lab:edges-down"
"""The tag of a circuit that lists the edges that do not answer: primary, secondary, or both."""
SESSIONS_DOWN = "sessionsDown"
"""The hidden value with a circuit's edges that have lost the customer edge."""


def read_circuit(key: str, resource: Resource) -> Circuit:
    """Read an ExpressRoute circuit."""
    body = resource.active_properties
    tags = (resource.active or {}).get("tags") or {}
    announced = str(tags.get(ON_PREMISES_TAG) or "").replace(",", " ").split()
    down = str(tags.get(EDGES_DOWN_TAG) or "").lower().replace(",", " ").split()
    lost = resource.hidden.get(SESSIONS_DOWN, "").split()
    states = (body.get("circuitProvisioningState"), body.get("serviceProviderProvisioningState"))
    return Circuit(
        key,
        str((body.get("serviceProviderProperties") or {}).get("peeringLocation") or ""),
        states == ("Enabled", "Provisioned"),
        addresses.parse_ipv4_networks(announced),
        ("primary" not in down, "secondary" not in down),
        addresses.parse_ipv6_networks(announced),
        ("primary" not in lost, "secondary" not in lost),
    )


def read_circuit_peering(key: str, body: Body) -> CircuitPeering:
    """Read a circuit's private peering."""
    return CircuitPeering(
        key,
        body.get("state") != "Disabled",
        int(body.get("peerASN") or 0),
        (
            str(body.get("primaryPeerAddressPrefix") or ""),
            str(body.get("secondaryPeerAddressPrefix") or ""),
        ),
    )


def read_nic(key: str, resource: Resource, body: Body) -> Nic:
    """Read a network interface."""
    configurations = []
    pools: list[str] = []
    for row in body.get("ipConfigurations") or ():
        configuration = row.get("properties") or {}
        for pool in configuration.get("loadBalancerBackendAddressPools") or ():
            pools.append(ids.to_key(str(pool.get("id") or "")))
        configurations.append(
            (
                not configuration.get("primary", True),
                IpConfiguration(
                    str(configuration.get("privateIPAddress") or ""),
                    _read_reference(configuration, "subnet"),
                    _read_reference(configuration, "publicIPAddress"),
                ),
            )
        )
    configurations.sort(key=lambda pair: pair[0])
    return Nic(
        key=key,
        name=resource.id.name,
        configurations=tuple(configuration for _, configuration in configurations),
        forwarding=bool(body.get("enableIPForwarding")),
        security_group=_read_reference(body, "networkSecurityGroup"),
        pools=tuple(pools),
    )


def read_machine(key: str, resource: Resource, body: Body) -> Machine:
    """Read a virtual machine's list of interfaces."""
    references = (body.get("networkProfile") or {}).get("networkInterfaces") or []
    ordered = sorted(
        references, key=lambda reference: not (reference.get("properties") or {}).get("primary")
    )
    return Machine(
        key, resource.id.name, tuple(ids.to_key(str(reference.get("id"))) for reference in ordered)
    )


def read_route(resource: Resource, table: str, body: Body) -> UserRoute:
    """Read a user-defined route."""
    return UserRoute(
        resource.id.name,
        table,
        str(body.get("addressPrefix") or ""),
        str(body.get("nextHopType") or ""),
        str(body.get("nextHopIpAddress") or ""),
    )


def read_rule(resource: Resource, group: str, body: Body) -> SecurityRule:
    """Read a security rule."""
    return SecurityRule(
        name=resource.id.name,
        group=group,
        inbound=str(body.get("direction")).lower() == "inbound",
        allow=str(body.get("access")).lower() == "allow",
        priority=int(body.get("priority") or 4096),
        protocol=str(body.get("protocol") or "*").lower(),
        sources=_read_either(body, "sourceAddressPrefix", "sourceAddressPrefixes"),
        destinations=_read_either(body, "destinationAddressPrefix", "destinationAddressPrefixes"),
        ports=_read_either(body, "destinationPortRange", "destinationPortRanges"),
    )
