"""What routing reads off the world's resources, parsed and kept up to date.

Owns parsed copies of the *active* bodies and the indexes over them. ``refresh`` looks at every
resource but parses only what changed, so that a change of a large world stays cheap. It never
changes a resource and draws no conclusion: who routes what is for ``bgp`` and ``effective_routes``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from erfailover.lab.core import ids
from erfailover.lab.core.world import Body, Resource, World
from erfailover.lab.routing import records
from erfailover.lab.routing.records import (
    CIRCUIT,
    CIRCUIT_PEERING,
    CONNECTION,
    GATEWAY,
    LOCAL_GATEWAY,
    MACHINE,
    NIC,
    PEERING,
    PUBLIC_IP,
    ROUTE,
    RULE,
    SUBNET,
    TABLE,
    VNET,
)

T = TypeVar("T")


class Shelf(Generic[T]):
    """Things of one kind by key, and by the key of what they belong to."""

    def __init__(self) -> None:
        self.all: dict[str, T] = {}
        self._groups: dict[str, dict[str, T]] = {}
        self._group_of: dict[str, str] = {}

    def put(self, key: str, group: str, thing: T) -> None:
        """Keep a thing, in place of the one with that key."""
        if self._group_of.get(key) not in (None, group):
            self.drop(key)
        self.all[key] = thing
        self._group_of[key] = group
        self._groups.setdefault(group, {})[key] = thing

    def drop(self, key: str) -> None:
        """Forget a thing."""
        if key in self.all:
            del self.all[key]
            del self._groups[self._group_of.pop(key)][key]

    def get(self, key: str) -> T | None:
        """The thing with that key."""
        return self.all.get(key)

    def of(self, group: str) -> Iterable[T]:
        """The things that belong to something, in the order they were made."""
        return self._groups.get(group, {}).values()


@dataclass(slots=True)
class _Seen:
    resource: Resource
    kind: str
    active: Body | None
    detail: tuple[Any, ...]


class Network:
    """The parsed resources of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen: dict[str, _Seen] = {}
        self.version = 0
        """Counts the changes of anything kept here."""
        self.vnets: Shelf[records.Vnet] = Shelf()
        self.subnets: Shelf[records.Subnet] = Shelf()
        self.peerings: Shelf[records.Peering] = Shelf()
        self.gateways: Shelf[records.Gateway] = Shelf()
        self.local_gateways: Shelf[records.LocalGateway] = Shelf()
        self.connections: Shelf[records.Connection] = Shelf()
        self.public_ips: Shelf[str] = Shelf()
        self.nics: Shelf[records.Nic] = Shelf()
        self.machines: Shelf[records.Machine] = Shelf()
        self.routes: Shelf[records.UserRoute] = Shelf()
        self.rules: Shelf[records.SecurityRule] = Shelf()
        self.machine_of: dict[str, records.Machine] = {}
        """Machines by the key of each of their network interfaces."""
        self.circuits: Shelf[records.Circuit] = Shelf()
        self.circuit_peerings: Shelf[records.CircuitPeering] = Shelf()
        self.tables: Shelf[bool] = Shelf()
        """Route tables by key: whether gateway routes are kept out."""

    def refresh(self) -> frozenset[str]:
        """Parse what changed since the last time.

        Returns:
            The full types, in lower case, of the resources that changed, came or went.
        """
        changed: set[str] = set()
        resources = self._world.resources
        for key, resource in resources.items():
            seen = self._seen.get(key)
            if seen is None or seen.resource is not resource:
                seen = self._seen[key] = _Seen(resource, resource.type, None, ())
            elif seen.active is resource.active and seen.detail == _detail(seen.kind, resource):
                continue
            seen.active, seen.detail = resource.active, _detail(seen.kind, resource)
            self._drop(key, seen.kind)
            if resource.active is not None:
                self._put(key, seen.kind, resource)
            changed.add(seen.kind)
        if len(self._seen) > len(resources):
            for key in [key for key in self._seen if key not in resources]:
                kind = self._seen.pop(key).kind
                self._drop(key, kind)
                changed.add(kind)
        if MACHINE in changed:
            self.machine_of = {
                nic: machine for machine in self.machines.all.values() for nic in machine.nics
            }
        if changed:
            self.version += 1
        return frozenset(changed)

    def peering_between(self, vnet: str, remote: str) -> records.Peering | None:
        """The side of a peering that one VNet has towards another."""
        return next((each for each in self.peerings.of(vnet) if each.remote == remote), None)

    def lends_to(self, vnet: str) -> tuple[tuple[str, str], ...]:
        """Prefix and VNet of every spoke that uses a VNet's gateways as its remote gateways."""
        found: dict[str, str] = {}
        for here in self.peerings.of(vnet):
            if not (here.connected and here.transit and here.access):
                continue
            there = self.peering_between(here.remote, vnet)
            spoke = self.vnets.get(here.remote)
            if there is None or spoke is None:
                continue
            if there.connected and there.remote_gateways and there.access:
                for prefix in here.remote_prefixes or spoke.prefixes:
                    found.setdefault(prefix, spoke.key)
        return tuple(found.items())

    def gateway_in(self, vnet: str) -> records.Gateway | None:
        """The VPN gateway of a VNet, or else its ExpressRoute gateway."""
        found = list(self.gateways.of(vnet))
        return next((each for each in found if each.kind == "vpn"), found[0] if found else None)

    def nic_with_address(self, vnet: str, address: str) -> records.Nic | None:
        """The network interface of a VNet that has a private address."""
        for nic in self.nics.of(vnet):
            if any(each.address == address for each in nic.configurations):
                return nic
        return None

    def _drop(self, key: str, kind: str) -> None:
        for shelf in self._shelves(kind):
            shelf.drop(key)

    def _shelves(self, kind: str) -> tuple[Shelf[Any], ...]:
        shelves: dict[str, tuple[Shelf[Any], ...]] = {
            VNET: (self.vnets,),
            SUBNET: (self.subnets,),
            PEERING: (self.peerings,),
            GATEWAY: (self.gateways,),
            LOCAL_GATEWAY: (self.local_gateways,),
            CONNECTION: (self.connections,),
            PUBLIC_IP: (self.public_ips,),
            NIC: (self.nics,),
            MACHINE: (self.machines,),
            ROUTE: (self.routes,),
            RULE: (self.rules,),
            TABLE: (self.tables,),
            CIRCUIT: (self.circuits,),
            CIRCUIT_PEERING: (self.circuit_peerings,),
        }
        return shelves.get(kind, ())

    def _put(self, key: str, kind: str, resource: Resource) -> None:
        parent = ids.key(resource.id.parent) if resource.id.parent is not None else ""
        body = resource.active_properties
        if kind == VNET:
            self.vnets.put(key, "", records.vnet(key, resource, body))
        elif kind == SUBNET:
            self.subnets.put(key, parent, records.subnet(key, parent, body))
        elif kind == PEERING:
            self.peerings.put(key, parent, records.peering(key, parent, resource, body))
        elif kind == GATEWAY:
            gateway = records.gateway(key, resource, body)
            self.gateways.put(key, gateway.vnet, gateway)
        elif kind == LOCAL_GATEWAY:
            self.local_gateways.put(key, "", records.local_gateway(key, body))
        elif kind == CONNECTION:
            connection = records.connection(key, resource, body)
            self.connections.put(key, connection.gateway, connection)
        elif kind == PUBLIC_IP:
            self.public_ips.put(key, "", str(body.get("ipAddress") or ""))
        elif kind == NIC:
            nic = records.nic(key, resource, body)
            self.nics.put(key, nic.vnet, nic)
        elif kind == MACHINE:
            self.machines.put(key, "", records.machine(key, resource, body))
        elif kind == ROUTE:
            self.routes.put(key, parent, records.route(resource, parent, body))
        elif kind == RULE:
            self.rules.put(key, parent, records.rule(resource, parent, body))
        elif kind == CIRCUIT:
            self.circuits.put(key, "", records.circuit(key, resource))
        elif kind == CIRCUIT_PEERING:
            if body.get("peeringType") == "AzurePrivatePeering":
                self.circuit_peerings.put(key, parent, records.circuit_peering(key, body))
        elif kind == TABLE:
            self.tables.put(key, "", bool(body.get("disableBgpRoutePropagation")))


def _detail(kind: str, resource: Resource) -> tuple[Any, ...]:
    """What may change without a new ``active``: another resource's doing, or hidden."""
    if kind == PEERING:
        body = resource.active_properties
        space = body.get("remoteAddressSpace") or {}
        return (body.get("peeringState"), *(space.get("addressPrefixes") or ()))
    if kind == CONNECTION:
        return (resource.hidden.get("sharedKey"),)
    if kind == GATEWAY:
        return (resource.hidden.get(records.FAILED),)
    if kind == CIRCUIT:
        return (resource.hidden.get(records.SESSIONS_DOWN),)
    if kind == PUBLIC_IP:
        return (resource.active_properties.get("ipAddress"),)
    return ()
