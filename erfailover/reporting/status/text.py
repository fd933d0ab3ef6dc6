"""A status as text and as plain data. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain, groupby
from typing import Any

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import Gateway, GatewayRoute, Peering, SiteSnapshot
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import Path, Site
from erfailover.planning.health import HEALTHY, Health
from erfailover.reporting.marks import (
    COLOUR,
    HEALTH_WORD,
    MARK_OF_VERDICT,
    VERDICT_WORD,
    Assessment,
    Mark,
)
from erfailover.reporting.screen import PLAIN, Screen
from erfailover.reporting.status import tables
from erfailover.reporting.status.headline import format_headline
from erfailover.reporting.terminal.picture import draw_picture
from erfailover.reporting.topology.differences import describe_differences
from erfailover.reporting.topology.model import Picture, SpokeGroup
from erfailover.reporting.words import NO_PATH, format_path, limit_lines, wrap

ALIKE = 3
"""Up to this many conditions of one name that hold are shown; the others are counted."""
ROUTE_FIELDS = GatewayRoute._fields
"""What is shown of a route: ``asdict`` copies every value, of thousands of rows."""
MANY_WARNINGS = 2
"""Up to this many warnings are shown in brief; the others are counted."""
GROUPS = 8
"""Up to this many groups of spokes are shown; the others are counted."""


def build_data(site: Site, observed: SiteSnapshot, health: Health) -> dict[str, Any]:
    """Return a status as plain data; documented in ``docs/reference.md``."""
    return {
        "site": site.name,
        "taken_at": observed.taken_at,
        "path": health.path,
        "healthy": health.healthy,
        "ready": None if health.ready is None else HEALTHY[health.ready],
        "hold_time": health.hold_time or None,
        "warnings": list(health.warnings),
        "gateways": [
            _build_gateway_data(gateway)
            for gateway in (*observed.gateways.values(), *chain(*observed.beside.values()))
        ],
        "peerings": [
            _build_peering_data(peering, observed) for peering in _list_peerings(site, observed)
        ],
        "spokes": [
            {
                "name": spoke.name,
                "path": spoke.path,
                "healthy": spoke.healthy,
                "reasons": list(spoke.reasons),
                "prestaged": spoke.prestaged,
                "left_out": left_out.message
                if (left_out := health.left_out.get(spoke.name)) is not None
                else None,
            }
            for spoke in health.spokes
        ],
        "unknown": dict(observed.unknown),
    }


def _build_gateway_data(gateway: Gateway) -> dict[str, Any]:
    return {
        "name": gateway.name,
        "role": str(gateway.role),
        "type": gateway.type,
        "sku": gateway.sku,
        "active_active": gateway.active_active,
        "provisioning_state": gateway.provisioning_state,
        "peers": [asdict(peer) for peer in gateway.peers.value or ()],
        "learned_routes": [
            {name: getattr(route, name) for name in ROUTE_FIELDS}
            for route in gateway.learned_routes.value or ()
        ],
        "unknown": [
            reading.unknown
            for reading in (gateway.peers, gateway.learned_routes)
            if reading.unknown
        ],
    }


def _list_peerings(site: Site, observed: SiteSnapshot) -> list[Peering]:
    ids = [peering_id for spoke in site.spokes for peering_id in site.list_peering_ids(spoke)]
    return [peering for peering in map(observed.get_peering, ids) if peering]


def _build_peering_data(peering: Peering, observed: SiteSnapshot) -> dict[str, Any]:
    return {
        "id": peering.id,
        "name": peering.name,
        "virtual_network": get_last_name(peering.virtual_network),
        "remote_virtual_network": get_last_name(peering.remote_virtual_network),
        "state": peering.state,
        "sync_level": peering.sync_level,
        **asdict(peering.flags),
    }


def format_details(
    picture: Picture,
    observed: SiteSnapshot,
    notes: Sequence[str] = (),
    screen: Screen = PLAIN,
) -> str:
    """Return a whole status for people: verdict, picture, the conditions behind it, the tables.

    Args:
        picture: the site as it can be drawn, with the verdict and its conditions.
        observed: with the gateways' tables.
        notes: what comes first: a drill, an unfinished run.
        screen: what it is shown on.
    """
    return "\n".join(
        [
            *format_opening(picture, notes, screen),
            "",
            draw_picture(picture, screen),
            "",
            *_format_groups(picture, screen),
            "",
            *tables.format_tables(picture, observed, screen),
        ]
    )


def format_opening(
    picture: Picture, notes: Sequence[str], screen: Screen, most: int | None = None
) -> Iterator[str]:
    """Yield the first lines: the verdict, the notes, the warnings.

    Args:
        picture: the site.
        notes: what comes right after the verdict: a drill, an unfinished run.
        screen: what they are shown on.
        most: how many warnings are shown; None for all.
    """
    health = picture.health
    good = health.healthy and health.ready is ConditionStatus.HOLDS
    mark = Mark.BROKEN if health.healthy is False else Mark.SOUND if good else Mark.DEGRADED
    message = "\n".join(_wrap_text(format_headline(health, drill=picture.drill_runs), screen))
    yield screen.apply_style(message, "bold " + COLOUR[mark].removeprefix("bold "))
    for note in notes:
        for line in note.splitlines():
            text = line.lstrip(" *")
            yield from wrap(text, screen.width, line[: len(line) - len(text)])
    if most is None:
        for line in health.warnings:
            yield from wrap(line, screen.width, "  warning  ")
    else:  # these lines are not commands: the middle of a name that is too long can be left out
        for line in limit_lines(health.warnings, most):
            yield from _wrap_text(line, screen, "  warning  ")


def _format_groups(picture: Picture, screen: Screen) -> Iterator[str]:
    names = describe_differences(picture.groups)
    for group, difference in list(zip(picture.groups, names, strict=True))[:GROUPS]:
        spoke = group.sample.health
        yield from _wrap_text(f"{_describe_group(group)}:", screen)
        if difference:
            yield from _wrap_text(f"differs from the largest group: {difference}", screen, "  ")
        yield from format_conditions(spoke.conditions, screen)
        for wrong in iter_other_problems(group):
            yield from format_verdict_lines(ConditionStatus.FAILS, wrong.why, screen)
        if spoke.prestaged and spoke.path == Path.EXPRESSROUTE:
            yield "  prestaged: a switch to IPsec changes only two peerings per spoke"
    if len(picture.groups) > GROUPS:
        yield f"... and {len(picture.groups) - GROUPS} more groups: erfailover status -o json"
    if picture.health.other is not None:
        yield f"{format_path(picture.health.other)} readiness:"
        yield from format_conditions(picture.health.readiness, screen)
        yield from _format_left_out(picture.health, screen)
    if picture.health.hold_time:
        yield from _wrap_text(picture.health.hold_time, screen, "  ")


def _wrap_text(text: str, screen: Screen, first: str = "") -> list[str]:
    return wrap(text, screen.width, first, cut_words=True, dots=screen.dots)


def _format_left_out(health: Health, screen: Screen) -> Iterator[str]:
    """Yield the spokes that a switch would leave out, a line each."""
    for name, condition in list(health.left_out.items())[:GROUPS]:
        remedy = f" {condition.remedy}" if condition.remedy else ""
        yield from format_verdict_lines(
            condition.status, f"{name} would be left out: {condition.message}.{remedy}", screen
        )
    if len(health.left_out) > GROUPS:
        more = f"and {len(health.left_out) - GROUPS} more: erfailover status -o json"
        yield from format_verdict_lines(ConditionStatus.FAILS, more, screen)


def _describe_group(group: SpokeGroup) -> str:
    spoke = group.sample.health
    on = NO_PATH.get(spoke.path, format_path(spoke.path))
    works = HEALTH_WORD[spoke.healthy]
    if len(group.spokes) == 1:
        return f"{spoke.name}: {on}, {works}"
    return f"{group.title}: {on}, {works} ({group.format_names()}); shown for {spoke.name}"


def iter_other_problems(group: SpokeGroup) -> Iterator[Assessment]:
    """Yield what is wrong with peerings that the verdict does not depend on."""
    bad = [
        condition.message
        for condition in group.sample.health.conditions
        if condition.status is not ConditionStatus.HOLDS
    ]
    for pair in group.sample.pairs:
        for side in pair.sides:
            if side.condition.mark is Mark.BROKEN and not any(side.name in text for text in bad):
                yield side.condition


def format_conditions(conditions: Sequence[Condition], screen: Screen) -> Iterator[str]:
    """Conditions, a line each; of many of one name that hold, the first and how many more."""
    for (_, verdict), same in groupby(
        conditions, key=lambda condition: (condition.name, condition.status)
    ):
        rows = list(same)
        items = rows if len(rows) <= ALIKE else rows[: ALIKE - 1]
        for checked in items:
            yield from format_verdict_lines(verdict, checked.message, screen)
        if len(rows) > len(items):
            more = f"and {len(rows) - len(items)} more like this"
            yield from format_verdict_lines(verdict, more, screen)


def format_verdict_lines(verdict: ConditionStatus, text: str, screen: Screen) -> Iterator[str]:
    """Yield what was seen, in lines behind the word of its verdict."""
    first, *more = _wrap_text(text, screen, " " * 11)
    word = screen.apply_style(f"{VERDICT_WORD[verdict]:>7}", COLOUR[MARK_OF_VERDICT[verdict]])
    yield f"  {word}  {first.strip()}"
    yield from more
