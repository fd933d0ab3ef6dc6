"""What lies beyond the hubs on the sheet: connections, BGP sessions, far ends, prefixes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from erfailover.model.circuits import Circuit
from erfailover.model.counting import join_names
from erfailover.model.site import Role
from erfailover.reporting.diagram.sheet import Card, Line, Link
from erfailover.reporting.marks import Assessment, Mark, find_worst
from erfailover.reporting.topology.model import (
    FarEnd,
    HubPicture,
    Picture,
    RemotePrefix,
    SessionPicture,
)

SESSIONS, FAR_ENDS, PREFIXES = 3, 4, 5
MOST_ROWS = 6
"""How many connections or sessions a card lists, the worst first; the others are counted."""
MOST_FAR_ENDS = 4
"""With more of them, those in the same condition share a card."""
NOTHING = Assessment(Mark.UNKNOWN, "nothing is known about it")


@dataclass(frozen=True, slots=True)
class FarSide:
    """The cards and links beyond the hubs."""

    cards: tuple[Card, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class _Group:
    """Far ends that share a card."""

    id: str
    ends: tuple[FarEnd, ...]

    @property
    def neighbors(self) -> frozenset[str]:
        return frozenset(neighbor for end in self.ends for neighbor in end.neighbors)

    @property
    def roles(self) -> tuple[Role, ...]:
        return self.ends[0].roles

    @property
    def condition(self) -> Assessment:
        return find_worst(end.condition for end in self.ends) or NOTHING

    @property
    def active(self) -> bool:
        return any(end.active for end in self.ends)


def build_far_side(picture: Picture) -> FarSide:
    """All that is drawn to the right of the hubs."""
    groups = _group_far_ends(picture.far_ends)
    prefixes = _group_prefixes(picture.remote_prefixes)
    in_use = frozenset(hub.role for hub in picture.hubs if hub.active)
    cards: list[Card] = []
    links: list[Link] = []
    for hub in picture.hubs:
        rows = list(
            _build_gateway_cards(hub, [group for group in groups if hub.role in group.roles])
        )
        cards += [card for card, _ in rows]
        links += [link for _, group in rows for link in group]
        if not any(hub.role in group.roles for group in groups) and prefixes:
            links += _link_missing_far_end(hub, prefixes)
    cards += [_build_far_card(group) for group in groups]
    cards += [
        _build_prefix_card(name, remote_prefixes, picture) for name, remote_prefixes in prefixes
    ]
    links += [link for group in groups for link in _link_prefixes(group, prefixes, in_use)]
    return FarSide(tuple(cards), tuple(links))


def _group_far_ends(ends: Sequence[FarEnd]) -> list[_Group]:
    if len(ends) <= MOST_FAR_ENDS:
        return [_Group(f"far/{number}", (end,)) for number, end in enumerate(ends)]
    alike: dict[object, list[FarEnd]] = {}
    for end in ends:
        alike.setdefault((end.roles, end.condition.mark, end.active), []).append(end)
    return [
        _Group(f"far/{number}", tuple(far_ends)) for number, far_ends in enumerate(alike.values())
    ]


def _build_gateway_cards(
    hub: HubPicture, groups: Sequence[_Group]
) -> Iterator[tuple[Card, list[Link]]]:
    """Yield the cards of a gateway's connections and sessions; one if all lead to one far end."""
    if len(groups) <= 1:
        card = _build_joint_card(hub, groups[0] if groups else None)
        yield card, list(_link_card(hub, card, groups))
        return
    if hub.gateway.connections or hub.gateway.connections_unknown:
        lines = [*_format_connections(hub)]
        condition = _rate_connections(hub)
        name = f"connections/{hub.role}"
        card = _build_card(name, hub, f"connections of {hub.gateway.name}", lines, condition)
        yield card, list(_link_card(hub, card, ()))
    for group in groups:
        sessions = _select_sessions(hub, group)
        condition = find_worst(session.condition for session in sessions) or NOTHING
        name = f"sessions/{hub.role}/{group.id}"
        heading = f"BGP sessions of {hub.gateway.name}"
        card = _build_card(name, hub, heading, list(_format_sessions(sessions)), condition)
        yield card, list(_link_card(hub, card, (group,)))


def _build_joint_card(hub: HubPicture, group: _Group | None) -> Card:
    sessions = _select_sessions(hub, group) if group else []
    lines = list(_format_connections(hub))
    if sessions:
        rows = list(_format_sessions(sessions))
    else:
        condition = hub.gateway.condition
        mark = Mark.UNKNOWN if condition.mark is Mark.UNKNOWN else Mark.BROKEN
        words = "BGP sessions unknown" if mark is Mark.UNKNOWN else "no BGP session"
        rows = [Line(words, mark)]
    rows[0] = replace(rows[0], rule=bool(lines))
    conditions = [session.condition for session in sessions] or [hub.gateway.condition]
    condition = find_worst(conditions) or NOTHING
    up = any(assessment.mark is Mark.SOUND for assessment in conditions)
    shaky = _rate_connections(hub)
    if condition.mark is Mark.BROKEN and up:
        condition = Assessment(Mark.DEGRADED, condition.why)
    elif condition.mark is Mark.SOUND and shaky.mark in (Mark.BROKEN, Mark.DEGRADED):
        condition = Assessment(Mark.DEGRADED, shaky.why)
    heading = f"connections and BGP of {hub.gateway.name}"
    return _build_card(f"sessions/{hub.role}", hub, heading, [*lines, *rows], condition)


def _build_card(
    name: str, hub: HubPicture, heading: str, lines: Iterable[Line], condition: Assessment
) -> Card:
    return Card(
        name,
        SESSIONS,
        tuple(lines),
        heading,
        condition.mark,
        hub.active,
        title=condition.why,
        kind="sessions",
    )


def _link_card(hub: HubPicture, card: Card, groups: Sequence[_Group]) -> Iterator[Link]:
    yield Link(f"hub/{hub.role}", card.id, card.mark, hub.active, title=card.title)
    for group in groups:
        yield Link(card.id, group.id, card.mark, hub.active, title=card.title)


def _rate_connections(hub: HubPicture) -> Assessment:
    if hub.gateway.connections_unknown:
        return Assessment(Mark.UNKNOWN, hub.gateway.connections_unknown)
    assessment = find_worst(connection.condition for connection in hub.gateway.connections)
    return assessment or Assessment(Mark.SOUND, "no connection")


def _format_connections(hub: HubPicture) -> Iterator[Line]:
    gateway = hub.gateway
    if gateway.connections_unknown:
        yield Line("connections unknown", Mark.UNKNOWN)
        yield Line(gateway.connections_unknown, faint=True, at_most=2)
    connection_pictures = sorted(
        gateway.connections, key=lambda connection_picture: connection_picture.condition.rank
    )[:MOST_ROWS]
    for picture in connection_pictures:
        connection = picture.connection
        yield Line(connection.name, picture.condition.mark, strong=True)
        yield Line(f"{connection.type}, {connection.status.value or 'status unknown'}")
        if connection.known_circuit is not None:
            yield Line(_describe_circuit(connection.known_circuit), faint=True, at_most=2)
    if len(gateway.connections) > len(connection_pictures):
        yield Line(
            f"and {len(gateway.connections) - len(connection_pictures)} more connections",
            faint=True,
        )


def _describe_circuit(circuit: Circuit) -> str:
    state = circuit.peering_state
    peering = f"private peering {state}" if state else "no private peering"
    where = circuit.peering_location or "Direct"
    return f"circuit {circuit.name}, {where}: {circuit.provider_state}, {peering}"


def _select_sessions(hub: HubPicture, group: _Group) -> list[SessionPicture]:
    sessions = [
        external_session
        for external_session in hub.gateway.external_sessions
        if external_session.peer.neighbor in group.neighbors
    ]
    return sorted(sessions, key=lambda session: session.condition.rank)


def _format_sessions(sessions: Sequence[SessionPicture]) -> Iterator[Line]:
    neighbors = [session.peer.neighbor for session in sessions]
    for session_picture in sessions[:MOST_ROWS]:
        peer = session_picture.peer
        up = session_picture.condition.mark is Mark.SOUND and peer.routes_received is not None
        routes = f", {peer.routes_received} routes" if up else ""
        twice = neighbors.count(peer.neighbor) > 1  # from either instance of the gateway
        own = f" from {peer.local_address}" if twice and peer.local_address else ""
        words = f"BGP {peer.neighbor}{own} {peer.state}{routes}"
        yield Line(words, session_picture.condition.mark, at_most=2)
    more = len(sessions) - MOST_ROWS
    if more > 0:
        remaining = sessions[MOST_ROWS:]
        connected = sum(session.condition.mark is Mark.SOUND for session in remaining)
        yield Line(f"and {more} more, {connected} Connected", faint=True)


def _build_far_card(group: _Group) -> Card:
    end = group.ends[0]
    if len(group.ends) == 1:
        lines = [Line(end.name, strong=True)]
        if end.asn is not None and end.name != f"AS {end.asn}":
            lines.append(Line(f"AS {end.asn}"))
        lines.append(Line(", ".join(end.neighbors), faint=True, at_most=3))
    else:
        lines = [Line(f"{len(group.ends)} far ends", strong=True)]
        lines.append(Line(join_names([far_end.name for far_end in group.ends], 4), at_most=4))
    return Card(
        group.id,
        FAR_ENDS,
        tuple(lines),
        "far end" if len(group.ends) == 1 else "far ends",
        group.condition.mark,
        group.active,
        title=group.condition.why,
        kind="far-end",
    )


Alike = tuple[str, tuple[RemotePrefix, ...]]


def _group_prefixes(prefixes: Sequence[RemotePrefix]) -> list[Alike]:
    """Return the remote prefixes, those learned alike together, with the id of their card."""
    by_name: dict[object, list[RemotePrefix]] = {}
    for prefix in prefixes:
        learned = tuple((one.neighbors, one.condition.mark) for one in prefix.learned)
        by_name.setdefault((learned, prefix.active, prefix.name), []).append(prefix)
    return [
        (f"prefixes/{n}", tuple(remote_prefixes))
        for n, remote_prefixes in enumerate(by_name.values())
    ]


def _build_prefix_card(name: str, prefixes: tuple[RemotePrefix, ...], picture: Picture) -> Card:
    first = prefixes[0]
    lines = [Line(str(prefix.prefix), strong=True) for prefix in prefixes[:MOST_ROWS]]
    if len(prefixes) > MOST_ROWS:
        lines.append(Line(f"and {len(prefixes) - MOST_ROWS} more", strong=True))
    if first.name:
        lines.append(Line(first.name))
    for place, learned in enumerate(first.learned):
        gateway = picture.get_hub(learned.role).gateway.name
        words = {Mark.SOUND: "has learned it", Mark.UNKNOWN: "unknown"}
        text = words.get(learned.condition.mark, "has NOT learned it")
        if len(prefixes) > 1:
            text = text.replace(" it", " them")
        lines.append(Line(f"{gateway} {text}", learned.condition.mark, rule=place == 0))
    return Card(
        name,
        PREFIXES,
        tuple(lines),
        "remote prefix" if len(prefixes) == 1 else "remote prefixes",
        first.condition.mark,
        first.active and first.condition.mark is Mark.SOUND,
        title=first.condition.why,
        kind="prefix",
    )


def _link_prefixes(
    group: _Group, prefixes: Sequence[Alike], in_use: frozenset[Role]
) -> Iterator[Link]:
    """Yield links from a far end to what was learned from it; if that is nothing, to everything."""
    for name, alike in prefixes:
        learned = [
            learned_prefix
            for learned_prefix in alike[0].learned
            if learned_prefix.condition.mark is Mark.SOUND
            and learned_prefix.role in group.roles
            and group.neighbors.intersection(learned_prefix.neighbors)
        ]
        if learned:
            active = any(learned_prefix.role in in_use for learned_prefix in learned)
            yield Link(group.id, name, Mark.SOUND, active, title=learned[0].condition.why)
        elif not group.condition.good:
            mark, why = group.condition.mark, group.condition.why
            yield Link(group.id, name, mark, group.active, title=why)
        else:
            yield from _link_unread(group, name, alike)


def _link_unread(group: _Group, name: str, alike: tuple[RemotePrefix, ...]) -> Iterator[Link]:
    """Yield the links if what the gateway has learned is unknown."""
    learned_prefixes = [
        learned_prefix for learned_prefix in alike[0].learned if learned_prefix.role in group.roles
    ]
    if learned_prefixes and all(
        learned_prefix.condition.mark is Mark.UNKNOWN for learned_prefix in learned_prefixes
    ):
        why = learned_prefixes[0].condition.why
        yield Link(group.id, name, Mark.UNKNOWN, group.active, title=why)


def _link_missing_far_end(hub: HubPicture, prefixes: Sequence[Alike]) -> Iterator[Link]:
    """Yield the links if no far end is known: what the gateway should reach, and does not."""
    for name, alike in prefixes:
        condition = alike[0].get_learned(hub.role).condition
        yield Link(f"sessions/{hub.role}", name, condition.mark, hub.active, title=condition.why)
