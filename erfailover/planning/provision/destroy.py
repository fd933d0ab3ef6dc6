"""What ``destroy`` deletes, in an order that Azure allows. Pure.

Deletes only resources with the site's tag and reports the others in the resource group as kept.
Peerings are deleted with their VNet. The resource group is deleted if it has the tag and nothing
else remains in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from erfailover.model.arm_json import get_section, list_objects, parse_bool, parse_text
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
    build_child_id,
    get_full_name,
    get_last_name,
    get_resource_id,
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
        return f"{WORDS[self.type]} {get_full_name(self.id, self.type)}"


@dataclass(frozen=True, slots=True)
class DestroyPlan:
    """Everything that a ``destroy`` would delete, and what it keeps.

    Attributes:
        site: the site's name.
        deletions: what goes; the group, if it goes, is last.
        retained: what is in the group and stays, with the reason.
        disconnected: peerings of VNets of other owners that lose their opposite.
    """

    site: str
    deletions: tuple[Deletion, ...]
    retained: tuple[str, ...] = ()
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
    lines: list[str] = []
    rows = list(resources)
    for row in rows:
        type_ = TYPES.get(str(row.get("type", "")).lower())
        if type_ is not None and _is_tagged(row, site):
            ours[parse_text(row.get("id"))] = type_
    ours.pop("", None)
    for row in rows:
        if parse_text(row.get("id")) not in ours and not _is_own_disk(row, ours):
            lines.append(f"{_format_name(row)}: not created by erfailover for {site}")
    peerings, disconnected = _build_peering_deletions(ours, bodies)
    for id_, why in _find_in_use(ours, bodies).items():
        lines.append(f"{_format_title(id_, ours.pop(id_))}: {why}")
    deletions = _build_deletions(ours, peerings, bodies)
    if group is not None and _is_tagged(group, site) and not lines:
        group_id = parse_text(group.get("id"))
        deletions.append(
            Deletion(group_id, GROUP, frozenset(deletion.id for deletion in deletions))
        )
    elif group is not None:
        why = "contains other resources" if lines else "not created by erfailover"
        lines.append(f"{WORDS[GROUP]} {group.get('name')}: {why}")
    return DestroyPlan(site, tuple(deletions), tuple(lines), tuple(disconnected))


def _is_tagged(resource: Body, site: str) -> bool:
    return bool(get_section(resource, "tags").get(TAG) == site)


def _is_own_disk(resource: Body, ours: Mapping[str, str]) -> bool:
    """Whether a disk is that of one of our machines: Azure names it after the machine."""
    if str(resource.get("type", "")).lower() != DISK:
        return False
    machines = {get_last_name(id_).lower() for id_, type_ in ours.items() if type_ == MACHINE}
    name = str(resource.get("name", "")).lower()
    return any(name.startswith(f"{machine}_") for machine in machines)


def _format_name(resource: Body) -> str:
    type_ = str(resource.get("type", ""))
    return f"{WORDS.get(TYPES.get(type_.lower(), ''), type_)} {resource.get('name')}"


def _format_title(id_: str, type_: str) -> str:
    return Deletion(id_, type_).title


def _find_in_use(ours: Mapping[str, str], bodies: Mapping[str, Body]) -> dict[str, str]:
    """VNets of ours that another owner's resource is in, and what their subnets use; and why."""
    going = {id_.lower(): id_ for id_ in ours}
    existing: dict[str, str] = {}
    for id_, type_ in ours.items():
        subnets = [_get_properties(item) for item in _list_items(bodies, id_, "subnets")]
        holders = [
            get_resource_id(parse_text(row.get("id")))
            for subnet in subnets
            for row in list_objects(subnet.get("ipConfigurations"))
        ]
        others = [holder for holder in holders if holder and holder.lower() not in going]
        if type_ != NETWORK or not others:
            continue
        existing[id_] = f"contains {get_last_name(others[0])}"
        for used in (subnet.get(key) for subnet in subnets for key in USED_BY_SUBNETS):
            used_id = going.get(parse_text(get_section(used).get("id")).lower())
            if used_id:
                existing[used_id] = f"used by {get_last_name(id_)}"
    return existing


def _list_items(bodies: Mapping[str, Body], id_: str, key: str) -> list[Body]:
    return list_objects(_get_properties(bodies.get(id_.lower())).get(key))


def _build_deletions(
    ours: Mapping[str, str], peerings: list[Deletion], bodies: Mapping[str, Body]
) -> list[Deletion]:
    of_type: dict[str, set[str]] = {type_: set() for type_ in GONE_BEFORE}
    for id_, type_ in ours.items():
        of_type[type_].add(id_)
    of_type[PEERING] = {peering.id for peering in peerings}
    deletions = list(peerings)
    for type_, before in GONE_BEFORE.items():
        needs = frozenset(id_ for name in before for id_ in of_type[name])
        for id_ in sorted(of_type[type_] if type_ != PEERING else ()):
            owns = {id_.lower()} | _list_gateway_ids(bodies.get(id_.lower()))
            deletions.append(Deletion(id_, type_, needs, frozenset(owns)))
    return deletions


def _list_gateway_ids(connection: Body | None) -> set[str]:
    """Refuse an operation on a gateway while a connection of it is being deleted or written."""
    gateway = parse_text(get_section(connection, "properties", "virtualNetworkGateway1").get("id"))
    return {gateway.lower()} if gateway else set()


def _build_peering_deletions(
    ours: Mapping[str, str], bodies: Mapping[str, Body]
) -> tuple[list[Deletion], list[str]]:
    """Return the peerings of our VNets; those that use remote gateways precede their opposites."""
    rows = [
        (build_child_id(id_, PEERING, name), id_, _get_properties(item))
        for id_, type_ in ours.items()
        if type_ == NETWORK
        for item in _list_items(bodies, id_, "virtualNetworkPeerings")
        if (name := parse_text(item.get("name")) or get_last_name(parse_text(item.get("id"))))
    ]
    users = frozenset(id_ for id_, _, row in rows if parse_bool(row.get("useRemoteGateways")))
    deletions, disconnected = [], []
    for id_, network, properties in rows:
        remote = parse_text(get_section(properties, "remoteVirtualNetwork").get("id"))
        needs = frozenset() if id_ in users else users
        owns = frozenset((id_.lower(), network.lower()))
        deletions.append(Deletion(id_, PEERING, needs, owns, frozenset((remote.lower(),))))
        if remote.lower() not in {our.lower() for our in ours}:
            ends = (get_last_name(remote), get_last_name(network))
            disconnected.append(f"the peering of {ends[0]} with {ends[1]}")
    deletions.sort(key=lambda deletion: bool(deletion.needs))
    return deletions, disconnected


def _get_properties(body: Any) -> Body:
    return get_section(body, "properties")
