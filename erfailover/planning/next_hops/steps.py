"""The step of a spoke that moves its next hops: all of its tables at once. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from erfailover.model.observed import SiteSnapshot
from erfailover.model.plan import Change, NextHopWrites
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import Path, Site, Spoke
from erfailover.planning.next_hops import desired
from erfailover.planning.next_hops.scene import list_kept_spaces, list_tables


def plan_next_hops(
    site: Site, observed: SiteSnapshot, target: Path, spoke: Spoke
) -> NextHopWrites | None:
    """Return what moves the next hops of a spoke to a path; None if it has no table for it.

    Of a table that was not read nothing is written.
    """
    tables = list_tables(site, observed, spoke)
    if not tables:
        return None
    kept = list_kept_spaces(site, observed)
    return NextHopWrites(
        tuple(table.id for table in tables),
        tuple(
            write
            for table in tables
            if table.reading.value is not None
            for write in desired.list_writes(
                table.entry, table.reading.value, target, site.remote_prefixes, kept
            )
        ),
    )


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
