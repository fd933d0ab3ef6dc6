"""Checks of the appliances that route tables of ``routing`` lead to. Pure.

A site without ``routing`` has no line of these. Whether the rules of an appliance let the traffic
pass cannot be judged: they are not read, and no reading of them would prove it.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from erfailover.model.appliances import Appliance
from erfailover.model.counting import join_names
from erfailover.model.observed import Reading
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import ROLE_OF_PATH, Path, Role, Site
from erfailover.planning.doctor.check import Check, CheckBuilder, CheckName, Group, explain_unread
from erfailover.planning.doctor.facts import DoctorFacts

RULES = "whether its rules let the spokes' traffic pass cannot be judged"
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
    found = next((each for each in reading.value if address in each.addresses), None)
    unread = [each for each in reading.value if each.unknown and not each.addresses]
    fail = line.report_failure if role is Role.BACKUP else line.report_warning
    if found is None and unread:
        names = join_names((each.name for each in unread), 4)
        return line.report_unknown(
            f"{hub}: what has the address {address} is not known; not read: {names} "
            f"({unread[0].unknown})",
            LOOK,
        )
    if found is None:
        return fail(
            f"{hub}: no appliance has the address {address}",
            f"Correct on_{_get_path(role)} under routing in the site file, or create the "
            "appliance.",
        )
    name = f"{found.name} ({found.kind}, {address})"
    if found.fault:
        return fail(
            f"{hub}: {name} forwards nothing: {found.fault}",
            "Start it, or switch IP forwarding on; then run doctor again.",
        )
    if found.unknown:
        return line.report_unknown(f"{hub}: {name}: {found.unknown}", LOOK)
    return line.report_ok(f"{hub}: {name} runs and forwards; {RULES}")


def _get_path(role: Role) -> Path:
    return next(path for path, of_path in ROLE_OF_PATH.items() if of_path is role)
