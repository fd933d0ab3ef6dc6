"""The ``routing`` of a site file: the route tables whose next hops move with the peerings. Pure.

Never reads Azure: which spokes use a table, and what is in it, is the plan's business.
"""

from __future__ import annotations

from collections.abc import Iterator

from erfailover.config.azure_names import describe_expected, is_name
from erfailover.config.yaml_source import Keys, Problem
from erfailover.model.prefix_table import ANYWHERE
from erfailover.model.resource_ids import ROUTE_TABLE
from erfailover.model.site import Path, Site, SitePeering, Spoke, SpokeRouteTable

FORWARDED = "allow_forwarded_traffic"


def find_problems(site: Site) -> Iterator[Problem]:
    """Yield what is wrong with the section as a whole, with its tables and with the peerings."""
    yield from _check_each_once(site)
    for i, table in enumerate(site.routing):
        yield from _check_next_hops(("routing", i), table)
        yield from _check_routes(("routing", i), table)
    overlays = [table for table in site.routing if table.mode == "overlay"]
    if overlays and ANYWHERE in site.remote_prefixes:
        yield Problem(
            ("remote_prefixes", site.remote_prefixes.index(ANYWHERE)),
            f"a prefix narrower than {ANYWHERE}, because mode: overlay keeps the default route at "
            "the primary's appliance",
            str(ANYWHERE),
            "name the prefixes of the far end, or set mode: replace",
        )
    for i, spoke in enumerate(site.spokes if site.routing else ()):
        yield from _check_forwarded_traffic(("spokes", i), spoke, is_overlay=bool(overlays))


def _check_each_once(site: Site) -> Iterator[Problem]:
    """Yield tables that are named again, be it once by name and once by id.

    A name is compared with an id only if the site file names the subscription it is in.
    """
    ids: set[str] = set()
    for i, table in enumerate(site.routing):
        name = table.route_table
        is_valid = name.startswith("/") or is_name(ROUTE_TABLE, name)
        id_ = (site.build_route_table_id(name) if is_valid else name).lower()
        if id_ in ids:
            keys: Keys = ("routing", i, "route_table")
            yield Problem(keys, "each route table once", repr(name), "remove one of the two")
        ids.add(id_)


def _check_next_hops(keys: Keys, table: SpokeRouteTable) -> Iterator[Problem]:
    if table.on_expressroute == table.on_ipsec:
        yield Problem(
            (*keys, "on_ipsec"),
            "another address than on_expressroute",
            str(table.on_ipsec),
            "name the appliance in the backup hub, or remove a table whose next hop never changes",
        )
    for path in Path:
        address = table.get_next_hop(path)
        if address.is_multicast or address.is_loopback or address.is_unspecified:
            expected = "the private address of an appliance in a hub"
            yield Problem((*keys, f"on_{path}"), expected, str(address))


def _check_routes(keys: Keys, table: SpokeRouteTable) -> Iterator[Problem]:
    place: Keys = (*keys, "routes")
    if table.routes and table.mode == "overlay":
        yield Problem(
            place,
            "no routes, because mode: overlay decides for each route by its prefix",
            ", ".join(table.routes),
            "remove routes, or set mode: replace",
        )
    names: set[str] = set()
    for i, name in enumerate(table.routes):
        if not is_name(ROUTE_TABLE, name):
            yield Problem((*place, i), describe_expected(ROUTE_TABLE), repr(name))
        elif name.lower() in names:
            yield Problem((*place, i), "each route once", repr(name), "remove one of the two")
        names.add(name.lower())


def _check_forwarded_traffic(keys: Keys, spoke: Spoke, *, is_overlay: bool) -> Iterator[Problem]:
    """Yield flags that would drop what an appliance forwards to or from a spoke.

    The source of a forwarded packet is in no peered VNet, so the peering must allow forwarded
    traffic (published: peering overview). What a spoke sends to the primary has its own source, so
    that this side may have it off, but a switch does not turn it off. ``keep`` is decided by what
    Azure has.
    """
    for path in Path:
        needed = []
        if is_overlay or path is Path.EXPRESSROUTE:
            needed.append("spoke_to_primary")
        if path is Path.IPSEC:
            needed.append("spoke_to_backup")
        for key in needed:
            yield from _require_forwarded((*keys, key), path, getattr(spoke, key))
    inward = spoke.primary_to_spoke
    at_home = inward.on_expressroute
    if is_overlay and at_home != "absent" and at_home.allow_forwarded_traffic:
        yield from _require_forwarded((*keys, "primary_to_spoke"), Path.IPSEC, inward)


def _require_forwarded(keys: Keys, path: Path, peering: SitePeering) -> Iterator[Problem]:
    flags = peering.on_expressroute if path is Path.EXPRESSROUTE else peering.on_ipsec
    if flags == "absent" or flags.allow_forwarded_traffic:
        return
    yield Problem(
        (*keys, f"on_{path}", FORWARDED),
        "true or keep",
        "false",
        f"routing sends the spokes' traffic through an appliance, and on {path} this peering "
        "carries what the appliance forwards",
    )
