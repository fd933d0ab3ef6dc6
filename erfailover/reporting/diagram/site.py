"""The site as observed, as a sheet of cards: spokes, peerings, hubs, sessions, far ends. Pure.

Reads from left to right as traffic flows: a spoke, its two peerings with a hub, the hub's gateway,
its connections, the far end, what the spokes must reach. Many identical elements share a card; what
is wrong is always in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from erfailover.model.counting import join_names
from erfailover.model.observed import EXPRESSROUTE
from erfailover.model.peering_flags import FLAGS, Flags
from erfailover.planning.health import SpokeHealth
from erfailover.reporting.diagram.far_side import build_far_side
from erfailover.reporting.diagram.sheet import Card, Line, Link, Note, Sheet
from erfailover.reporting.marks import HEALTH_WORD, MARK_OF_HEALTH, Assessment, Mark, find_worst
from erfailover.reporting.topology.model import (
    HubPicture,
    PeeringPair,
    PeeringSide,
    Picture,
    SpokeGroup,
)
from erfailover.reporting.words import NO_PATH, format_path

SPOKES, PEERINGS, HUBS = 0, 1, 2
MOST_GROUPS = 8
"""How many cards of spokes there are at most: the worst, then the largest groups."""
MOST_WARNINGS = 3
LEGEND = (
    (Link("", "", active=True), "path in use"),
    (Link("", ""), "not in use"),
    (Link("", "", Mark.ABSENT), "not created yet"),
)
MARKS = (
    (Mark.SOUND, "OK"),
    (Mark.DEGRADED, "degraded"),
    (Mark.BROKEN, "broken"),
    (Mark.UNKNOWN, "unknown"),
)


def build_sheet(picture: Picture, verdict: str, heading: str = "") -> Sheet:
    """Return what is drawn of a site.

    Args:
        picture: the site as observed.
        verdict: the first line of ``status``.
        heading: where it was read, and as whom.
    """
    groups = picture.groups[:MOST_GROUPS]
    beyond = build_far_side(picture)
    cards = [
        *(_build_spoke_card(number, group) for number, group in enumerate(groups)),
        *(
            _build_peerings_card(number, group, pair, picture)
            for number, group in enumerate(groups)
            for pair in group.sample.pairs
            if not _is_missing(pair)
        ),
        *_build_missing_cards(picture, groups),
        *_build_left_out_card(picture.groups[MOST_GROUPS:]),
        *(_build_hub_card(hub) for hub in picture.hubs),
        *beyond.cards,
    ]
    links = [
        *_link_all_peerings(picture, groups),
        *beyond.links,
    ]
    return Sheet(
        name=f"{heading or picture.site}: {verdict}",
        head=tuple(_build_head(picture, verdict, heading)),
        cards=tuple(cards),
        links=tuple(links),
        legend=LEGEND,
        marks=MARKS,
        stacks=tuple(_build_stacks(picture, groups)),
    )


def _build_stacks(picture: Picture, groups: Sequence[SpokeGroup]) -> Iterator[tuple[str, ...]]:
    """Yield the primary's above the backup's, the worst above the others."""
    left_out = ("spokes/more",) if len(picture.groups) > MOST_GROUPS else ()
    yield (*(f"spokes/{number}" for number in range(len(groups))), *left_out)
    yield tuple(f"hub/{hub.role}" for hub in picture.hubs)


def _build_head(picture: Picture, verdict: str, heading: str) -> Iterator[Note]:
    read = picture.taken_at.replace("T", " ").replace("Z", " UTC")
    if heading:
        yield Note(heading)
    yield Note(f"Site {picture.site}, read {read}", faint=True)
    yield Note(verdict, size=17.0, strong=True, mark=MARK_OF_HEALTH[picture.health.healthy])
    drill = picture.drill
    if drill is not None and drill.description and drill.running is not False:
        yield Note(drill.description, mark=Mark.DEGRADED if drill.running else Mark.UNKNOWN)
    for warning in picture.health.warnings[:MOST_WARNINGS]:
        yield Note(warning, mark=Mark.DEGRADED)
    more = len(picture.health.warnings) - MOST_WARNINGS
    if more > 0:
        yield Note(f"and {more} more warnings: erfailover status", faint=True)


def _build_spoke_card(number: int, group: SpokeGroup) -> Card:
    sample, several = group.sample, len(group.spokes) > 1
    lines = [Line(group.title, strong=True)]
    if several:
        lines.append(Line(group.format_names(at_most=5), at_most=3))
    elif sample.virtual_network != sample.name:
        lines.append(Line(f"VNet {sample.virtual_network}"))
    if not several:
        lines.append(Line(_format_prefixes(sample.prefixes), faint=True, at_most=2))
    lines.append(Line(_describe_path(sample.health), sample.condition.mark, at_most=2))
    if sample.next_hops:
        lines.append(Line(f"next hop {join_names(sample.next_hops)}", faint=True, at_most=2))
    if not group.condition.good:
        why = group.condition.why if not several else f"for example: {group.condition.why}"
        lines.append(Line(why, at_most=3))
    if sample.health.prestaged and sample.health.path == "expressroute":
        lines.append(Line("prestaged", faint=True))
    return Card(
        f"spokes/{number}",
        SPOKES,
        tuple(lines),
        "spokes" if several else "spoke",
        group.condition.mark,
        any(pair.active for pair in sample.pairs),
        title=f"{group.format_names(at_most=50)}: {group.condition.why}",
        kind="spokes",
    )


def _describe_path(health: SpokeHealth) -> str:
    on = f"on {format_path(health.path)}, {HEALTH_WORD[health.healthy]}"
    return NO_PATH.get(health.path, on)


def _build_left_out_card(groups: Sequence[SpokeGroup]) -> Iterator[Card]:
    """Yield a card that counts the spokes without their own card."""
    if not groups:
        return
    count = sum(len(group.spokes) for group in groups)
    marked = find_worst(group.condition for group in groups)
    yield Card(
        "spokes/more",
        SPOKES,
        (
            Line(f"and {count} more spokes", strong=True),
            Line(f"in {len(groups)} other states", at_most=2),
            Line("full list: erfailover status -o json", faint=True, at_most=2),
        ),
        mark=marked.mark if marked else None,
        title=", ".join(group.format_names(at_most=20) for group in groups),
        kind="spokes",
    )


def _build_peerings_card(
    number: int, group: SpokeGroup, pair: PeeringPair, picture: Picture
) -> Card:
    hub = picture.get_hub(pair.role).name
    lines = []
    for place, side in enumerate(pair.sides):
        lines += _format_side(side, len(group.spokes), rule=place > 0)
    return Card(
        f"peerings/{number}/{pair.role}",
        PEERINGS,
        tuple(lines),
        f"peerings with {hub}",
        pair.condition.mark,
        pair.active,
        title=pair.condition.why,
        kind="peerings",
    )


def _is_missing(pair: PeeringPair) -> bool:
    """Whether neither peering exists or is required."""
    return all(side.condition.mark is Mark.ABSENT for side in pair.sides)


def _build_missing_cards(picture: Picture, groups: Sequence[SpokeGroup]) -> Iterator[Card]:
    """Yield one card per hub for all spokes that have no peerings with it and need none yet."""
    for hub in picture.hubs:
        without = [group for group in groups if _is_missing(group.sample.get_pair(hub.role))]
        if without:
            count = sum(len(group.spokes) for group in without)
            lines = [Line(f"none with {hub.name} yet" + (f": {count} spokes" if count > 1 else ""))]
            lines.append(Line("a switch to it creates them", faint=True))
            text = ", ".join(group.format_names(at_most=20) for group in without)
            name = f"peerings/none/{hub.role}"
            kind, mark = "peerings", Mark.ABSENT
            yield Card(name, PEERINGS, tuple(lines), kind, mark, title=text, kind=kind)


def _format_side(side: PeeringSide, count: int, *, rule: bool) -> list[Line]:
    others = f" and {count - 1} more" if count > 1 else ""
    lines = [Line(f"{side.name}{others}", side.condition.mark, strong=True, rule=rule)]
    peering = side.peering
    if peering is None:
        unread = side.condition.mark is Mark.UNKNOWN
        return [*lines, Line("could not be read" if unread else "does not exist")]
    sync = (
        "in sync" if peering.sync_level == "FullyInSync" else peering.sync_level or "sync unknown"
    )
    lines.append(Line(f"{peering.state}, {sync}"))
    lines.append(Line(describe_flags(peering.flags), faint=True, at_most=2))
    if peering.provisioning_state != "Succeeded":
        lines.append(Line(peering.provisioning_state, faint=True))
    return lines


def describe_flags(flags: Flags) -> str:
    """Name the flags of a peering that are on, and access if it is off, as it never should be."""
    on = [flag.label for flag in FLAGS[1:] if getattr(flags, flag.name)]
    access = [] if flags.allow_virtual_network_access else ["NO ACCESS"]
    return " + ".join([*access, *on]) or "access only"


def _link_all_peerings(picture: Picture, groups: Sequence[SpokeGroup]) -> Iterator[Link]:
    for hub in picture.hubs:
        without = f"peerings/none/{hub.role}"
        missing = False
        for number, group in enumerate(groups):
            pair = group.sample.get_pair(hub.role)
            if _is_missing(pair):
                missing = True
                yield Link(f"spokes/{number}", without, Mark.ABSENT, title=pair.condition.why)
            else:
                yield from _link_peerings(number, pair)
        if missing:
            yield Link(without, f"hub/{hub.role}", Mark.ABSENT)


def _link_peerings(number: int, pair: PeeringPair) -> Iterator[Link]:
    middle = f"peerings/{number}/{pair.role}"
    mark, why = pair.condition.mark, pair.condition.why
    yield Link(f"spokes/{number}", middle, mark, pair.active, title=why)
    yield Link(middle, f"hub/{pair.role}", mark, pair.active, title=why)


def _build_hub_card(hub: HubPicture) -> Card:
    gateway = hub.gateway
    prefixes = hub.network.address_space if hub.network else ()
    lines = [Line(hub.name, strong=True), Line(_format_prefixes(prefixes), faint=True, at_most=2)]
    if not hub.condition.good:
        lines.append(Line(hub.condition.why, hub.condition.mark, at_most=3))
    lines.append(Line(f"gateway {gateway.name}", gateway.condition.mark, strong=True, rule=True))
    if result := gateway.gateway:
        kind = "ExpressRoute" if result.type == EXPRESSROUTE else "VPN"
        lines.append(Line(", ".join(filter(None, (f"{kind} gateway", result.sku)))))
        shape = "active-active" if result.active_active else None
        asn = f"AS {result.asn}" if result.asn is not None else "AS unknown"
        lines.append(Line(", ".join(filter(None, (asn, shape)))))
        if result.provisioning_state != "Succeeded":
            lines.append(Line(result.provisioning_state))
    if not gateway.condition.good:
        lines.append(Line(gateway.condition.why, at_most=4))
    lines += _format_inner_sessions(hub)
    condition = find_worst((hub.condition, gateway.condition)) or hub.condition
    return Card(
        f"hub/{hub.role}",
        HUBS,
        tuple(lines),
        f"{hub.role} hub, for {format_path(hub.path)}",
        condition.mark,
        hub.active,
        title=condition.why,
        kind="hub",
    )


def _format_inner_sessions(hub: HubPicture) -> list[Line]:
    """Return the sessions within Azure in one line: a twin instance, a gateway beside it."""
    inner = [
        session
        for session in hub.gateway.sessions
        if not session.external
        and session.peer.neighbor != session.peer.local_address  # an instance lists itself
    ]
    if not inner:
        return []
    up = sum(session.condition.mark is Mark.SOUND for session in inner)
    condition = find_worst(session.condition for session in inner) or Assessment(Mark.SOUND, "")
    return [Line(f"sessions within Azure: {up} of {len(inner)} up", condition.mark, at_most=2)]


def _format_prefixes(prefixes: Sequence[object]) -> str:
    return join_names([str(prefix) for prefix in prefixes], 4) or "prefixes unknown"
