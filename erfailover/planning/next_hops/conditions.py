"""What must hold before the spokes of a route table are taken off their path. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from ipaddress import IPv4Address, IPv4Network

from erfailover.model.arm_json import UNDER_WAY
from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.counting import join_names
from erfailover.model.observed import Peering, Reading, SiteSnapshot, VirtualNetwork
from erfailover.model.peering_flags import Flags
from erfailover.model.prefix_table import format_prefixes
from erfailover.model.resource_ids import GATEWAY_SUBNET, get_last_name
from erfailover.model.route_tables import APPLIANCE, RouteTable, UserRoute
from erfailover.model.site import (
    PATH_OF_ROLE,
    ROLE_OF_PATH,
    Path,
    Role,
    Site,
    Spoke,
    SpokeRouteTable,
)
from erfailover.planning.next_hops import desired
from erfailover.planning.next_hops.scene import (
    UsedTable,
    iter_sharing,
    list_kept_spaces,
    list_next_hops,
    list_tables,
)
from erfailover.planning.next_hops.steps import list_table_writes
from erfailover.planning.once import once_per_reading
from erfailover.planning.route_selection import split_prefix

MOST_ROUTES = 400
"""How many routes a table may have (published: Azure networking limits)."""
READ = "route_table_was_read"
AT_REST = "route_table_is_at_rest"
ALONE = "route_table_is_of_spokes_that_move_together"
ROUTES = "next_hops_can_be_moved"
RETURN = "gateway_subnet_returns_by_the_appliance"
FORWARDED = "peering_allows_forwarded_traffic"


def check_tables(
    site: Site, observed: SiteSnapshot, target: Path, spoke: Spoke
) -> Iterator[Condition]:
    """Yield what must hold of the tables of a spoke before it moves to a path.

    Nothing for a spoke without a table of ``routing``.
    """
    tables = list_tables(site, observed, spoke)
    for table in tables:
        yield from _check_table(observed, site, target, table.entry)
    if tables:
        yield check_spoke_return(site, observed, ROLE_OF_PATH[target], spoke)


@once_per_reading
def _check_table(
    observed: SiteSnapshot, site: Site, target: Path, entry: SpokeRouteTable
) -> tuple[Condition, ...]:
    """Return what must hold of a table, whichever spoke it is asked for."""
    id_ = site.build_route_table_id(entry.route_table)
    used = UsedTable(entry, id_, observed.get_route_table(id_))
    table = used.reading.value
    if table is None:
        return (_check_table_read(used),)
    return (
        _check_table_read(used),
        _check_at_rest(table),
        *_check_sharing(site, observed, target, used),
        _check_routes(site, observed, target, used, table),
    )


def find_unread_table(site: Site, observed: SiteSnapshot, spoke: Spoke) -> Condition | None:
    """Return why the next hops of a spoke are not known; None if they are, or it has none."""
    checks = map(_check_table_read, list_tables(site, observed, spoke))
    return next((check for check in checks if check.status is ConditionStatus.UNKNOWN), None)


def _check_table_read(table: UsedTable) -> Condition:
    if table.reading.value is None:
        message = f"route table {table.name} could not be read: {table.reading.unknown}"
        remedy = f"Get the right to read it: az network route-table show --ids {table.id}"
        return Condition(READ, ConditionStatus.UNKNOWN, message, remedy)
    return Condition(READ, ConditionStatus.HOLDS, f"route table {table.name} was read")


def _check_at_rest(table: RouteTable) -> Condition:
    state = table.provisioning_state
    if state == "Succeeded":
        return Condition(AT_REST, ConditionStatus.HOLDS, f"route table {table.name} is Succeeded")
    message = f"route table {table.name} is {state}; expected Succeeded"
    if state in UNDER_WAY:
        remedy = "Wait until the operation that changes it has ended."
        return Condition(AT_REST, ConditionStatus.UNKNOWN, message, remedy)
    remedy = f"Write it again as it is: az network route-table update --ids {table.id}"
    return Condition(AT_REST, ConditionStatus.FAILS, message, remedy)


def _check_sharing(
    site: Site, observed: SiteSnapshot, target: Path, table: UsedTable
) -> Iterator[Condition]:
    """Yield VNets that a table would move although they stay where they are."""
    chosen = {site.build_network_id(spoke.virtual_network).lower() for spoke in site.spokes}
    rest = {
        site.build_network_id(spoke.virtual_network).lower(): spoke.name for spoke in site.others
    }
    for network_id in iter_sharing(table):
        if network_id in chosen:
            continue
        name = rest.get(network_id)
        if name is None:
            message = (
                f"route table {table.name} is also used by {get_last_name(network_id)}, which is "
                "not a spoke of the site"
            )
            remedy = "Give the subnets of the spokes their own table, or add that spoke."
        elif _may_be_on(site, observed, target, network_id):
            continue
        else:
            message = f"route table {table.name} is shared with {name}, which does not move"
            remedy = f"Move both: add --spoke {name}."
        yield Condition(ALONE, ConditionStatus.FAILS, message, remedy)


def _may_be_on(site: Site, observed: SiteSnapshot, target: Path, network_id: str) -> bool:
    """Whether a spoke that was not chosen is on a path already, by the leaving hub's peering.

    The plan decides that; the gate does not read the hub being left.
    """
    role = ROLE_OF_PATH[target.other]
    hub = observed.get_network(site.build_network_id(site.get_hub(role).virtual_network))
    return not any(
        peering.flags.allow_gateway_transit
        for peering in (hub.peerings if hub else ())
        if peering.remote_virtual_network.lower() == network_id
    )


def _check_routes(
    site: Site, observed: SiteSnapshot, target: Path, used: UsedTable, table: RouteTable
) -> Condition:
    """Check that the routes of a table on a path are known, and that the table has room."""
    entry, kept = used.entry, list_kept_spaces(site, observed)
    by_name = {name.lower() for name in entry.routes}
    strange = [
        name
        for name in entry.routes
        if (route := table.get_route(name)) is None or not desired.leads_to_appliance(entry, route)
    ]
    swallowed = [
        prefix
        for prefix in site.remote_prefixes
        if entry.mode == "overlay" and not desired.split_around(prefix, kept)
    ]
    after = desired.compute_routes(entry, table, target, site.remote_prefixes, kept)
    if strange:
        message = (
            f"route table {table.name} has no route {join_names(strange)} with the next hop "
            f"{entry.on_expressroute} or {entry.on_ipsec}"
        )
        remedy = "Correct the names under routing in the site file."
    elif swallowed:
        message = (
            f"no route can be added for {format_prefixes(swallowed)}: it is within the address "
            "space of a spoke, a hub, or a VNet peered with a hub"
        )
        remedy = "Correct remote_prefixes in the site file, or set mode: replace."
    elif len(after.routes) > MOST_ROUTES:
        message = (
            f"route table {table.name} would have {len(after.routes)} routes; Azure allows "
            f"{MOST_ROUTES}"
        )
        remedy = "Summarize the remote prefixes, or set mode: replace."
    else:
        what = f"{len(by_name)} named routes" if by_name else "routes"
        message = f"the {what} of {table.name} can be moved to {entry.get_next_hop(target)}"
        return Condition(ROUTES, ConditionStatus.HOLDS, message)
    return Condition(ROUTES, ConditionStatus.FAILS, message, remedy)


def check_spoke_return(site: Site, observed: SiteSnapshot, role: Role, spoke: Spoke) -> Condition:
    """Check that a hub sends the answers to a spoke by its appliance: see ``check_return``."""
    hub_id = site.build_network_id(site.get_hub(role).virtual_network)
    hub = observed.get_network(hub_id)
    network = observed.get_network(site.build_network_id(spoke.virtual_network))
    hops = list_next_hops(site, observed, spoke, PATH_OF_ROLE[role])
    name = get_last_name(hub_id)
    if hub is None or network is None:
        return Condition(RETURN, ConditionStatus.UNKNOWN, f"{name} could not be read")
    table = _get_return_table(observed, hub)
    return check_return(name, table, network.address_space, hops)


def _get_return_table(observed: SiteSnapshot, hub: VirtualNetwork) -> Reading[RouteTable] | None:
    """Return the route table of a hub's GatewaySubnet; None if that has none."""
    table_id = dict(hub.subnet_tables).get(GATEWAY_SUBNET.lower())
    return observed.get_route_table(table_id) if table_id else None


def list_return_routes(
    site: Site, observed: SiteSnapshot, role: Role, spoke: Spoke
) -> tuple[tuple[str, UserRoute], ...]:
    """Return the routes by which a hub's GatewaySubnet returns answers to a spoke, by table id.

    Nothing for a spoke without a table of ``routing``.
    """
    hub = observed.get_network(site.build_network_id(site.get_hub(role).virtual_network))
    network = observed.get_network(site.build_network_id(spoke.virtual_network))
    reading = _get_return_table(observed, hub) if hub else None
    table = reading.value if reading else None
    if table is None or network is None or not list_tables(site, observed, spoke):
        return ()
    pieces = (
        piece for prefix in network.address_space for piece in split_prefix(table, (), prefix)
    )
    return tuple(
        dict.fromkeys((table.id, piece.route) for piece in pieces if piece.route is not None)
    )


def check_return(
    hub: str,
    table: Reading[RouteTable] | None,
    prefixes: Collection[IPv4Network],
    hops: Collection[IPv4Address],
) -> Condition:
    """Check that a hub's GatewaySubnet sends a spoke's prefixes to the appliance the spoke uses.

    Otherwise the answers go straight to the spoke, past an appliance that has sent the requests,
    or arrive at one that has not. A route wider than the prefix loses against the system route of
    the peering (published: virtual-networks-udr-overview, the longest prefix wins).

    Args:
        hub: the hub's name.
        table: the route table of its GatewaySubnet; None if that has none.
        prefixes: the spoke's address space.
        hops: the appliances that the spoke's traffic goes by.
    """
    by = join_names(map(str, sorted(hops)))
    if table is not None and table.value is None:
        message = f"{hub}/GatewaySubnet: its route table could not be read: {table.unknown}"
        return Condition(RETURN, ConditionStatus.UNKNOWN, message, "Get the right to read it.")
    routes = table.value if table is not None else None
    lost = [
        prefix for prefix in prefixes if routes is None or not _is_returned(routes, prefix, hops)
    ]
    if not lost:
        message = f"{hub}/GatewaySubnet sends the spoke's prefixes through {by}"
        return Condition(RETURN, ConditionStatus.HOLDS, message)
    where = f"route table {routes.name}" if routes is not None else "a route table"
    return Condition(
        RETURN,
        ConditionStatus.FAILS,
        f"{hub}/GatewaySubnet does not send {format_prefixes(lost)} through {by}: answers "
        "bypass the appliance",
        f"Add to {where} of {hub}/GatewaySubnet a route to exactly that prefix with the next hop "
        f"{by}.",
    )


def _is_returned(table: RouteTable, prefix: IPv4Network, hops: Collection[IPv4Address]) -> bool:
    return all(
        piece.route is not None
        and piece.route.network is not None
        and piece.route.network.prefixlen >= prefix.prefixlen
        and piece.route.next_hop_type == APPLIANCE
        and piece.route.address in hops
        for piece in split_prefix(table, (), prefix)
    )


def check_forwarded(
    site: Site, observed: SiteSnapshot, target: Path, spoke: Spoke
) -> Iterator[Condition]:
    """Yield whether a spoke takes what the appliances forward to it.

    By the peering with the hub that it moves to, as that is; with an overlay, by the one with the
    primary as well, as the switch leaves it: traffic between spokes goes on through its appliance.
    """
    tables = list_tables(site, observed, spoke)
    if not tables:
        return
    role = ROLE_OF_PATH[target]
    id_ = site.build_peering_id(spoke.virtual_network, spoke.get_outward(role).name)
    arriving = observed.get_peering(id_)
    yield _check_allowed(id_, arriving, arriving.flags if arriving else None)
    if all(table.entry.mode == "replace" for table in tables):
        return
    id_ = site.build_peering_id(spoke.virtual_network, spoke.spoke_to_primary.name)
    primary = observed.get_peering(id_)
    if primary is not None:
        flags = spoke.spoke_to_primary.get_flags(target, primary.flags)
        yield _check_allowed(id_, primary, flags)


def _check_allowed(id_: str, peering: Peering | None, flags: Flags | None) -> Condition:
    name = get_last_name(id_)
    if peering is None or flags is None:
        return Condition(FORWARDED, ConditionStatus.UNKNOWN, f"{name} could not be read")
    if flags.allow_forwarded_traffic:
        return Condition(FORWARDED, ConditionStatus.HOLDS, f"{name} allows forwarded traffic")
    return Condition(
        FORWARDED,
        ConditionStatus.FAILS,
        f"{name} does not allow forwarded traffic, so it drops what an appliance forwards",
        f"az network vnet peering update --ids {id_} --set allowForwardedTraffic=true",
    )


def check_next_hops(
    site: Site, observed: SiteSnapshot, target: Path, spoke: Spoke
) -> Condition | None:
    """Check that a spoke's tables send the remote prefixes by a path's appliance.

    Returns:
        None for a spoke without a table of ``routing``.
    """
    name, tables = "next_hops_are_moved", list_tables(site, observed, spoke)
    if not tables:
        return None
    for table in tables:
        if table.reading.value is None:
            message = f"{spoke.name}: route table {table.name}: {table.reading.unknown}"
            return Condition(name, ConditionStatus.UNKNOWN, message)
        writes = list_table_writes(observed, site, target, table.entry)
        if writes:
            return Condition(
                name,
                ConditionStatus.FAILS,
                f"{spoke.name}: route {writes[0].name} of {table.name} differs from what {target} "
                "needs",
            )
    hops = join_names(dict.fromkeys(str(table.entry.get_next_hop(target)) for table in tables))
    message = f"{spoke.name} sends the remote prefixes through {hops}"
    return Condition(name, ConditionStatus.HOLDS, message)
