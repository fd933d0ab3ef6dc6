"""A picture of what went on over time: lanes with bars, as SVG. Pure.

Owns the drawing; what the lanes are is others' business. The picture needs nothing from elsewhere,
is legible on light and dark ground and on paper, and never tells anything by colour alone: bars
carry a word or a number, and time without an answer is hatched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from erfailover.model.durations import format_duration
from erfailover.reporting.svg import (
    Element,
    add_title,
    build_element,
    build_text_element,
    draw_line,
    draw_rectangle,
    draw_text,
    render_markup,
)

WIDTH, RIGHT, LANE, THICK = 960.0, 28.0, 24.0, 15.0
ROW, AXIS = 17.0, 40.0
LETTER = 6.4
"""About how wide a letter of the picture's text is."""

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "prepare": "1, 2 prepare",
        "break": "3 break",
        "make": "4 make",
        "afterwards": "5 and later",
        "take back": "rolled back",
        "other": "step",
        "failed": "! failed",
        "without": "without a path",
        "lost": "no answer",
    }
)
"""The kinds of bars, and how the legend calls them."""
HATCHED = frozenset({"without", "lost"})
"""Those behind the others, as high as the lane."""
STEPS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)

STYLE = """
.timeline { --ink: #1f2328; --faint: #d0d7de; --ground: #ffffff; --on: #ffffff;
  --prepare: #0a6ebd; --break: #bc4c00; --make: #1a7f37; --afterwards: #6e5494;
  --take-back: #a40e26; --other: #0a6ebd; --failed: #a40e26; --lost: #cf222e; }
@media screen and (prefers-color-scheme: dark) { .timeline {
  --ink: #e6edf3; --faint: #3d444d; --ground: #0d1117; --on: #0d1117;
  --prepare: #58a6ff; --break: #f0883e; --make: #56d364; --afterwards: #d2a8ff;
  --take-back: #ff7b72; --other: #58a6ff; --failed: #ff7b72; --lost: #ff7b72; } }
.timeline text { font: 12px system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; fill: var(--ink); }
.timeline .small { font-size: 11px; paint-order: stroke; stroke: var(--ground);
  stroke-width: 4px; stroke-linejoin: round; }
.timeline .in { font-size: 11px; font-weight: bold; fill: var(--on); }
.timeline .ground { fill: var(--ground); }
.timeline .grid { stroke: var(--faint); }
.timeline .mark { stroke: var(--ink); stroke-dasharray: 3 3; }
.timeline .prepare { fill: var(--prepare); } .timeline .break { fill: var(--break); }
.timeline .make { fill: var(--make); } .timeline .afterwards { fill: var(--afterwards); }
.timeline .take-back { fill: var(--take-back); } .timeline .other { fill: var(--other); }
.timeline .failed { fill: var(--failed); }
.timeline .lost, .timeline .without { fill: url(#hatched); stroke: var(--lost);
  stroke-width: 0.7; }
.timeline .hatch { stroke: var(--lost); stroke-width: 1.4; }
"""


@dataclass(frozen=True)
class Bar:
    """Something that lasted. Times in seconds.

    Attributes:
        kind: one of ``KINDS``.
        ended_s: None if it had not ended.
        label: a few letters inside or beside it.
        title: shown when the pointer rests on it.
    """

    kind: str
    began_s: float
    ended_s: float | None
    label: str = ""
    title: str = ""


@dataclass(frozen=True)
class Lane:
    """One line of the picture."""

    name: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Moment:
    """A moment, in seconds, for all lanes."""

    at_s: float
    label: str


def draw_svg(
    title: str,
    lanes: Sequence[Lane],
    moments: Iterable[Moment],
    first_s: float,
    last_s: float,
    left: float = 150.0,
) -> str:
    """Return the picture as SVG text, to be part of a page.

    Args:
        title: what it shows, for those who cannot see it.
        lanes: from top to bottom.
        moments: drawn through all lanes.
        first_s: where the axis begins, in seconds.
        last_s: where it ends.
        left: how wide the column with the lanes' names is.
    """
    span_s = max(last_s - first_s, 1.0)

    def to_x(seconds: float) -> float:
        share = min(max((seconds - first_s) / span_s, 0.0), 1.0)
        return left + (WIDTH - left - RIGHT) * share

    placed = _place_moments(moments, to_x)
    rows = 1 + max((row for _, row in placed), default=-1)
    top = 30.0 + ROW * rows + 8
    bottom = top + LANE * len(lanes)
    height = bottom + AXIS
    parts = [
        build_text_element("title", title),
        build_text_element("style", STYLE),
        _draw_hatching(),
        draw_rectangle(0, 0, WIDTH, height, class_="ground"),
        *_draw_legend(lanes),
        *_draw_axis(to_x, first_s, last_s, top, bottom),
    ]
    for number, lane in enumerate(lanes):
        parts += _draw_lane(lane, to_x, top + LANE * number, left, last_s)
    for moment, row in placed:
        at = to_x(moment.at_s)
        parts.append(draw_line(at, 30.0 + ROW * row, at, bottom, class_="mark"))
    parts += [_draw_moment(moment, to_x(moment.at_s), 30.0 + ROW * row) for moment, row in placed]
    view = f"0 0 {WIDTH:g} {height:g}"
    return render_markup(
        build_element("svg", parts, viewBox=view, class_="timeline", role="img", aria_label=title)
    )


def _draw_hatching() -> Element:
    path = build_element("path", d="M0,5 L5,0", class_="hatch")
    units = "userSpaceOnUse"
    pattern = build_element("pattern", [path], id="hatched", width=5, height=5, patternUnits=units)
    return build_element("defs", [pattern])


def _draw_legend(lanes: Iterable[Lane]) -> Iterator[Element]:
    used = {bar.kind for lane in lanes for bar in lane.bars}
    at = 4.0
    for kind, text in KINDS.items():
        if kind in used:
            yield draw_rectangle(at, 5, 13, 13, class_=_format_class(kind))
            yield _draw_text(at + 18, 16, text, "small")
            at += 34 + LETTER * len(text)


def _draw_axis(
    x: Callable[[float], float], first_s: float, last_s: float, top: float, bottom: float
) -> Iterator[Element]:
    step_s = round_step((last_s - first_s) / 9)
    at_s = math.ceil(first_s / step_s) * step_s
    while at_s <= last_s:
        yield draw_line(x(at_s), top, x(at_s), bottom, class_="grid")
        yield _draw_text(x(at_s), bottom + 16, format_tick(at_s), "small", "middle")
        at_s += step_s
    yield _draw_text(WIDTH - RIGHT, bottom + 33, "since the first write", "small", "end")


def _draw_lane(
    lane: Lane, x: Callable[[float], float], top: float, left: float, last_s: float
) -> Iterator[Element]:
    most = int((left - 12) / LETTER)
    cut = len(lane.name) > most
    name = _draw_text(
        left - 8, top + 16, f"{lane.name[: most - 1]}…" if cut else lane.name, None, "end"
    )
    yield add_title(lane.name if cut else "", name)
    for bar in lane.bars:
        ended_s = last_s if bar.ended_s is None else bar.ended_s
        wide = max(x(ended_s) - x(bar.began_s), 2.0)
        y, high = (top + 1, LANE - 2) if bar.kind in HATCHED else (top + 4.5, THICK)
        drawn = draw_rectangle(x(bar.began_s), y, wide, high, class_=_format_class(bar.kind))
        yield add_title(bar.title or bar.label, drawn)
        if bar.label and wide > LETTER * len(bar.label) + 4:
            yield _draw_text(x(bar.began_s) + wide / 2, top + 16, bar.label, "in", "middle")


def _place_moments(
    moments: Iterable[Moment], x: Callable[[float], float]
) -> list[tuple[Moment, int]]:
    """Return the moments, each with the row of its words, so that none covers another's."""
    ends: list[float] = []
    placed = []
    for moment in sorted(moments, key=lambda item: item.at_s):
        began, ended = _compute_reach(moment, x(moment.at_s))
        free = (row for row, end in enumerate(ends) if end + 8 < began)
        row = next(free, len(ends))
        ends[row : row + 1] = [ended]
        placed.append((moment, row))
    return placed


def _compute_reach(moment: Moment, at: float) -> tuple[float, float]:
    """From where to where a moment's words reach: right of it, or left near the edge."""
    wide = LETTER * len(moment.label)
    return (at, at + wide) if at + wide < WIDTH else (at - wide, at)


def _draw_moment(moment: Moment, at: float, top: float) -> Element:
    began, _ = _compute_reach(moment, at)
    if began < at:
        return _draw_text(at - 4, top + 11, moment.label, "small", "end")
    return _draw_text(at + 4, top + 11, moment.label, "small")


def round_step(desired: float) -> float:
    """Return a round number of seconds that is not smaller, as far as there is one."""
    return next((item for item in STEPS_S if item >= desired), STEPS_S[-1])


def format_tick(seconds: float) -> str:
    """Return a moment on the axis: ``0.5 s``, ``1 min 15 s``; negative before the first write."""
    sign, length_s = "-" if seconds < 0 else "", abs(seconds)
    return sign + (f"{length_s:g} s" if length_s % 1 else format_duration(length_s))


def _format_class(kind: str) -> str:
    return kind.replace(" ", "-")


def _draw_text(x: float, y: float, text: str, class_: str | None, anchor: str = "start") -> Element:
    return draw_text(x, y, text, text_anchor=anchor, class_=class_)
