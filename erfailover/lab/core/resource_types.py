"""Names of resource types, and the set of those that a lab models.

Owns the spelling of the types that more than one package names; a type that nothing else names
keeps its name in its own module. Which types are modelled is not decided here: the providers'
registry passes a ``ResourceTypes`` to code that looks one up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

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
NETWORK_WATCHER = f"{NETWORK}/networkWatchers"
VM = f"{COMPUTE}/virtualMachines"
GROUP = "Microsoft.Resources/resourceGroups"
DEPLOYMENT = "Microsoft.Resources/deployments"


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """The properties of a resource type that requests need.

    Attributes:
        type: its name as Azure spells it.
        noun: what Azure's operations call it (``Put<noun>Operation``).
        actions: the POSTs that the lab models, in lower case.
        references: the paths in its properties that hold another resource's id.
    """

    type: str
    noun: str
    actions: tuple[str, ...] = ()
    references: tuple[str, ...] = ()

    @property
    def provider(self) -> str:
        """The provider's namespace."""
        return self.type.split("/", 1)[0]

    @property
    def types(self) -> tuple[str, ...]:
        """The names of the type and its parents, without the namespace."""
        return tuple(self.type.split("/")[1:])

    @property
    def collection(self) -> str:
        """The last part of the type: the name of its collection."""
        return self.type.rsplit("/", 1)[1]

    @property
    def parent(self) -> str | None:
        """The type of the parent; None for a type that is no child."""
        return self.type.rsplit("/", 1)[0] if is_child(self.type) else None

    @property
    def is_tracked(self) -> bool:
        """Whether resources of the type have a location and tags; children have none."""
        return self.parent is None


T_co = TypeVar("T_co", bound=ResourceType, covariant=True)


class ResourceTypes(Generic[T_co]):
    """A set of resource types, looked up by name in any letter case."""

    def __init__(self, types: Iterable[T_co]) -> None:
        self._types = {resource_type.type.lower(): resource_type for resource_type in types}

    def __iter__(self) -> Iterator[T_co]:
        return iter(self._types.values())

    def __getitem__(self, type_: str) -> T_co:
        return self._types[type_.lower()]

    def get(self, type_: str) -> T_co | None:
        """Return the type with that name; None if it is not modelled."""
        return self._types.get(type_.lower())

    def find(self, provider: str, types: tuple[str, ...]) -> T_co | None:
        """Return the type that a URL or an id names; None if it is not modelled."""
        return self.get("/".join((provider, *types)))

    def get_children(self, type_: str) -> tuple[T_co, ...]:
        """Return the child types of a type, in the order a parent's body names them."""
        return tuple(
            resource_type
            for resource_type in self
            if (resource_type.parent or "").lower() == type_.lower()
        )


def is_child(type_: str) -> bool:
    """Return whether resources of a type have a parent resource."""
    return type_.count("/") > 1
