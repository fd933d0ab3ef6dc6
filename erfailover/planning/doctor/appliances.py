"""Checks of the appliances that route tables of ``routing`` lead to, and of those tables. Pure.

A site without ``routing`` has no line of these. Whether the rules of an appliance let the traffic
pass cannot be judged: they are not read, and no reading of them would prove it.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from erfailover.model.appliances import Appliance
from erfailover.model.conditions import ConditionStatus
from erfailover.model.counting import format_count, join_names
from erfailover.model.observed import Reading
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import PATH_OF_ROLE, ROLE_OF_PATH, Path, Role, Site
from erfailover.planning.doctor.check import Check, CheckBuilder, CheckName, Group, explain_unread
from erfailover.planning.doctor.facts import DoctorFacts
from erfailover.planning.next_hops.conditions import (
    MOST_ROUTES,
    RETURN,
    check_spoke_return,
    check_tables,
)
from erfailover.planning.next_hops.scene import list_tables

RULES = "whether its rules allow the spokes' traffic cannot be checked"
LOOK = "Get the right to read it (erfailover permissions), or look at it yourself."


def check_appliances(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Check that the appliances of both hubs exist, run and forward.

    That of the primary hub is needed for a failback, and by what stays there: it keeps no switch to
    IPsec from working.
    """
    line = CheckBuilder(CheckName.APPLIANCES, Group.NETWORKS)
    for path in (Path.IPSEC, Path.EXPRESSROUTE):
        role = ROLE_OF_PATH[path]
        reading = facts.appliances.get(role)
        for address in dict.fromkeys(table.get_next_hop(path) for table in site.routing):
            yield _check_address(line, site, role, address, reading)


def check_return_routes(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Check that the GatewaySubnet of each hub returns the spokes' answers by its appliance.

    That of the primary is as it is today: what fails there keeps no switch to IPsec from working,
    and refuses the failback.
    """
    line = CheckBuilder(CheckName.RETURN_ROUTES, Group.NETWORKS)
    for role in (Role.BACKUP, Role.PRIMARY):
        checks = [
            check_spoke_return(site, facts.observed, role, spoke)
            for spoke in site.spokes
            if list_tables(site, facts.observed, spoke)
        ]
        bad = [check for check in checks if check.status is not ConditionStatus.HOLDS]
        for condition in dict.fromkeys(bad):
            is_warning = role is Role.PRIMARY and condition.status is ConditionStatus.FAILS
            make = line.report_warning if is_warning else line.report_failure
            if condition.status is ConditionStatus.UNKNOWN:
                make = line.report_unknown
            yield make(condition.message, condition.remedy or LOOK)
        if checks and not bad:
            hub = get_last_name(site.get_hub(role).virtual_network)
            spokes = format_count(len(checks), "spoke")
            yield line.report_ok(
                f"{hub}/GatewaySubnet routes the prefixes of {spokes} through the appliance"
            )


def check_route_tables(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Check that the tables of ``routing`` can be moved: read, at rest, with room, of spokes alone.

    A table that the spokes do not use moves nothing, and is a warning.
    """
    line = CheckBuilder(CheckName.ROUTE_TABLES, Group.NETWORKS)
    used = {
        table.id.lower()
        for spoke in site.spokes
        for table in list_tables(site, facts.observed, spoke)
    }
    for table in site.routing:
        if site.build_route_table_id(table.route_table).lower() not in used:
            yield line.report_warning(
                f"no subnet of a spoke uses the route table {get_last_name(table.route_table)}",
                "Remove it from routing in the site file, or correct its name.",
            )
    conditions = dict.fromkeys(
        condition
        for spoke in site.spokes
        for condition in check_tables(site, facts.observed, Path.IPSEC, spoke)
        if condition.name != RETURN
    )
    bad = [check for check in conditions if check.status is not ConditionStatus.HOLDS]
    yield from (line.report_condition(condition, condition.remedy) for condition in bad)
    if used and not bad:
        tables = format_count(len(used), "route table")
        yield line.report_ok(f"{tables} can be updated, with at most {MOST_ROUTES} routes each")


def _check_address(
    line: CheckBuilder,
    site: Site,
    role: Role,
    address: IPv4Address,
    reading: Reading[tuple[Appliance, ...]] | None,
) -> Check:
    hub = get_last_name(site.get_hub(role).virtual_network)
    if reading is None or reading.value is None:
        return line.report_unknown(f"{hub}: {address}: {explain_unread(reading)}", LOOK)
    appliance = next(
        (candidate for candidate in reading.value if address in candidate.addresses), None
    )
    unread = [
        candidate for candidate in reading.value if candidate.unknown and not candidate.addresses
    ]
    fail = line.report_failure if role is Role.BACKUP else line.report_warning
    if appliance is None and unread:
        names = join_names((candidate.name for candidate in unread), 4)
        return line.report_unknown(
            f"{hub}: it is unknown what has the address {address}: {names} could not be read "
            f"({unread[0].unknown})",
            LOOK,
        )
    if appliance is None:
        return fail(
            f"{hub}: no appliance has the address {address}",
            f"Correct on_{PATH_OF_ROLE[role]} under routing in the site file, or create the "
            "appliance.",
        )
    name = f"{appliance.name} ({appliance.kind}, {address})"
    if appliance.fault:
        return fail(
            f"{hub}: {name} does not forward: {appliance.fault}",
            "Start it, or switch IP forwarding on; then run doctor again.",
        )
    if appliance.unknown:
        return line.report_unknown(f"{hub}: {name}: {appliance.unknown}", LOOK)
    return line.report_ok(f"{hub}: {name} is running and forwards; {RULES}")
