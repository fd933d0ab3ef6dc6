"""Which route tables of adopted spokes move their next hops with the peerings, and to where. Pure.

A table does if a route of it takes a remote prefix, or a part of it, to an appliance in the hub
whose path a spoke is on: by the same judgement as the hazard of that name. The next hop of the
other path is the appliance that the table names in the other hub; else the only one there of the
same kind; else the only one there. What remains open is listed, for the operator to decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

from erfailover.model.appliances import Appliance
from erfailover.model.counting import join_names
from erfailover.model.observed import Reading, SiteSnapshot
from erfailover.model.prefix_table import ANYWHERE
from erfailover.model.route_tables import APPLIANCE, RouteTable
from erfailover.model.routing import RoutingEnvironment
from erfailover.model.site import ROLE_OF_PATH, Path, Role, RoutingMode, Spoke, SpokeRouteTable
from erfailover.planning.adoption.adopt import Adoption
from erfailover.planning.adoption.adopted_table import AdoptedTable
from erfailover.planning.hazards.checks import build_scene
from erfailover.planning.hazards.scene import HazardContext

Appliances = Mapping[Role, Reading[tuple[Appliance, ...]]]


@dataclass(slots=True)
class _TableInUse:
    """A table that moves, the spokes that use it, and the appliances that it names."""

    table: RouteTable
    path: Path
    spokes: dict[str, None] = field(default_factory=dict)
    hops: dict[IPv4Address, None] = field(default_factory=dict)


def needs_next_hops(adoption: Adoption, around: RoutingEnvironment, observed: SiteSnapshot) -> bool:
    """Return whether a table of the spokes sends their traffic to an appliance in a hub."""
    return bool(_find_tables(adoption, around, observed))


def add_next_hops(
    adoption: Adoption, around: RoutingEnvironment, observed: SiteSnapshot, appliances: Appliances
) -> Adoption:
    """Return an adoption with the tables that move, and remarks on what could not be decided."""
    scene = build_scene(adoption.site, around, observed, Path.IPSEC)
    mode: RoutingMode = "replace" if ANYWHERE in adoption.site.remote_prefixes else "overlay"
    tables: list[AdoptedTable] = []
    remarks: list[str] = []
    for used in _find_tables(adoption, around, observed):
        table, notes = _propose(scene, used, appliances, mode)
        tables.append(table)
        remarks += [f"route table {used.table.name}: {note}" for note in notes]
    if tables:
        remarks.append(
            "the rules of the appliance in the backup hub cannot be checked: make sure that they "
            "allow the same traffic as those in the primary hub"
        )
    moving = {name for table in tables if table.is_decided for name in table.spokes}
    site = replace(
        adoption.site,
        routing=tuple(_to_site_table(table) for table in tables if table.is_decided),
        spokes=tuple(
            _allow_forwarded(spoke) if spoke.name in moving else spoke
            for spoke in adoption.site.spokes
        ),
    )
    by_name = {spoke.name: spoke for spoke in site.spokes}
    adopted = tuple(
        replace(adopted, spoke=by_name[adopted.spoke.name]) for adopted in adoption.spokes
    )
    return replace(
        adoption,
        site=site,
        spokes=adopted,
        tables=tuple(tables),
        remarks=(*adoption.remarks, *remarks),
    )


def _find_tables(
    adoption: Adoption, around: RoutingEnvironment, observed: SiteSnapshot
) -> list[_TableInUse]:
    by_id: dict[str, _TableInUse] = {}
    paths = {adopted.spoke.name: adopted.path for adopted in adoption.spokes}
    for path in Path:
        scene = build_scene(adoption.site, around, observed, path.other)
        hub = scene.get_hub_id(ROLE_OF_PATH[path])
        for spoke, _, _, table in scene.iter_tables():
            hops = [address for address in _list_hops(scene, table, hub)]
            if paths[spoke.name] is path and hops:
                entry = by_id.setdefault(table.id.lower(), _TableInUse(table, path))
                entry.spokes[spoke.name] = None
                if entry.path is path:
                    entry.hops |= dict.fromkeys(hops)
    return list(by_id.values())


def _list_hops(scene: HazardContext, table: RouteTable, hub: str) -> Iterator[IPv4Address]:
    """Yield the appliances in a hub to which a table takes a part of a remote prefix."""
    for piece in scene.iter_carried(table):
        route = piece.route
        if route is None or route.next_hop_type != APPLIANCE or route.address is None:
            continue
        if scene.is_in_network(hub, route.address):
            yield route.address


def _propose(
    scene: HazardContext, used: _TableInUse, appliances: Appliances, mode: RoutingMode
) -> tuple[AdoptedTable, list[str]]:
    """Return a table with the next hops that could be decided, and what could not be."""
    near, far = ROLE_OF_PATH[used.path], ROLE_OF_PATH[used.path.other]
    hops: dict[Path, IPv4Address | None] = {used.path: None, used.path.other: None}
    table = AdoptedTable(used.table.id, mode, tuple(used.spokes))
    names = join_names(map(str, used.hops), 6)
    if len(used.hops) > 1:
        return table, [
            f"it uses several appliances in {scene.get_hub_name(near)} ({names}), but routing has "
            "one per path: use one appliance for these routes, or write the section yourself"
        ]
    here = next(iter(used.hops))
    hops[used.path] = here
    notes = []
    own = _find_appliance(appliances, near, here)
    if own is None:
        notes.append(f"it is unknown what has the address {here} in {scene.get_hub_name(near)}")
    there, why = _choose(scene, used, far, own, appliances)
    hops[used.path.other] = there
    notes += [why] if why else []
    return (
        replace(table, on_expressroute=hops[Path.EXPRESSROUTE], on_ipsec=hops[Path.IPSEC]),
        notes,
    )


def _choose(
    scene: HazardContext,
    used: _TableInUse,
    role: Role,
    like: Appliance | None,
    appliances: Appliances,
) -> tuple[IPv4Address | None, str]:
    """Return the next hop in the other hub, and what is to be said of it."""
    hub, hub_name = scene.get_hub_id(role), scene.get_hub_name(role)
    named = dict.fromkeys(
        route.address
        for route in used.table.routes
        if route.next_hop_type == APPLIANCE and route.address is not None
        if scene.is_in_network(hub, route.address)
    )
    if len(named) == 1:
        return next(iter(named)), ""
    reading = appliances.get(role, Reading(None, "it was not read"))
    if reading.value is None:
        return None, f"the appliances in {hub_name} could not be read: {reading.unknown}"
    usable = [
        appliance for appliance in reading.value if not appliance.fault and not appliance.pooled
    ]
    alike = [appliance for appliance in usable if like is not None and appliance.kind is like.kind]
    for candidates in (alike, usable):
        address = _find_only_address(candidates)
        if address is None:
            continue
        others = [appliance for appliance in usable if address not in appliance.addresses]
        also = f"; {hub_name} also has {_describe(others)}" if others else ""
        doubt = next(
            (f"; {appliance.unknown}" for appliance in candidates if appliance.unknown), ""
        )
        note = f"next hop on {_get_path_words(role)}: {_describe(candidates)}{also}{doubt}"
        return address, note
    return None, f"no next hop is proposed in {hub_name}: {_explain_none(reading.value, usable)}"


def _find_only_address(candidates: Sequence[Appliance]) -> IPv4Address | None:
    """Return the only address of some appliances; None if one of them was not read."""
    addresses = [address for appliance in candidates for address in appliance.addresses]
    unread = any(not appliance.addresses for appliance in candidates)
    return addresses[0] if len(addresses) == 1 and not unread else None


def _get_path_words(role: Role) -> str:
    return "ExpressRoute" if role is Role.PRIMARY else "IPsec"


def _explain_none(appliances: Sequence[Appliance], usable: Sequence[Appliance]) -> str:
    """Return why no appliance of a hub is the one."""
    unread = [appliance for appliance in usable if not appliance.addresses]
    if unread:
        named = (f"{appliance.name}: {appliance.unknown}" for appliance in unread)
        return f"some of its appliances could not be read ({join_names(named, 4, '; ')})"
    if usable:
        return f"it has several appliances, {_describe(usable)}"
    likely = [appliance for appliance in appliances if appliance.addresses]
    faulty = join_names((f"{appliance.name}: {appliance.fault}" for appliance in likely), 4)
    return f"it has no appliance that forwards{f' ({faulty})' if faulty else ''}"


def _describe(appliances: Sequence[Appliance]) -> str:
    """Describe appliances: ``azfw-hub (Azure Firewall, 10.5.0.4)``."""
    return join_names(
        (
            f"{appliance.name} ({', '.join((str(appliance.kind), *map(str, appliance.addresses)))})"
            for appliance in appliances
        ),
        6,
    )


def _find_appliance(appliances: Appliances, role: Role, address: IPv4Address) -> Appliance | None:
    reading = appliances.get(role)
    rows = reading.value or () if reading is not None else ()
    return next((appliance for appliance in rows if address in appliance.addresses), None)


def _to_site_table(table: AdoptedTable) -> SpokeRouteTable:
    assert table.on_expressroute is not None
    assert table.on_ipsec is not None
    return SpokeRouteTable(table.table_id, table.on_expressroute, table.on_ipsec, table.mode)


def _allow_forwarded(spoke: Spoke) -> Spoke:
    """Return a spoke whose peering to the backup hub lets in what the appliance there forwards."""
    flags = spoke.spoke_to_backup.on_ipsec
    if flags == "absent" or flags.allow_forwarded_traffic:
        return spoke
    allowed = replace(flags, allow_forwarded_traffic=True)
    return replace(spoke, spoke_to_backup=replace(spoke.spoke_to_backup, on_ipsec=allowed))
