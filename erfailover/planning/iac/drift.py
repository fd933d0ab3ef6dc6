"""Peerings that are also in code: what its next apply would undo. Pure.

A site whose file says ``managed_by: terraform`` or ``bicep`` has its peerings in code, which
holds the flags of the path ExpressRoute. After a switch Azure differs from that, and the next
apply would take the spokes back, in an unplanned order. This module only finds it;
``export`` writes what the code would have to say.
"""

from __future__ import annotations

from dataclasses import dataclass

from erfailover.model.observed import SiteSnapshot
from erfailover.model.site import Path, Role, Site
from erfailover.planning.next_hops.desired import list_writes
from erfailover.planning.next_hops.scene import list_kept_spaces


@dataclass(frozen=True, slots=True)
class IacDrift:
    """What differs in Azure from the code.

    Attributes:
        managed_by: ``terraform`` or ``bicep``.
        differing: the ids of the peerings whose flags differ, and of the routes that do.
    """

    managed_by: str
    differing: tuple[str, ...]


def find_drift(site: Site, observed: SiteSnapshot) -> IacDrift | None:
    """Return what the next apply would undo; None if nothing, or if no code is configured.

    Args:
        site: whose file says which code, and the flags on ExpressRoute.
        observed: the peerings as they are; one that was not read does not count.
    """
    if site.managed_by is None:
        return None
    differing = []
    for spoke in site.spokes:
        for role in Role:
            hub = site.get_hub(role).virtual_network
            for owner, peering in (
                (spoke.virtual_network, spoke.get_outward(role)),
                (hub, spoke.get_inward(role)),
            ):
                result = observed.get_peering(site.build_peering_id(owner, peering.name))
                desired = peering.get_flags(Path.EXPRESSROUTE, result.flags if result else None)
                if result is not None and desired is not None and result.flags != desired:
                    differing.append(result.id)
    differing += _list_moved_routes(site, observed)
    return IacDrift(site.managed_by, tuple(differing)) if differing else None


def _list_moved_routes(site: Site, observed: SiteSnapshot) -> list[str]:
    """Return the ids of the routes that a failback would write."""
    if site.managed_by == "network-manager":
        return []
    kept = list_kept_spaces(site, observed)
    writes = [
        write
        for entry in site.routing
        if (table := observed.get_route_table(site.build_route_table_id(entry.route_table)).value)
        for write in list_writes(entry, table, Path.EXPRESSROUTE, site.remote_prefixes, kept)
    ]
    return [write.route_id for write in writes]
