"""Whether the effective routes of the spokes' interfaces show the appliance after a switch.

Asks one interface of each table, of a machine that runs: Azure has none of another (published:
"View effective routes"). Never writes.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from erfailover.azure.reader import Reader
from erfailover.azure.readers.cache import ReadingCache
from erfailover.azure.readers.probes import ask_effective_routes
from erfailover.azure.readers.route_tables import list_interfaces
from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import SiteSnapshot, attempt
from erfailover.model.probes import InterfaceRoute
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import Path, Site, Spoke
from erfailover.planning.next_hops.scene import UsedTable, list_tables
from erfailover.runtime.clock import run_all

NAME = "effective_routes_show_the_appliance"
TRIES = 3
"""So many interfaces of a table are asked until one is of a machine that runs."""
DEADLINE_S = 60.0
"""How long Azure's answer is waited for, in seconds."""
YOUNG_S = 600.0
"""How old the reading of a VNet may be that names its interfaces, in seconds."""


def check_effective_routes(
    readings: ReadingCache,
    site: Site,
    observed: SiteSnapshot,
    target: Path,
    spokes: Collection[str],
) -> dict[str, Condition]:
    """Return what the interfaces of some spokes show; nothing of one without a table."""
    asked = [
        (spoke, table)
        for spoke in site.spokes
        if spoke.name in spokes
        for table in list_tables(site, observed, spoke)
    ]
    work = [partial(_check, readings, site, target, spoke, table) for spoke, table in asked]
    by_name: dict[str, Condition] = {}
    for (spoke, _), condition in zip(asked, run_all(readings.reader.clock, work), strict=True):
        other = by_name.get(spoke.name)
        if other is None or other.status is ConditionStatus.HOLDS:
            by_name[spoke.name] = condition
    return by_name


def _check(
    readings: ReadingCache, site: Site, target: Path, spoke: Spoke, table: UsedTable
) -> Condition:
    network_id = site.build_network_id(spoke.virtual_network)
    body = attempt(partial(readings.get_network_body, network_id, YOUNG_S)).value
    hop = table.entry.get_next_hop(target)
    answer = "no network interface uses the route table"
    for interface in list_interfaces(body or {}, table.id)[:TRIES]:
        probe = InterfaceRoute(
            interface, site.remote_prefixes[0], "VirtualAppliance", hop, DEADLINE_S
        )
        up, answer = _ask(readings.reader, interface, probe)
        if up is not None:
            status = ConditionStatus.HOLDS if up else ConditionStatus.FAILS
            return Condition(NAME, status, f"{get_last_name(interface)}: {answer}")
    return Condition(
        NAME,
        ConditionStatus.UNKNOWN,
        f"{spoke.name}: effective routes to {site.remote_prefixes[0]} are unknown: {answer}",
        "Only a probe on a running machine can tell.",
    )


def _ask(reader: Reader, interface: str, probe: InterfaceRoute) -> tuple[bool | None, str]:
    answer = ask_effective_routes(reader, interface, probe)
    return answer.up, answer.observation
