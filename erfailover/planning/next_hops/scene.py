"""Which tables of ``routing`` each spoke uses, and which spokes are tied by one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from erfailover.model.arm_json import parse_ipv4_prefix
from erfailover.model.observed import Reading, SiteSnapshot
from erfailover.model.resource_ids import get_last_name
from erfailover.model.route_tables import RouteTable
from erfailover.model.site import Path, Role, Site, Spoke, SpokeRouteTable
from erfailover.planning.once import once_per_reading
from erfailover.planning.route_selection import split_prefix


@dataclass(frozen=True, slots=True)
class UsedTable:
    """A table of ``routing`` that a subnet of a spoke has.

    Attributes:
        entry: what the site file says of it.
        id: its id.
        reading: the table, or why it could not be read.
    """

    entry: SpokeRouteTable
    id: str
    reading: Reading[RouteTable]

    @property
    def name(self) -> str:
        """The table's name."""
        return get_last_name(self.id)


def list_tables(site: Site, observed: SiteSnapshot, spoke: Spoke) -> tuple[UsedTable, ...]:
    """Return the tables of ``routing`` that a spoke's subnets have, in the order of the file.

    By its VNet, or by the tables if that was not read.
    """
    if not site.routing:
        return ()
    network_id = site.build_network_id(spoke.virtual_network)
    network = observed.get_network(network_id)
    used = {table for _, table in network.subnet_tables} if network else set()
    if network is None:
        prefix = f"{network_id}/subnets/".lower()
        used = {
            id_
            for id_, reading in observed.route_tables.items()
            for subnet in (reading.value.subnets if reading.value else ())
            if subnet.lower().startswith(prefix)
        }
    ids = [(entry, site.build_route_table_id(entry.route_table)) for entry in site.routing]
    return tuple(
        UsedTable(entry, id_, observed.get_route_table(id_))
        for entry, id_ in ids
        if id_.lower() in used
    )


def list_next_hops(
    site: Site, observed: SiteSnapshot, spoke: Spoke, path: Path
) -> set[IPv4Address]:
    """Return the appliances that a spoke's traffic goes by on a path."""
    return {table.entry.get_next_hop(path) for table in list_tables(site, observed, spoke)}


def find_present_hops(site: Site, observed: SiteSnapshot, spoke: Spoke) -> tuple[IPv4Address, ...]:
    """Return the appliances by which a spoke's tables send the remote prefixes now."""
    pieces = (
        piece
        for table in list_tables(site, observed, spoke)
        if table.reading.value is not None
        for prefix in site.remote_prefixes
        for piece in split_prefix(table.reading.value, [prefix], prefix)
    )
    hops = {piece.route.address for piece in pieces if piece.route is not None}
    return tuple(sorted(hop for hop in hops if hop is not None))


def list_kept_spaces(site: Site, observed: SiteSnapshot) -> tuple[IPv4Network, ...]:
    """Return the address spaces that no added route may take: see ``desired``.

    Those of the hubs, the spokes and the VNets that are peered with a hub.
    """
    return _list_kept_spaces(observed, site)


@once_per_reading
def _list_kept_spaces(observed: SiteSnapshot, site: Site) -> tuple[IPv4Network, ...]:
    spaces: dict[IPv4Network, None] = {}
    for name in site.list_network_names():
        network = observed.get_network(site.build_network_id(name))
        spaces |= dict.fromkeys(network.address_space if network else ())
    for role in Role:
        hub = observed.get_network(site.build_network_id(site.get_hub(role).virtual_network))
        for peering in hub.peerings if hub else ():
            texts = peering.remote_space or peering.known_space or ()
            spaces |= dict.fromkeys(filter(None, map(parse_ipv4_prefix, texts)))
    return tuple(sorted(spaces))


def find_groups(members: Iterable[tuple[str, Iterable[str]]]) -> tuple[tuple[str, ...], ...]:
    """Return the spokes that share tables, directly or by way of others; each spoke once.

    Args:
        members: the spokes by name, with the ids of their tables.
    """
    groups: list[tuple[dict[str, None], set[str]]] = []
    for name, tables in members:
        ids = {table.lower() for table in tables}
        tied = [group for group in groups if group[1] & ids]
        names: dict[str, None] = {}
        for group in tied:
            names |= group[0]
            ids |= group[1]
        groups = [group for group in groups if group not in tied]
        groups.append(({**names, name: None}, ids))
    return tuple(tuple(names) for names, _ in groups)


def find_sharing(site: Site, observed: SiteSnapshot) -> tuple[tuple[str, ...], ...]:
    """Return the spokes of a site that share tables; one that shares none is in no group."""
    members = (
        (spoke.name, [table.id for table in list_tables(site, observed, spoke)])
        for spoke in site.spokes
    )
    return tuple(group for group in find_groups(members) if len(group) > 1)


def iter_sharing(table: UsedTable) -> Iterator[str]:
    """Yield the ids, in lower case, of the VNets with a subnet that has a table."""
    subnets = table.reading.value.subnets if table.reading.value else ()
    yield from dict.fromkeys(subnet.lower().partition("/subnets/")[0] for subnet in subnets)
