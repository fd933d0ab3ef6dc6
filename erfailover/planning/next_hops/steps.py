"""The step of a spoke that moves its next hops: all of its tables at once. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from erfailover.model.observed import SiteSnapshot
from erfailover.model.plan import Change, NextHopWrites, RouteWrite
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import Path, Site, Spoke, SpokeRouteTable
from erfailover.planning.next_hops import desired
from erfailover.planning.next_hops.scene import list_kept_spaces, list_tables
from erfailover.planning.once import once_per_reading


def plan_next_hops(
    site: Site, observed: SiteSnapshot, target: Path, spoke: Spoke
) -> NextHopWrites | None:
    """Return what moves the next hops of a spoke to a path; None if it has no table for it.

    Of a table that was not read nothing is written.
    """
    tables = list_tables(site, observed, spoke)
    if not tables:
        return None
    return NextHopWrites(
        tuple(table.id for table in tables),
        tuple(
            write
            for table in tables
            for write in list_table_writes(observed, site, target, table.entry)
        ),
    )


@once_per_reading
def list_table_writes(
    observed: SiteSnapshot, site: Site, target: Path, entry: SpokeRouteTable
) -> tuple[RouteWrite, ...]:
    """Return what moves the next hops of a table to a path; nothing for one that was not read."""
    table = observed.get_route_table(site.build_route_table_id(entry.route_table)).value
    if table is None:
        return ()
    kept = list_kept_spaces(site, observed)
    return desired.list_writes(entry, table, target, site.remote_prefixes, kept)


def find_table_breaches(writes: NextHopWrites, tables: Collection[str]) -> Iterator[str]:
    """Yield what in the writes of routes would break an invariant.

    Args:
        writes: the writes.
        tables: the ids, in lower case, of the tables that the site file names.
    """
    for write in writes.routes:
        name = f"{get_last_name(write.table_id)}/{write.name}"
        if write.table_id.lower() not in tables:
            yield f"{name} is of no table of the site file"
        if write.change is Change.DELETE and not write.name.lower().startswith(desired.OWN):
            yield f"{name} is removed, and erfailover has not added it"
