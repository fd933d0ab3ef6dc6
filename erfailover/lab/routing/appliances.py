"""Records of what forwards packets without being a machine: Azure Firewalls, load balancers.

Pure: as ``records``, one function a type. It never reads a second resource.

A load balancer's rule delivers only if it is of the kind that Azure requires before appliances
(documented, *High availability ports overview*): protocol All, ports 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from erfailover.lab.core import ids
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.routing.records import IpConfiguration, Nic

FIREWALL = "microsoft.network/azurefirewalls"
LOAD_BALANCER = "microsoft.network/loadbalancers"


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """An internal front end of a load balancer; ``pools`` are those that its rule delivers to."""

    address: str
    subnet: str
    pools: tuple[str, ...]

    @property
    def vnet(self) -> str:
        """The key of the VNet it is in."""
        return self.subnet.rpartition("/subnets/")[0]


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """A load balancer's internal front ends."""

    key: str
    name: str
    front_ends: tuple[FrontEnd, ...]


def read_firewall(key: str, resource: Resource, body: Body) -> Nic:
    """Read an Azure Firewall as the interface that it has in its VNet."""
    inners = [row.get("properties") or {} for row in body.get("ipConfigurations") or ()]
    subnet = next((_read_reference(inner, "subnet") for inner in inners if inner.get("subnet")), "")
    configurations = tuple(
        IpConfiguration(
            str(inner.get("privateIPAddress") or ""),
            subnet,
            _read_reference(inner, "publicIPAddress"),
        )
        for inner in inners
    )
    return Nic(key, resource.id.name, configurations, forwarding=True, security_group="")


def read_load_balancer(key: str, resource: Resource, body: Body) -> LoadBalancer:
    """Read a load balancer."""
    rules = [row.get("properties") or {} for row in body.get("loadBalancingRules") or ()]
    front_ends = []
    for row in body.get("frontendIPConfigurations") or ():
        inner = row.get("properties") or {}
        own = ids.to_key(str(row.get("id") or ""))
        pools = [
            pool
            for rule in rules
            if _read_reference(rule, "frontendIPConfiguration") == own and _is_for_all_ports(rule)
            for pool in _list_pools(rule)
        ]
        address, subnet = str(inner.get("privateIPAddress") or ""), _read_reference(inner, "subnet")
        front_ends.append(FrontEnd(address, subnet, tuple(dict.fromkeys(pools))))
    return LoadBalancer(key, resource.id.name, tuple(front_ends))


def _is_for_all_ports(rule: Body) -> bool:
    ports = rule.get("frontendPort"), rule.get("backendPort")
    return str(rule.get("protocol")).lower() == "all" and ports == (0, 0)


def _list_pools(rule: Body) -> Iterable[str]:
    references: list[Any] = [
        rule.get("backendAddressPool"),
        *(rule.get("backendAddressPools") or ()),
    ]
    return (ids.to_key(str(reference["id"])) for reference in references if reference)


def _read_reference(body: Body, name: str) -> str:
    reference = body.get(name) or {}
    return ids.to_key(str(reference.get("id") or ""))
