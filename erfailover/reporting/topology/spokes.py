"""The spokes of a picture: their peerings with either hub, and groups of similar ones. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from erfailover.model.conditions import ConditionStatus
from erfailover.model.observed import Peering, SiteSnapshot
from erfailover.model.peering_flags import Flags
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import ROLE_OF_PATH, Path, Role, Site, SitePeering, Spoke
from erfailover.planning.conditions import CONNECTED, check_peering_ready
from erfailover.planning.health import SpokeHealth, is_made_by_a_switch
from erfailover.planning.next_hops.scene import find_present_hops
from erfailover.reporting.marks import MARK_OF_HEALTH, Assessment, Mark, find_worst
from erfailover.reporting.topology.model import PeeringPair, PeeringSide, SpokeGroup, SpokePicture

UNSURE = frozenset({"Updating", "Deleting"})
"""Provisioning states in which a peering still works as before."""


def build_spoke_picture(
    site: Site, observed: SiteSnapshot, spoke: Spoke, health: SpokeHealth
) -> SpokePicture:
    """One spoke with its peerings.

    Args:
        site: what there should be.
        observed: the site as it was read.
        spoke: which of the site's.
        health: the verdict on it.
    """
    network = observed.get_network(site.build_network_id(spoke.virtual_network))
    pairs = tuple(_build_pair(site, observed, spoke, role, health.path) for role in Role)
    condition = Assessment(MARK_OF_HEALTH[health.healthy], "; ".join(health.reasons))
    wrong = find_worst(side.condition for pair in pairs for side in pair.sides)
    if condition.mark is Mark.SOUND and wrong is not None and not wrong.good:
        condition = Assessment(Mark.DEGRADED, wrong.why)
    return SpokePicture(
        name=spoke.name,
        virtual_network=get_last_name(spoke.virtual_network),
        prefixes=network.address_space if network else (),
        health=health,
        pairs=pairs,
        condition=condition,
        next_hops=tuple(map(str, find_present_hops(site, observed, spoke))),
    )


def group_spokes(spokes: Sequence[SpokePicture]) -> tuple[SpokeGroup, ...]:
    """Return the spokes, those in the same condition together; the worst first, then the most."""
    alike: dict[object, list[SpokePicture]] = {}
    for spoke in spokes:
        alike.setdefault(_build_likeness(spoke), []).append(spoke)
    groups = [SpokeGroup(tuple(spoke_pictures)) for spoke_pictures in alike.values()]
    groups.sort(key=lambda group: (group.condition.rank, -len(group.spokes)))
    return tuple(groups)


def _build_likeness(spoke: SpokePicture) -> object:
    """Return what two spokes must share to be drawn as one: all but names and prefixes."""
    sides = tuple(
        (side.condition.mark, peering and (peering.state, peering.sync_level, peering.flags))
        for pair in spoke.pairs
        for side in pair.sides
        for peering in (side.peering,)
    )
    health = spoke.health
    return (
        health.path,
        health.healthy,
        health.prestaged,
        spoke.condition.mark,
        sides,
        spoke.next_hops,
    )


def _build_pair(
    site: Site, observed: SiteSnapshot, spoke: Spoke, role: Role, path: str
) -> PeeringPair:
    hub = site.get_hub(role).virtual_network
    desired = spoke.to_prestaged() if site.prestaged else spoke
    outward = _build_side(
        site,
        observed,
        spoke.virtual_network,
        hub,
        _get_wanted(desired.get_outward(role), role, path),
    )
    inward = _build_side(
        site,
        observed,
        hub,
        spoke.virtual_network,
        _get_wanted(desired.get_inward(role), role, path),
    )
    if role is Role.BACKUP and path != Path.IPSEC and not site.prestaged:
        outward, inward = _mark_missing_side(outward, inward), _mark_missing_side(inward, outward)
    active = path in tuple(Path) and ROLE_OF_PATH[Path(path)] is role
    condition = find_worst((outward.condition, inward.condition)) or outward.condition
    return PeeringPair(role, outward, inward, active, condition)


def _get_wanted(peering: SitePeering, role: Role, path: str) -> tuple[str, Flags | None]:
    """Return a peering's name, and the flags in the site file for the path that the spoke is on.

    Without a known path, these are the flags of ExpressRoute for a peering with the primary hub,
    and none for the backup, whose peerings are not needed before a switch.
    """
    if path in tuple(Path):
        return peering.name, peering.get_flags(Path(path))
    return peering.name, peering.get_flags(Path.EXPRESSROUTE) if role is Role.PRIMARY else None


def _build_side(
    site: Site, observed: SiteSnapshot, owner: str, remote: str, desired: tuple[str, Flags | None]
) -> PeeringSide:
    name, flags = desired
    peering = observed.get_peering(site.build_peering_id(owner, name))
    if observed.get_network(site.build_network_id(owner)) is None:
        why = observed.unknown.get(
            site.build_network_id(owner).lower(), f"{get_last_name(owner)} could not be read"
        )
        condition = Assessment(Mark.UNKNOWN, f"{name}: {why}")
    elif peering is None:
        mark = Mark.ABSENT if flags is None else Mark.BROKEN
        condition = Assessment(mark, f"{name} does not exist")
    else:
        condition = _rate_peering(peering, flags)
    return PeeringSide(name, get_last_name(owner), get_last_name(remote), peering, condition)


def _rate_peering(peering: Peering, desired: Flags | None) -> Assessment:
    condition = check_peering_ready(peering, peering.name)
    if condition.status is not ConditionStatus.HOLDS:
        if peering.state == CONNECTED and not peering.failed:
            what = (
                peering.provisioning_state
                if peering.provisioning_state in UNSURE
                else "out of sync"
            )
            return Assessment(Mark.DEGRADED, f"{peering.name} is {what}: {condition.message}")
        state = f"{peering.name} is Failed" if peering.failed else condition.message
        return Assessment(Mark.BROKEN, state)
    closed = not peering.flags.allow_virtual_network_access
    if closed and (desired is None or desired.allow_virtual_network_access):
        return Assessment(Mark.BROKEN, f"{peering.name} is closed: it allows no VNet access")
    return Assessment(Mark.SOUND, condition.message)


def _mark_missing_side(side: PeeringSide, other: PeeringSide) -> PeeringSide:
    """Return one side of a peering that half exists, rated by what a switch makes of it."""
    unread = Mark.UNKNOWN in (side.condition.mark, other.condition.mark)
    half = side.peering or other.peering
    if unread or not half or not is_made_by_a_switch(side.peering, other.peering):
        return side
    if side.peering is None:
        why = f"{side.name} does not exist, but {other.name} does; a switch creates it"
    else:
        why = f"{side.name} is {side.peering.state}; a switch completes it"
    return replace(side, condition=Assessment(Mark.ABSENT, why))
