"""The content of each box of the terminal's picture, and of each line. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

from rich.text import Text

from erfailover.model.counting import format_count
from erfailover.model.observed import EXPRESSROUTE
from erfailover.model.site import Role
from erfailover.reporting.marks import (
    MARK_WORD,
    SHORT_HEALTH_WORD,
    WORST_FIRST,
    Assessment,
    Mark,
    find_worst,
)
from erfailover.reporting.screen import Screen
from erfailover.reporting.terminal.boxes import ASCII_STROKES, Stroke, cut
from erfailover.reporting.topology.model import (
    FarEnd,
    GatewayPicture,
    HubPicture,
    Picture,
    SpokeGroup,
)
from erfailover.reporting.words import NO_PATH, cut_long_words, cut_middle, format_path, wrap

PREFIXES = 2
"""How many prefixes of a spoke are shown."""

CHANGED = "*"


@dataclass(frozen=True, slots=True)
class LinkLabel:
    """The text of a line between two boxes: above it, by it, below it."""

    above: str
    stroke: Stroke
    mark: Mark
    below: str


def draw_spokes(
    picture: Picture, width: int, rows: int, screen: Screen, changed: Set[str]
) -> list[Text]:
    """Return the lines of the spokes' box: one spoke in full, or groups in the same condition."""
    star = f" {CHANGED}" if "spokes" in changed else ""
    if len(picture.spokes) == 1:
        return [*_draw_spoke(picture, width, screen, star)]
    texts: list[Text] = []
    for count, group in enumerate(picture.groups):
        drawn = [*_draw_group(group, width, screen)]
        left = len(picture.groups) - count
        if len(texts) + len(drawn) > rows - (1 if left > 1 else 0) - (1 if star else 0):
            texts.append(Text(cut(f"and {left} more groups", width, screen)))
            break
        texts += drawn
    return texts + ([Text(f"{CHANGED} changed")] if star else [])


def _draw_spoke(picture: Picture, width: int, screen: Screen, star: str) -> Iterator[Text]:
    spoke = picture.spokes[0]
    health = spoke.health
    yield Text(cut_middle(spoke.virtual_network, width - len(star), screen.dots) + star)
    for line in _format_prefixes(list(map(str, spoke.prefixes)), PREFIXES + 1, width):
        yield Text(line)
    yield Text("")
    yield Text(NO_PATH.get(health.path, f"on {format_path(health.path)}"))
    yield add_sign(spoke.condition.mark, _describe_health(health.healthy, spoke.condition), screen)
    if health.prestaged and health.path == "expressroute":
        yield Text("prestaged")


def _draw_group(group: SpokeGroup, width: int, screen: Screen) -> Iterator[Text]:
    room = width - len(screen.get_sign(group.condition.mark)) - 1
    title = cut_middle(group.title, room, screen.dots)
    yield add_sign(group.condition.mark, title, screen)
    path = group.sample.health.path
    yield Text(f"  {NO_PATH.get(path, format_path(path))}")


def _describe_health(healthy: bool | None, condition: Assessment) -> str:
    return "degraded" if condition.mark is Mark.DEGRADED else SHORT_HEALTH_WORD[healthy]


def format_hub_title(hub: HubPicture, width: int, screen: Screen) -> str:
    """Return the text in the upper edge of a hub's box: its role is never cut, its name may be."""
    role = f", {hub.role} hub"
    if len(hub.name + role) > width:
        role = f", {hub.role}"
    return cut_middle(hub.name, width - len(role), screen.dots) + role


def draw_hub(
    picture: Picture,
    hub: HubPicture,
    width: int,
    screen: Screen,
    changed: Set[str],
    *,
    brief: bool = False,
) -> list[Text]:
    """Return the lines of a hub's box: its gateway, its connections, what it has learned.

    A brief one leaves out the gateway's type and SKU, and its ASN if it needs another line.
    """
    gateway = hub.gateway
    star = f" {CHANGED}" if f"hub/{hub.role}" in changed else ""
    rows: list[tuple[Mark, str]] = []
    if not hub.condition.good:
        state = f"VNet {hub.network.provisioning_state}" if hub.network else "VNet: not read"
        rows.append((hub.condition.mark, state))
    name = _format_gateway(gateway)
    sound = _get_gateway_mark(gateway) is Mark.SOUND
    if brief and sound and len(f"{screen.get_sign(Mark.SOUND)} {name}{star}") > width:
        name = gateway.name
    rows.append((_get_gateway_mark(gateway), name + star))
    lines = [line for pair in rows for line in wrap_signed(*pair, width, screen)]
    if result := gateway.gateway:
        name = "ExpressRoute" if result.type == EXPRESSROUTE else "VPN"
        kind = " ".join(filter(None, (f"{name} gateway", result.sku)))
        extra = ", active-active" if result.active_active else ""
        if not brief:
            lines += _indent(kind + extra, width, screen)
    for mark, text in (*_describe_connections(gateway), *_describe_learned(picture, hub.role)):
        lines += wrap_signed(mark, text, width, screen)
    return lines + [Text("")] * (3 - len(lines))


def _format_gateway(gateway: GatewayPicture) -> str:
    if gateway.gateway is None:
        return f"{gateway.name}: not read"
    asn = f"  AS {gateway.gateway.asn}" if gateway.gateway.asn is not None else ""
    state = gateway.gateway.provisioning_state
    return f"{gateway.name}{asn}" + ("" if state == "Succeeded" else f" {state}")


def _get_gateway_mark(gateway: GatewayPicture) -> Mark:
    """Return the mark of the gateway itself: what it has learned is on a separate line."""
    if gateway.gateway is None:
        return Mark.UNKNOWN
    return Mark.SOUND if gateway.gateway.provisioning_state == "Succeeded" else Mark.DEGRADED


def _describe_connections(gateway: GatewayPicture) -> Iterator[tuple[Mark, str]]:
    """Its tunnels and circuits, in one line."""
    expressroute = gateway.gateway is not None and gateway.gateway.type == EXPRESSROUTE
    what = "circuit" if expressroute else "tunnel"
    connection_pictures = gateway.connections
    wrong = find_worst(connection_picture.condition for connection_picture in connection_pictures)
    if wrong is None:
        return
    marks = Counter(connection_picture.condition.mark for connection_picture in connection_pictures)
    many = f"{len(connection_pictures)} {what}s" if len(connection_pictures) > 1 else what
    if wrong.mark is Mark.SOUND:
        yield Mark.SOUND, f"{many} up"
    elif wrong.mark is Mark.UNKNOWN:
        yield (
            Mark.UNKNOWN,
            f"{many}: not all known" if len(connection_pictures) > 1 else f"{what}: unknown",
        )
    elif len(connection_pictures) == 1:
        yield Mark.BROKEN, f"{what} NOT up"
    else:
        yield Mark.BROKEN, f"{marks[Mark.BROKEN]} of {many} NOT up"


def _describe_learned(picture: Picture, role: Role) -> Iterator[tuple[Mark, str]]:
    """Whether the gateway has learned what the spokes must reach, in one line."""
    learned = [
        (remote_prefix.prefix, remote_prefix.get_learned(role).condition.mark)
        for remote_prefix in picture.remote_prefixes
    ]
    marks = Counter(mark for _, mark in learned)
    what = f"{len(learned)} prefixes" if len(learned) > 1 else "".join(str(p) for p, _ in learned)
    if marks[Mark.BROKEN]:
        some = f"{marks[Mark.BROKEN]} of " if len(learned) > 1 else ""
        yield Mark.BROKEN, f"NOT learned: {some}{what}"
    elif marks[Mark.UNKNOWN]:
        yield Mark.UNKNOWN, "routes: unknown"
    elif learned:
        yield Mark.SOUND, f"learned {what}"


def describe_peerings(picture: Picture, role: Role, changed: Set[str]) -> LinkLabel:
    """Return the text for the peerings between the spokes and a hub."""
    pairs = [spoke.get_pair(role) for spoke in picture.spokes]
    used = sum(pair.active for pair in pairs)
    there = [pair for pair in pairs if any(side.peering for side in pair.sides)]
    wrong = find_worst(pair.condition for pair in pairs)
    mark = wrong.mark if wrong else Mark.ABSENT
    stroke = Stroke.STRONG if used else Stroke.LIGHT if there else Stroke.DOTTED
    if used:
        above = "in use" if used == len(pairs) else f"{used} use it"
    elif not there:
        above = "no peering" if mark is Mark.ABSENT else "peering"
    else:
        above = "peered" if len(there) == len(pairs) else f"{len(there)} peered"
    star = f" {CHANGED}" if f"peerings/{role}" in changed else ""
    return LinkLabel(above + star, stroke, mark, _format_count(mark, [p.condition for p in pairs]))


def describe_sessions(hub: HubPicture, changed: Set[str]) -> LinkLabel:
    """Return the text for the BGP sessions of a hub's gateway that lead out."""
    sessions = hub.gateway.external_sessions
    star = f" {CHANGED}" if f"sessions/{hub.role}" in changed else ""
    stroke = Stroke.STRONG if hub.active else Stroke.LIGHT
    if not sessions:
        return LinkLabel(f"BGP{star}", stroke, Mark.UNKNOWN, "unknown")
    up = sum(session.condition.mark is Mark.SOUND for session in sessions)
    above = "BGP" if len(sessions) == 1 else f"BGP {up}/{len(sessions)}"
    if up == len(sessions):
        return LinkLabel(above + star, stroke, Mark.SOUND, "up")
    if up:
        return LinkLabel(above + star, stroke, Mark.DEGRADED, "degraded")
    wrong = find_worst(session.condition for session in sessions)
    unknown = wrong is not None and wrong.mark is Mark.UNKNOWN
    if unknown:
        return LinkLabel(above + star, stroke, Mark.UNKNOWN, "unknown")
    return LinkLabel(above + star, stroke, Mark.BROKEN, "DOWN")


def _format_count(mark: Mark, of: Sequence[Assessment]) -> str:
    """Return what is wrong, and with how many if there are many."""
    word = "BROKEN" if mark is Mark.BROKEN else MARK_WORD.get(mark, "")
    count = sum(assessment.mark is mark for assessment in of)
    return word if mark in (Mark.SOUND, Mark.ABSENT) or len(of) == 1 else f"{count} {word}"


def format_hub_line(picture: Picture, hub: HubPicture, screen: Screen) -> list[str]:
    """Return what the picture has of a hub, in words: a line, or two on a narrow screen."""
    gateway, words = hub.gateway, describe_sessions(hub, frozenset())
    signs = [
        (_get_gateway_mark(gateway), _format_gateway(gateway).replace("  ", ", ")),
        *_describe_connections(gateway),
        (words.mark, f"{words.above} {words.below}"),
        *_describe_learned(picture, hub.role),
    ]
    mark = min((hub.condition.mark, *(mark for mark, _ in signs)), key=WORST_FIRST.index)
    text = f"{hub.name}, {hub.role} hub: {'; '.join(text for _, text in signs)}"
    text = cut_long_words(text, screen.width // 3, screen.dots)
    lines = wrap(text, screen.width, f"{screen.get_sign(mark):>2} ")
    return [screen.apply_style(line, screen.get_style(mark)) for line in lines]


def has_shared_far_end(picture: Picture) -> bool:
    """Whether both hubs lead to the same far end."""
    return bool(picture.far_ends) and all(
        len(far_end.roles) == len(Role) for far_end in picture.far_ends
    )


def draw_far_end(picture: Picture, role: Role, width: int, rows: int, screen: Screen) -> list[Text]:
    """Return the lines of the far end's box: peers, their addresses, the prefixes behind them.

    If there is not room for all, who it is comes first, and the rest is counted.
    """
    ends = [end for end in picture.far_ends if role in end.roles]
    lines = [line for end in ends for line in (*_describe_far_end(end), *end.neighbors)] or [
        "unknown"
    ]
    prefixes = [str(remote_prefix.prefix) for remote_prefix in picture.remote_prefixes]
    for prefix in picture.remote_prefixes:
        lines += [str(prefix.prefix), *([f"  {prefix.name}"] if prefix.name else [])]
    if len(lines) > rows or max(map(len, prefixes), default=0) > width:
        heads = [line for end in ends for line in _describe_far_end(end, width)] or ["unknown"]
        room = max(rows - len(heads), 0)
        addresses = dict.fromkeys(address for end in ends for address in end.neighbors)
        items = _fit([*addresses], room - min(len(prefixes), 2), "addresses", width)
        lines = [*heads, *items, *_format_prefixes(prefixes, room - len(items), width)]
    return [Text(cut_middle(line, width, screen.dots)) for line in lines[:rows]]


def _format_prefixes(prefixes: list[str], rows: int, width: int) -> list[str]:
    """Return prefixes in so many lines; how many they are if one is too wide: none is cut."""
    if max(map(len, prefixes), default=0) > width:
        return [format_count(len(prefixes), "prefix")] if rows > 0 else []
    return _fit(prefixes, rows, "prefixes", width)


def _describe_far_end(end: FarEnd, width: int = 0) -> list[str]:
    """Return who is at a far end; in one line if that fits into a width."""
    if end.asn is None or end.name.startswith("AS "):
        return [end.name]
    text = f"{end.name}, AS {end.asn}"
    return [text] if len(text) <= width else [end.name, f"AS {end.asn}"]


def _fit(lines: list[str], rows: int, what: str, width: int) -> list[str]:
    """Return as many lines as there is room for, and how many more there are of what."""
    if len(lines) <= rows or rows <= 0:
        return lines[: max(rows, 0)]
    if rows == 1:
        return [f"{len(lines)} {what}"]
    more = f"and {len(lines) - rows + 1} more"
    whole = f"{more} {what}"
    return [*lines[: rows - 1], whole if len(whole) <= width else more]


def draw_legend(rows: Sequence[Text], screen: Screen, *, changed: bool) -> Text:
    """Return the meaning of the lines and signs that occur in a picture, in one line."""
    strokes = {
        Stroke.STRONG: "in use",
        Stroke.LIGHT: "standby",
        Stroke.DOTTED: "absent",
    }
    drawn = "".join(row.plain for row in rows)
    words = [f"{_get_stroke(stroke, screen)} {text}" for stroke, text in strokes.items()]
    for mark, message in MARK_WORD.items():
        sign = screen.get_sign(mark)
        if f"{sign} " in drawn and sign != message:
            words.append(f"{sign} {message}")
    if changed:
        words.append(f"{CHANGED} changed")
    return Text("  ".join(words), style="dim" if screen.colour else "")


def _get_stroke(stroke: Stroke, screen: Screen) -> str:
    return stroke.value if screen.drawing else ASCII_STROKES[stroke]


def add_sign(mark: Mark, text: str, screen: Screen) -> Text:
    """Return a text after its sign."""
    return Text(f"{screen.get_sign(mark)} {text}", style=screen.get_style(mark))


def wrap_signed(mark: Mark, text: str, width: int, screen: Screen) -> Iterable[Text]:
    """Return a text after its sign, in as many lines as it needs."""
    first = f"{screen.get_sign(mark)} "
    lines = wrap(text, width, first, "  ", cut_words=True, dots=screen.dots)
    return [Text(line, screen.get_style(mark)) for line in lines]


def _indent(text: str, width: int, screen: Screen) -> list[Text]:
    lines = wrap(text, width, "  ", cut_words=True, dots=screen.dots)
    return [Text(line) for line in lines]
