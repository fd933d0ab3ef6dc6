"""Parsed copies of the world's resources, kept up to date for routing.

Owns parsed copies of the *active* bodies and the indexes over them. ``refresh`` visits every
resource but parses only what changed, so that a change of a large world stays cheap. It never
changes a resource and draws no conclusion: who routes what is for ``bgp`` and ``effective_routes``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, TypeVar

from erfailover.lab.core import ids
from erfailover.lab.core.world import Body, Resource, World
from erfailover.lab.routing import appliances, records
from erfailover.lab.routing.appliances import FIREWALL, LOAD_BALANCER
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


class GroupedIndex(Generic[T]):
    """Items of one kind by key, and by the key of their group."""

    def __init__(self) -> None:
        self.all: dict[str, T] = {}
        self._groups: dict[str, dict[str, T]] = {}
        self._group_of: dict[str, str] = {}

    def add(self, key: str, group: str, thing: T) -> None:
        """Add an item, replacing the one with the same key."""
        if self._group_of.get(key) not in (None, group):
            self.remove(key)
        self.all[key] = thing
        self._group_of[key] = group
        self._groups.setdefault(group, {})[key] = thing

    def remove(self, key: str) -> None:
        """Remove an item."""
        if key in self.all:
            del self.all[key]
            del self._groups[self._group_of.pop(key)][key]

    def get(self, key: str) -> T | None:
        """Return the item with that key."""
        return self.all.get(key)

    def list_group(self, group: str) -> Iterable[T]:
        """Return the items of a group, in the order of their creation."""
        return self._groups.get(group, {}).values()


@dataclass(slots=True)
class _ParsedResource:
    resource: Resource
    kind: str
    active: Body | None
    detail: tuple[Any, ...]


class Network:
    """The parsed resources of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen: dict[str, _ParsedResource] = {}
        self.version = 0
        """Counts the changes of anything kept here."""
        self.vnets: GroupedIndex[records.Vnet] = GroupedIndex()
        self.subnets: GroupedIndex[records.Subnet] = GroupedIndex()
        self.peerings: GroupedIndex[records.Peering] = GroupedIndex()
        self.gateways: GroupedIndex[records.Gateway] = GroupedIndex()
        self.local_gateways: GroupedIndex[records.LocalGateway] = GroupedIndex()
        self.connections: GroupedIndex[records.Connection] = GroupedIndex()
        self.public_ips: GroupedIndex[str] = GroupedIndex()
        self.nics: GroupedIndex[records.Nic] = GroupedIndex()
        self.machines: GroupedIndex[records.Machine] = GroupedIndex()
        self.routes: GroupedIndex[records.UserRoute] = GroupedIndex()
        self.rules: GroupedIndex[records.SecurityRule] = GroupedIndex()
        self.machine_of: dict[str, records.Machine] = {}
        """Machines by the key of each of their network interfaces."""
        self.circuits: GroupedIndex[records.Circuit] = GroupedIndex()
        self.circuit_peerings: GroupedIndex[records.CircuitPeering] = GroupedIndex()
        self.firewalls: GroupedIndex[records.Nic] = GroupedIndex()
        self.load_balancers: GroupedIndex[appliances.LoadBalancer] = GroupedIndex()
        self.tables: GroupedIndex[bool] = GroupedIndex()
        """Route tables by key: whether gateway routes are kept out."""

    def refresh(self) -> frozenset[str]:
        """Parse the resources that changed since the last refresh.

        Returns:
            The full types, in lower case, of the resources that changed, came or went.
        """
        changed: set[str] = set()
        resources = self._world.resources
        for key, resource in resources.items():
            parsed = self._seen.get(key)
            if parsed is None or parsed.resource is not resource:
                parsed = self._seen[key] = _ParsedResource(resource, resource.type, None, ())
            elif parsed.active is resource.active and parsed.detail == _read_detail(
                parsed.kind, resource
            ):
                continue
            parsed.active, parsed.detail = resource.active, _read_detail(parsed.kind, resource)
            self._remove(key, parsed.kind)
            if resource.active is not None:
                self._add(key, parsed.kind, resource)
            changed.add(parsed.kind)
        if len(self._seen) > len(resources):
            for key in [key for key in self._seen if key not in resources]:
                kind = self._seen.pop(key).kind
                self._remove(key, kind)
                changed.add(kind)
        if MACHINE in changed:
            self.machine_of = {
                nic: machine for machine in self.machines.all.values() for nic in machine.nics
            }
        if changed:
            self.version += 1
        return frozenset(changed)

    def find_peering(self, vnet: str, remote: str) -> records.Peering | None:
        """Return the side of a peering that one VNet has towards another."""
        return next(
            (peering for peering in self.peerings.list_group(vnet) if peering.remote == remote),
            None,
        )

    def list_borrowers(self, vnet: str) -> tuple[tuple[str, str], ...]:
        """Return prefix and VNet of every spoke that uses a VNet's gateways."""
        vnets_by_prefix: dict[str, str] = {}
        for here in self.peerings.list_group(vnet):
            if not (here.connected and here.transit and here.access):
                continue
            there = self.find_peering(here.remote, vnet)
            spoke = self.vnets.get(here.remote)
            if there is None or spoke is None:
                continue
            if there.connected and there.remote_gateways and there.access:
                for prefix in here.remote_prefixes or spoke.prefixes:
                    vnets_by_prefix.setdefault(prefix, spoke.key)
        return tuple(vnets_by_prefix.items())

    def find_gateway(self, vnet: str) -> records.Gateway | None:
        """Return the VPN gateway of a VNet, or else its ExpressRoute gateway."""
        gateways = list(self.gateways.list_group(vnet))
        return next(
            (gateway for gateway in gateways if gateway.kind == "vpn"),
            gateways[0] if gateways else None,
        )

    def find_nic(self, vnet: str, address: str) -> records.Nic | None:
        """Return the interface of a VNet, a firewall's included, that has a private address."""
        for nic in chain(self.nics.list_group(vnet), self.firewalls.list_group(vnet)):
            if any(configuration.address == address for configuration in nic.configurations):
                return nic
        return None

    def find_front_end(self, vnet: str, address: str) -> appliances.FrontEnd | None:
        """Return the load balancer's front end in a VNet that has a private address."""
        for load_balancer in self.load_balancers.all.values():
            for front_end in load_balancer.front_ends:
                if front_end.vnet == vnet and front_end.address == address:
                    return front_end
        return None

    def list_backends(self, front_end: appliances.FrontEnd) -> list[records.Nic]:
        """Return the interfaces that a load balancer's front end delivers to."""
        return [
            nic
            for nic in self.nics.all.values()
            if any(pool in front_end.pools for pool in nic.pools)
        ]

    def _remove(self, key: str, kind: str) -> None:
        for shelf in self._get_indexes(kind):
            shelf.remove(key)

    def _get_indexes(self, kind: str) -> tuple[GroupedIndex[Any], ...]:
        shelves: dict[str, tuple[GroupedIndex[Any], ...]] = {
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
            FIREWALL: (self.firewalls,),
            LOAD_BALANCER: (self.load_balancers,),
        }
        return shelves.get(kind, ())

    def _add(self, key: str, kind: str, resource: Resource) -> None:
        parent = ids.to_key(resource.id.parent) if resource.id.parent is not None else ""
        body = resource.active_properties
        if kind == VNET:
            self.vnets.add(key, "", records.read_vnet(key, resource, body))
        elif kind == SUBNET:
            self.subnets.add(key, parent, records.read_subnet(key, parent, body))
        elif kind == PEERING:
            self.peerings.add(key, parent, records.read_peering(key, parent, resource, body))
        elif kind == GATEWAY:
            gateway = records.read_gateway(key, resource, body)
            self.gateways.add(key, gateway.vnet, gateway)
        elif kind == LOCAL_GATEWAY:
            self.local_gateways.add(key, "", records.read_local_gateway(key, body))
        elif kind == CONNECTION:
            connection = records.read_connection(key, resource, body)
            self.connections.add(key, connection.gateway, connection)
        elif kind == PUBLIC_IP:
            self.public_ips.add(key, "", str(body.get("ipAddress") or ""))
        elif kind == NIC:
            nic = records.read_nic(key, resource, body)
            self.nics.add(key, nic.vnet, nic)
        elif kind == MACHINE:
            self.machines.add(key, "", records.read_machine(key, resource, body))
        elif kind == ROUTE:
            self.routes.add(key, parent, records.read_route(resource, parent, body))
        elif kind == RULE:
            self.rules.add(key, parent, records.read_rule(resource, parent, body))
        elif kind == CIRCUIT:
            self.circuits.add(key, "", records.read_circuit(key, resource))
        elif kind == CIRCUIT_PEERING:
            if body.get("peeringType") == "AzurePrivatePeering":
                self.circuit_peerings.add(key, parent, records.read_circuit_peering(key, body))
        elif kind == FIREWALL:
            firewall = appliances.read_firewall(key, resource, body)
            self.firewalls.add(key, firewall.vnet, firewall)
        elif kind == LOAD_BALANCER:
            self.load_balancers.add(key, "", appliances.read_load_balancer(key, resource, body))
        elif kind == TABLE:
            self.tables.add(key, "", bool(body.get("disableBgpRoutePropagation")))


def _read_detail(kind: str, resource: Resource) -> tuple[Any, ...]:
    """Return what can change without a new ``active`` body, such as hidden values."""
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
