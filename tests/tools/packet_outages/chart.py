"""The picture: the outage of every measured switch, by packets, on the model, by the report.

Pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from erfailover.reporting.svg import Element, build_picture, render_file
from tests.tools.bench import svg
from tests.tools.packet_outages.rows import Row, iter_cases

WIDTH, LEFT, RIGHT, TOP, LANE, GAP = 960.0, 190.0, 24.0, 84.0, 18.0, 14.0
PACKETS, MODEL, REPORT = "#0a6ebd", "#1a7f37", "#bf8700"
LEGEND = (("by packets", PACKETS), ("on the model", MODEL), ("by the report", REPORT))
_BAR = 10.0


def draw(rows: Sequence[Row]) -> str:
    """Return the picture as the text of an SVG file."""
    longest_s = max(value for row in rows for value in (row.packets_s, row.model_s, row.report_s))
    step_s = _round_step(longest_s / 8)
    end_s = step_s * math.ceil(longest_s / step_s)
    groups = list(iter_cases(rows))
    bottom = TOP + LANE * len(rows) + GAP * len(groups)

    def x(seconds: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * seconds / end_s

    parts = [
        svg.text(LEFT, 24, "Outage of one spoke, each switch with one draw of durations", 16),
        *_draw_legend(),
    ]
    for number in range(round(end_s / step_s) + 1):
        at = x(number * step_s)
        parts += [
            svg.line(at, TOP - 8, at, bottom),
            svg.text(at, bottom + 16, f"{number * step_s:g} s", 11, "middle"),
        ]
    top = TOP
    for case, chosen in groups:
        parts.append(svg.text(LEFT - 12, top + 12, str(case), 12, "end"))
        for row in chosen:
            parts += _draw_row(row, x, top)
            top += LANE
        top += GAP
    name = "Outages of switches by packets, on the model and by the report"
    return render_file(build_picture(WIDTH, bottom + 30, name, parts))


def _draw_row(row: Row, x: Callable[[float], float], top: float) -> Iterator[Element]:
    title = (
        f"seed {row.seed}: by packets {row.packets_s:.1f} s ({row.lost} lost), "
        f"on the model {row.model_s:.1f} s, by the report {row.report_s:.1f} s"
    )
    yield svg.rectangle(
        x(0), top + (LANE - _BAR) / 2, x(row.packets_s) - x(0), _BAR, "#cfe3f5", title
    )
    middle = top + LANE / 2
    yield svg.dot(x(row.report_s), middle, REPORT, hollow=True)
    yield svg.dot(x(row.model_s), middle, MODEL, hollow=True)
    yield svg.dot(x(row.packets_s), middle, PACKETS)


def _draw_legend() -> Iterator[Element]:
    at = LEFT
    for name, colour in LEGEND:
        yield svg.dot(at + 6, 46, colour, hollow=colour is not PACKETS)
        yield svg.text(at + 18, 50, name, 12)
        at += 130


def _round_step(desired: float) -> float:
    scale = 10.0 ** math.floor(math.log10(max(desired, 0.1)))
    return next(scale * number for number in (1, 2, 5, 10) if scale * number >= desired)
