"""The pictures: a switch over time, and the time of a switch over the number of spokes.

Pure: what was measured becomes the text of an SVG file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from types import MappingProxyType

from erfailover.reporting.svg import Element, build_picture, render_file
from tests.tools.bench import svg, worlds
from tests.tools.bench.rows import Measured, Switch, Tables, Way
from tests.tools.bench.watching import LEARN_S, Bar

WIDTH, LEFT, RIGHT, TOP = 960.0, 150.0, 24.0, 84.0
LANE, THICK = 24.0, 13.0

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "reading": "#8c959f",
        "1 lend the gateway": "#0a6ebd",
        "2 peer with the backup hub": "#54aeff",
        "3 break": "#cf222e",
        "4 make": "#1a7f37",
        "BGP learns": "#aceebb",
        "5 withdraw transit": "#bf8700",
    }
)
OUTAGE = "#ffebe9"
WAYS: Mapping[Way, tuple[str, str]] = MappingProxyType(
    {
        Way.AZ: ("az, typed in sequence", "#8250df"),
        Way.SDK: ("SDK, default polling", "#bf8700"),
        Way.COLD: ("erfailover, cold", "#0a6ebd"),
        Way.PRESTAGED: ("erfailover, prestaged", "#1a7f37"),
    }
)


def timeline(switch: Switch) -> str:
    """A switch over time: a lane for every spoke and gateway, a bar for every operation.

    The outage is the shaded part of a spoke's lane: the circuit has been dark since before, and
    ends where the backup's gateway originates the spoke.
    """
    spokes = worlds.spoke_names(switch.spokes)
    lanes = ["vng1, readings", "vng2, readings", *spokes]
    last_s = max((bar.ended_s for bar in switch.bars), default=1.0)
    span_s = max(switch.command_s, switch.whole_s, last_s) * 1.02
    height = TOP + LANE * len(lanes) + 44

    def x(seconds: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * seconds / span_s

    def y(lane: int) -> float:
        return TOP + LANE * lane

    parts = [
        svg.text(
            LEFT, 24, f"Switch of {switch.spokes} spokes, {switch.way}, seed {switch.seed}", 16
        ),
        *_legend(),
    ]
    for number, name in enumerate(spokes, 2):
        ends = [bar.ended_s for bar in switch.bars if _step(bar, name) == "4 make"]
        until_s = max(ends) + LEARN_S if ends else span_s
        parts.append(svg.rectangle(x(0), y(number) + 1, x(until_s) - x(0), LANE - 2, OUTAGE))
    parts += _axis(x, span_s, y(len(lanes)))
    for number, name in enumerate(lanes):
        parts.append(svg.text(LEFT - 8, y(number) + 16, name, 12, "end"))
        parts += _bars(switch.bars, name, x, y(number))
    parts += [
        svg.line(x(switch.whole_s), TOP - 6, x(switch.whole_s), y(len(lanes)), svg.INK, 1.5),
        svg.text(x(switch.whole_s) - 5, TOP - 8, f"shown {switch.whole_s:.0f} s", 11, "end"),
    ]
    return render_file(build_picture(WIDTH, height, f"Timeline of a switch, {switch.way}", parts))


def _legend() -> Iterator[Element]:
    at = 24.0
    for name, colour in {**COLOURS, "outage": OUTAGE}.items():
        yield svg.rectangle(at, 38, 12, 12, colour, stroke=svg.FAINT)
        yield svg.text(at + 16, 48, name, 11)
        at += 30 + 5.9 * len(name)


def _axis(x: object, span_s: float, bottom: float) -> Iterator[Element]:
    assert callable(x)
    step_s = _round_step(span_s / 10)
    for number in range(int(span_s / step_s) + 1):
        at = x(number * step_s)
        yield svg.line(at, TOP, at, bottom)
        yield svg.text(at, bottom + 16, f"{number * step_s:g} s", 11, "middle")


def _bars(bars: Iterable[Bar], lane: str, x: object, top: float) -> Iterator[Element]:
    assert callable(x)
    for bar in bars:
        step = _step(bar, lane.removesuffix(", readings"))
        if not step:
            continue
        title = f"{step}: {bar.began_s:.1f} to {bar.ended_s:.1f} s"
        wide = x(bar.ended_s) - x(bar.began_s)
        yield svg.rectangle(
            x(bar.began_s), top + 5, wide, THICK, COLOURS[step], title, fill_opacity="0.9"
        )
        if step == "4 make":
            learnt = x(bar.ended_s + LEARN_S) - x(bar.ended_s)
            yield svg.rectangle(
                x(bar.ended_s), top + 5, learnt, THICK, COLOURS["BGP learns"], "BGP learns"
            )


def _step(bar: Bar, lane: str) -> str:
    """The step that an operation is, in the lane of a spoke or a gateway; empty for another's."""
    if bar.resource.endswith(f"/virtualnetworkgateways/{lane}"):
        return "reading"
    pairs = {
        (worlds.BACKUP, lane): ("1 lend the gateway",),
        (lane, worlds.BACKUP): ("2 peer with the backup hub", "4 make"),
        (lane, worlds.PRIMARY): ("3 break",),
        (worlds.PRIMARY, lane): ("5 withdraw transit",),
    }
    for (owner, other), steps in pairs.items():
        if bar.resource == worlds.peering_id(owner, other).lower():
            return steps[0] if bar.what == "create" else steps[-1]
    return ""


def _round_step(desired: float) -> float:
    scale = 10.0 ** math.floor(math.log10(max(desired, 0.1)))
    return next(scale * number for number in (1, 2, 5, 10) if scale * number >= desired)


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of a diagram: its points, and which of them are arithmetic."""

    name: str
    colour: str
    points: list[tuple[int, float]]
    dashed: bool = False
    hollow: frozenset[int] = frozenset()


def growth(measured: Measured) -> str:
    """The time of a switch over the number of spokes; bounds are dashed."""
    title = "From the command until a reading shows every spoke, seconds"
    name = "Time of a switch over the number of spokes"
    curves = list(_switch_curves(measured))
    return _diagram(name, title, "spokes", curves, "hollow: by arithmetic")


def prefix_growth(measured: Measured) -> str:
    """Processor time over the number of prefixes; what is straight is dashed."""
    last = measured.tables[-1]

    def curve(name: str, colour: str, cost: Callable[[Tables], float]) -> Curve:
        return Curve(name, colour, [(table.prefixes, cost(table)) for table in measured.tables])

    straight = [
        (table.prefixes, last.status_s * table.rows / last.rows) for table in measured.tables
    ]
    curves = [
        curve("status, 12 spokes", "#0a6ebd", lambda tables: tables.status_s),
        curve("reading and judging a gateway", "#1a7f37", lambda item: item.reading_s),
        curve("json.loads of its routes", "#bf8700", lambda each: each.decoding_s),
        Curve("straight", "#8c959f", straight, dashed=True),
    ]
    name = "Processor time over the number of prefixes"
    return _diagram(name, f"{name}, eight rows each, seconds", "prefixes", curves)


def _diagram(name: str, title: str, across: str, curves: Sequence[Curve], note: str = "") -> str:
    """Curves over a number, both axes logarithmic."""
    sizes = sorted({size for curve in curves for size, _ in curve.points})
    costs = [seconds for curve in curves for _, seconds in curve.points]
    low, high = math.floor(math.log10(min(costs))), math.ceil(math.log10(max(costs)))
    height, bottom, right = 480.0, 420.0, 240.0
    first = math.log10(sizes[0])
    span = max(math.log10(sizes[-1]) - first, 1.0)

    def x(size: float) -> float:
        return 80 + (WIDTH - 80 - right) * (math.log10(size) - first) / span

    def y(seconds: float) -> float:
        return bottom - (bottom - 60) * (math.log10(seconds) - low) / (high - low)

    parts = [svg.text(80, 28, title, 16)]
    for power in range(low, high + 1):
        parts += [
            svg.line(80, y(10**power), WIDTH - right, y(10**power)),
            svg.text(72, y(10**power) + 4, f"{10**power:,} s", 12, "end"),
        ]
    for size in sizes:
        parts += [
            svg.line(x(size), 60, x(size), bottom),
            svg.text(x(size), bottom + 20, str(size), 12, "middle"),
        ]
    parts.append(svg.text((80 + WIDTH - right) / 2, bottom + 44, across, 12, "middle"))
    for number, curve in enumerate(curves):
        dashes = "5 4" if curve.dashed else None
        drawn = [(x(size), y(seconds)) for size, seconds in curve.points]
        parts.append(svg.polyline(drawn, curve.colour, dashes))
        if not curve.dashed:
            parts += [
                svg.dot(x(size), y(seconds), curve.colour, size in curve.hollow)
                for size, seconds in curve.points
            ]
        at = 70.0 + 22 * number
        left = WIDTH - right + 16
        parts.append(svg.polyline([(left, at), (left + 26, at)], curve.colour, dashes))
        parts.append(svg.text(left + 34, at + 4, curve.name, 12))
    if note:
        parts.append(svg.text(WIDTH - right + 16, 78 + 22 * len(curves), note, 11))
    return render_file(build_picture(WIDTH, height, name, parts))


def _switch_curves(measured: Measured) -> Iterator[Curve]:
    for way, (name, colour) in WAYS.items():
        groups = [
            (size, switches)
            for size in measured.sizes()
            if (switches := measured.list_switches(way, size))
        ]
        if not groups:
            continue
        points = [(size, mean(one.whole_s for one in group)) for size, group in groups]
        hollow = frozenset(size for size, group in groups if group[0].reckoned)
        yield Curve(name, colour, points, hollow=hollow)
        if all(_has_bound(group) for _, group in groups):
            bounds = [(size, mean(s.bound_whole_s or 0.0 for s in group)) for size, group in groups]
            yield Curve(f"bound, {way}", colour, bounds, dashed=True)


def _has_bound(switches: Sequence[Switch]) -> bool:
    return all(switch.bound_whole_s for switch in switches)
