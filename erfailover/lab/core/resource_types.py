"""The resource types that the lab models, with the names Azure uses for them.

Owns names only: the spelling of a type, what it is a child of, what Azure calls the
operation that writes it. What a body looks like stands in ``defaults``, what is refused in
``rules``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

NETWORK = "Microsoft.Network"
COMPUTE = "Microsoft.Compute"

VNET = f"{NETWORK}/virtualNetworks"
SUBNET = f"{VNET}/subnets"
PEERING = f"{VNET}/virtualNetworkPeerings"
PUBLIC_IP = f"{NETWORK}/publicIPAddresses"
NIC = f"{NETWORK}/networkInterfaces"
ROUTE_TABLE = f"{NETWORK}/routeTables"
ROUTE = f"{ROUTE_TABLE}/routes"
SECURITY_GROUP = f"{NETWORK}/networkSecurityGroups"
SECURITY_RULE = f"{SECURITY_GROUP}/securityRules"
GATEWAY = f"{NETWORK}/virtualNetworkGateways"
LOCAL_GATEWAY = f"{NETWORK}/localNetworkGateways"
CONNECTION = f"{NETWORK}/connections"
CIRCUIT = f"{NETWORK}/expressRouteCircuits"
CIRCUIT_PEERING = f"{CIRCUIT}/peerings"
VIRTUAL_HUB = f"{NETWORK}/virtualHubs"
HUB_CONFIGURATION = f"{VIRTUAL_HUB}/ipConfigurations"
HUB_CONNECTION = f"{VIRTUAL_HUB}/bgpConnections"
VM = f"{COMPUTE}/virtualMachines"
GROUP = "Microsoft.Resources/resourceGroups"
DEPLOYMENT = "Microsoft.Resources/deployments"


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One type.

    ``noun`` is what Azure's operations call it (``Put<noun>Operation``); ``tracked`` types
    have a location and tags; ``actions`` are the POSTs that the lab models, in lower case.
    """

    type: str
    noun: str
    tracked: bool = True
    actions: tuple[str, ...] = ()

    @property
    def provider(self) -> str:
        """The provider's namespace."""
        return self.type.split("/", 1)[0]

    @property
    def collection(self) -> str:
        """The last part of the type: the name of its collection."""
        return self.type.rsplit("/", 1)[1]

    @property
    def parent(self) -> str | None:
        """The type of the parent; None for a type that is no child."""
        return self.type.rsplit("/", 1)[0] if self.type.count("/") > 1 else None


_ALL = (
    ResourceType(VNET, "VirtualNetwork"),
    ResourceType(SUBNET, "Subnet", tracked=False),
    ResourceType(PEERING, "VirtualNetworkPeering", tracked=False),
    ResourceType(PUBLIC_IP, "PublicIpAddress"),
    ResourceType(NIC, "NetworkInterface", actions=("effectiveroutetable",)),
    ResourceType(ROUTE_TABLE, "RouteTable"),
    ResourceType(ROUTE, "Route", tracked=False),
    ResourceType(SECURITY_GROUP, "NetworkSecurityGroup"),
    ResourceType(SECURITY_RULE, "SecurityRule", tracked=False),
    ResourceType(
        GATEWAY,
        "VirtualNetworkGateway",
        actions=(
            "getbgppeerstatus",
            "getlearnedroutes",
            "getadvertisedroutes",
            "reset",
            "startsitefailovertest",
            "stopsitefailovertest",
            "getfailoveralltestsdetails",
            "getfailoversingletestdetails",
        ),
    ),
    ResourceType(LOCAL_GATEWAY, "LocalNetworkGateway"),
    ResourceType(CONNECTION, "VirtualNetworkGatewayConnection"),
    ResourceType(CIRCUIT, "ExpressRouteCircuit"),
    ResourceType(CIRCUIT_PEERING, "ExpressRouteCircuitPeering", tracked=False),
    ResourceType(VIRTUAL_HUB, "VirtualHub"),
    ResourceType(HUB_CONFIGURATION, "VirtualHubIpConfiguration", tracked=False),
    ResourceType(
        HUB_CONNECTION, "VirtualHubBgpConnection", tracked=False, actions=("learnedroutes",)
    ),
    ResourceType(
        VM,
        "VirtualMachine",
        actions=("runcommand", "start", "restart", "poweroff", "deallocate"),
    ),
)

TYPES: Mapping[str, ResourceType] = MappingProxyType({each.type.lower(): each for each in _ALL})
"""Every modelled type by its name in lower case."""


def find(provider: str, types: tuple[str, ...]) -> ResourceType | None:
    """The modelled type of that name, whatever the case it is written in."""
    return TYPES.get("/".join((provider, *types)).lower())


def children(type_: str) -> tuple[ResourceType, ...]:
    """The child types of a type, in the order a parent's body names them."""
    return tuple(each for each in _ALL if (each.parent or "").lower() == type_.lower())


def spelled(resource_type: ResourceType) -> tuple[str, tuple[str, ...]]:
    """Provider and type names as Azure spells them."""
    provider, *types = resource_type.type.split("/")
    return provider, tuple(types)
