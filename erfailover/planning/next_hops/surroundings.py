"""The surroundings of the spokes as a switch leaves them. Pure."""

from __future__ import annotations

from dataclasses import replace

from erfailover.model.observed import Reading, SiteSnapshot
from erfailover.model.routing import RoutingEnvironment
from erfailover.model.site import Path, Site
from erfailover.planning.next_hops.desired import compute_routes
from erfailover.planning.next_hops.scene import list_kept_spaces


def move_tables(
    site: Site, surroundings: RoutingEnvironment, observed: SiteSnapshot, target: Path
) -> RoutingEnvironment:
    """Return the surroundings with the next hops that the site file has for a path."""
    tables, kept = dict(surroundings.route_tables), list_kept_spaces(site, observed)
    for entry in site.routing:
        key = site.build_route_table_id(entry.route_table).lower()
        table = tables[key].value if key in tables else None
        if table is not None:
            moved = compute_routes(entry, table, target, site.remote_prefixes, kept)
            tables[key] = Reading(moved)
    return replace(surroundings, route_tables=tables) if site.routing else surroundings
