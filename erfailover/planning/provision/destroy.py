"""What ``destroy`` deletes, in an order that Azure allows. Pure.

Deletes only resources with the site's tag and reports the others in the resource group as kept.
Peerings are deleted with their VNet. The resource group is deleted if it has the tag and nothing
else remains in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from erfailover.model.arm_json import rows, section, text, truth
from erfailover.model.resource_ids import (
    CONNECTION,
    GATEWAY,
    GROUP,
    INTERFACE,
    LOCAL_GATEWAY,
    MACHINE,
    NETWORK,
    PEERING,
    PUBLIC_IP,
    ROUTE_TABLE,
    SECURITY_GROUP,
    WORDS,
    child_of,
    last_of,
    name_of,
    resource_of,
)
from erfailover.planning.provision.arm_bodies import TAG, Body

GONE_BEFORE: Mapping[str, tuple[str, ...]] = {
    CONNECTION: (),
    MACHINE: (),
    PEERING: (),
    LOCAL_GATEWAY: (CONNECTION,),
    GATEWAY: (CONNECTION, PEERING),
    INTERFACE: (MACHINE,),
    PUBLIC_IP: (GATEWAY, INTERFACE),
    SECURITY_GROUP: (INTERFACE,),
    NETWORK: (GATEWAY, INTERFACE, PEERING),
    ROUTE_TABLE: (NETWORK,),
}
"""For each type, those that must be gone before it: Azure refuses to delete what is in use
(recorded: ``InUseSubnetCannotBeDeleted``, ``PublicIPAddressCannotBeDeleted``, ``NicInUse``,
``VirtualNetworkGatewayCannotBeDeleted``)."""

USED_BY_SUBNETS = ("routeTable", "networkSecurityGroup")
DISK = "microsoft.compute/disks"
TYPES = {type_.lower(): type_ for type_ in GONE_BEFORE}


@dataclass(frozen=True, slots=True)
class Deletion:
    """One resource to delete.

    Attributes:
        id: its ARM id.
        type: its ARM type.
        needs: ids of the deletions that come before it.
        owns: ids (lower case) of the resources that it puts in ``Updating``.
        refers: ids (lower case) of the resources that must be at rest meanwhile.
    """

    id: str
    type: str
    needs: frozenset[str] = frozenset()
    owns: frozenset[str] = frozenset()
    refers: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        """Its kind and name, as people say it."""
        return f"{WORDS[self.type]} {name_of(self.id, self.type)}"


@dataclass(frozen=True, slots=True)
class DestroyPlan:
    """Everything that a ``destroy`` would delete, and what it keeps.

    Attributes:
        site: the site's name.
        deletions: what goes; the group, if it goes, is last.
        kept: what is in the group and stays, with the reason.
        disconnected: peerings of other people's VNets that lose their opposite.
    """

    site: str
    deletions: tuple[Deletion, ...]
    kept: tuple[str, ...] = ()
    disconnected: tuple[str, ...] = ()


def plan(
    site: str,
    group: Body | None,
    resources: Iterable[Body],
    bodies: Mapping[str, Body],
) -> DestroyPlan:
    """Decide what a ``destroy`` deletes.

    Args:
        site: the site's name: the value of the tag.
        group: the resource group; None if it is not there.
        resources: everything in the group: id, type, tags.
        bodies: the VNets and connections of the group whole, by id in lower case.
    """
    ours: dict[str, str] = {}
    kept: list[str] = []
    listed = list(resources)
    for each in listed:
        type_ = TYPES.get(str(each.get("type", "")).lower())
        if type_ is not None and _tagged(each, site):
            ours[text(each.get("id"))] = type_
    ours.pop("", None)
    for each in listed:
        if text(each.get("id")) not in ours and not _disk_of(each, ours):
            kept.append(f"{_named(each)}: not created by erfailover for {site}")
    peerings, disconnected = _peerings(ours, bodies)
    for id_, why in _in_use_by_others(ours, bodies).items():
        kept.append(f"{_titled(id_, ours.pop(id_))}: {why}")
    deletions = _deletions(ours, peerings, bodies)
    if group is not None and _tagged(group, site) and not kept:
        group_id = text(group.get("id"))
        deletions.append(Deletion(group_id, GROUP, frozenset(each.id for each in deletions)))
    elif group is not None:
        why = "other resources are in it" if kept else "not created by erfailover"
        kept.append(f"{WORDS[GROUP]} {group.get('name')}: {why}")
    return DestroyPlan(site, tuple(deletions), tuple(kept), tuple(disconnected))


def _tagged(resource: Body, site: str) -> bool:
    return bool(section(resource, "tags").get(TAG) == site)


def _disk_of(resource: Body, ours: Mapping[str, str]) -> bool:
    """Whether a disk is that of one of our machines: Azure names it after the machine."""
    if str(resource.get("type", "")).lower() != DISK:
        return False
    machines = {last_of(id_).lower() for id_, type_ in ours.items() if type_ == MACHINE}
    name = str(resource.get("name", "")).lower()
    return any(name.startswith(f"{machine}_") for machine in machines)


def _named(resource: Body) -> str:
    type_ = str(resource.get("type", ""))
    return f"{WORDS.get(TYPES.get(type_.lower(), ''), type_)} {resource.get('name')}"


def _titled(id_: str, type_: str) -> str:
    return Deletion(id_, type_).title


def _in_use_by_others(ours: Mapping[str, str], bodies: Mapping[str, Body]) -> dict[str, str]:
    """VNets of ours that another owner's resource is in, and what their subnets use; and why."""
    going = {id_.lower(): id_ for id_ in ours}
    found: dict[str, str] = {}
    for id_, type_ in ours.items():
        subnets = [_properties(each) for each in _items(bodies, id_, "subnets")]
        holders = [
            resource_of(text(each.get("id")))
            for subnet in subnets
            for each in rows(subnet.get("ipConfigurations"))
        ]
        others = [each for each in holders if each and each.lower() not in going]
        if type_ != NETWORK or not others:
            continue
        found[id_] = f"{last_of(others[0])} is in it"
        for used in (subnet.get(key) for subnet in subnets for key in USED_BY_SUBNETS):
            used_id = going.get(text(section(used).get("id")).lower())
            if used_id:
                found[used_id] = f"{last_of(id_)} uses it"
    return found


def _items(bodies: Mapping[str, Body], id_: str, key: str) -> list[Body]:
    return rows(_properties(bodies.get(id_.lower())).get(key))


def _deletions(
    ours: Mapping[str, str], peerings: list[Deletion], bodies: Mapping[str, Body]
) -> list[Deletion]:
    of_type: dict[str, set[str]] = {type_: set() for type_ in GONE_BEFORE}
    for id_, type_ in ours.items():
        of_type[type_].add(id_)
    of_type[PEERING] = {each.id for each in peerings}
    deletions = list(peerings)
    for type_, before in GONE_BEFORE.items():
        needs = frozenset(id_ for each in before for id_ in of_type[each])
        for id_ in sorted(of_type[type_] if type_ != PEERING else ()):
            owns = {id_.lower()} | _gateway_of(bodies.get(id_.lower()))
            deletions.append(Deletion(id_, type_, needs, frozenset(owns)))
    return deletions


def _gateway_of(connection: Body | None) -> set[str]:
    """Refuse an operation on a gateway while a connection of it is being deleted or written."""
    gateway = text(section(connection, "properties", "virtualNetworkGateway1").get("id"))
    return {gateway.lower()} if gateway else set()


def _peerings(
    ours: Mapping[str, str], bodies: Mapping[str, Body]
) -> tuple[list[Deletion], list[str]]:
    """Return the peerings of our VNets; those that use remote gateways precede their opposites."""
    found = [
        (child_of(id_, PEERING, name), id_, _properties(each))
        for id_, type_ in ours.items()
        if type_ == NETWORK
        for each in _items(bodies, id_, "virtualNetworkPeerings")
        if (name := text(each.get("name")) or last_of(text(each.get("id"))))
    ]
    users = frozenset(id_ for id_, _, each in found if truth(each.get("useRemoteGateways")))
    deletions, disconnected = [], []
    for id_, network, properties in found:
        remote = text(section(properties, "remoteVirtualNetwork").get("id"))
        needs = frozenset() if id_ in users else users
        owns = frozenset((id_.lower(), network.lower()))
        deletions.append(Deletion(id_, PEERING, needs, owns, frozenset((remote.lower(),))))
        if remote.lower() not in {each.lower() for each in ours}:
            ends = (last_of(remote), last_of(network))
            disconnected.append(f"the peering of {ends[0]} with {ends[1]}")
    deletions.sort(key=lambda each: bool(each.needs))
    return deletions, disconnected


def _properties(body: Any) -> Body:
    return section(body, "properties")
