"""How a sheet of cards looks, as SVG. Pure.

Owns sizes, colours and signs, but no content. A state is never shown by colour alone:
each has a sign of a different shape and a different stroke, and the card says it in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from erfailover.reporting import svg
from erfailover.reporting.diagram.layout import Layout, Point, Rectangle, Size, arrange
from erfailover.reporting.diagram.sheet import Card, Group, Line, Link, Note, Sheet
from erfailover.reporting.diagram.text_width import FAMILY, measure_width, shorten_text, wrap_text
from erfailover.reporting.marks import Mark

INK, FAINT_INK, RULE = "#1f2328", "#57606a", "#d0d7de"
ACTIVE, ACTIVE_FILL = "#0b5cad", "#eaf3fc"
COLOUR = {
    Mark.SOUND: "#1a7f37",
    Mark.DEGRADED: "#9a6700",
    Mark.BROKEN: "#b3001b",
    Mark.UNKNOWN: "#6639a6",
    Mark.ABSENT: "#8c959f",
}
DASHES = {
    Mark.DEGRADED: "12 4",
    Mark.BROKEN: "7 5",
    Mark.UNKNOWN: "2 5",
    Mark.ABSENT: "2 5",
}
SIZE, HEADING_SIZE, LEADING = 12.0, 10.0, 17.0
PADDING, SIGN, MARGIN = 10.0, 15.0, 24.0
NARROWEST = 90.0
"""How wide the text of a card is at least."""
LEGEND_STEP = 26.0
GAP = 40.0
LEAST_SCALE = 0.6
"""As part of a page, a sheet is not shown smaller than this: a page scrolls instead."""


@dataclass(frozen=True, slots=True)
class Row:
    """One drawn row of text of a card."""

    text: str
    line: Line
    first: bool
    """Whether its line begins with it: only then its mark and its rule are drawn."""


@dataclass(frozen=True, slots=True)
class Block:
    """A card, measured."""

    card: Card
    rows: tuple[Row, ...]
    size: Size


def draw(sheet: Sheet) -> str:
    """Return a sheet as an SVG file; the same sheet gives the same file.

    Raises:
        UsageFailure: what lays it out is not installed.
    """
    return svg.render_file(_draw_sheet(sheet, ""))


def render_inline(sheet: Sheet, prefix: str) -> str:
    """Return a sheet as SVG that is part of a page: as wide as the page, but never illegible.

    Args:
        sheet: what is drawn.
        prefix: what ids begin with, so that each is unique on the page.

    Raises:
        UsageFailure: what lays it out is not installed.
    """
    drawn = _draw_sheet(sheet, prefix)
    least = LEAST_SCALE * float(drawn.attrib.pop("width"))
    del drawn.attrib["height"]
    drawn.set("class", "diagram")
    drawn.set("style", f"min-width: {svg.format_number(least)}px")
    return svg.render_markup(drawn)


def _draw_sheet(sheet: Sheet, prefix: str) -> svg.Element:
    blocks = {card.id: _measure_card(card, sheet.widest) for card in sheet.cards}
    numbers = sorted({card.column for card in sheet.cards})
    columns = [[card.id for card in sheet.cards if card.column == number] for number in numbers]
    placed = arrange(
        {name: block.size for name, block in blocks.items()},
        columns,
        [(link.tail, link.head, not link.aside) for link in sheet.links],
        sheet.stacks,
        _compute_gaps(sheet),
        down=sheet.down,
    )
    room = max(placed.size.width, _compute_legend_width(sheet), 640.0)
    head, head_height = _draw_head(sheet.head, room)
    legend, legend_height = _draw_legend(sheet, room)
    below = MARGIN + head_height + placed.size.height
    shift = (room - placed.size.width) / 2
    parts = [
        *head,
        svg.build_element(
            "g",
            [
                *_draw_groups(sheet.groups, placed),
                *_draw_links(sheet.links, placed),
                *_draw_cards(blocks, placed, prefix),
            ],
            transform=f"translate({svg.format_number(MARGIN + shift)} "
            f"{svg.format_number(MARGIN + head_height)})",
        ),
        svg.build_element(
            "g",
            legend,
            transform=f"translate({svg.format_number(MARGIN)} {svg.format_number(below)})",
        ),
    ]
    text = " ".join(note.text for note in sheet.head)
    full = below + legend_height + MARGIN
    return svg.build_picture(room + 2 * MARGIN, full, sheet.name, parts, text, font_family=FAMILY)


def _draw_groups(groups: Sequence[Group], placed: Layout) -> Iterator[svg.Element]:
    """Yield a frame around the cards of each group, its title in the upper left corner."""
    for group in groups:
        boxes = [placed.boxes[name] for name in group.cards]
        left, top = min(box.x for box in boxes) - 12, min(box.y for box in boxes) - 22
        right = max(box.x + box.width for box in boxes) + 12
        bottom = max(box.y + box.height for box in boxes) + 8
        edge: svg.Style = {"fill": "#f6f8fa", "stroke": RULE, "stroke_width": 1.2}
        parts = [
            svg.draw_rectangle(left, top, right - left, bottom - top, rx=8, **edge),
            _draw_text(left + 10, top + 15, group.title, 11, FAINT_INK, bold=True),
        ]
        yield svg.build_element("g", parts, class_="group")


def _compute_gaps(sheet: Sheet) -> tuple[float, float]:
    """Between columns, wider if many lines run there; and between the cards of one."""
    if sheet.down:
        return GAP, GAP
    return GAP + min(max(0.0, 4.0 * (len(sheet.cards) - 12)), GAP), 18.0


def _measure_card(card: Card, widest: float) -> Block:
    rows = tuple(row for line in card.lines for row in _build_rows(line, widest))
    widths = [
        measure_width(row.text, SIZE, bold=row.line.strong) + (SIGN if row.line.mark else 0.0)
        for row in rows
    ]
    heading = measure_width(card.heading, HEADING_SIZE) + (SIGN + 6.0 if card.mark else 0.0)
    rules = sum(4.0 for row in rows if row.line.rule and row.first)
    return Block(
        card,
        rows,
        Size(
            max([NARROWEST, heading, *widths]) + 2 * PADDING + 2.0,
            len(rows) * LEADING + rules + (LEADING - 1 if card.heading else 0) + 2 * PADDING - 6,
        ),
    )


def _build_rows(line: Line, widest: float) -> Iterator[Row]:
    room = widest - (SIGN if line.mark else 0.0)
    if line.at_most > 1:
        texts = wrap_text(line.text, SIZE, room, line.at_most, bold=line.strong)
    else:
        texts = (shorten_text(line.text, SIZE, room, bold=line.strong),)
    for place, text in enumerate(texts):
        yield Row(text, line, place == 0)


def _draw_cards(blocks: dict[str, Block], placed: Layout, prefix: str) -> Iterator[svg.Element]:
    for name, block in blocks.items():
        card, place = block.card, placed.boxes[name]
        words = " ".join(
            [card.kind, *(["active"] if card.active else []), str(card.mark or "plain")]
        )
        group = svg.build_element("g", _draw_card(block, place), class_=words, id=f"{prefix}{name}")
        yield svg.add_title(card.title, group)


def _draw_card(block: Block, place: Rectangle) -> Iterator[svg.Element]:
    card = block.card
    stroke, thick, fill = "#8c959f", 1.2, "#ffffff"
    dashes = None
    if card.active:
        stroke, thick, fill = ACTIVE, 2.4, ACTIVE_FILL
    if card.mark in DASHES:
        stroke, thick = COLOUR[card.mark], 2.4 if card.mark is not Mark.ABSENT else 1.2
        dashes = DASHES[card.mark] if card.mark is not Mark.DEGRADED else None
    if card.mark is Mark.BROKEN:
        fill = "#fff1f1"
    edge: svg.Style = {"stroke": stroke, "stroke_width": thick, "stroke_dasharray": dashes}
    yield svg.draw_rectangle(place.x, place.y, place.width, place.height, rx=6, fill=fill, **edge)
    if card.mark:
        yield draw_sign(Point(place.x + place.width - PADDING - 5, place.y + 14), card.mark)
    y = place.y + PADDING + 9
    if card.heading:
        yield _draw_text(place.x + PADDING, y - 1, card.heading, HEADING_SIZE, FAINT_INK)
        y += LEADING - 1
    for row in block.rows:
        x = place.x + PADDING
        if row.line.rule and row.first:
            yield svg.draw_rectangle(x, y - 11, place.width - 2 * PADDING, 1, fill=RULE)
            y += 4
        if row.line.mark:
            if row.first:
                yield draw_sign(Point(x + 5, y - 4), row.line.mark)
            x += SIGN
        fill = FAINT_INK if row.line.faint or card.mark is Mark.ABSENT else INK
        yield _draw_text(x, y, row.text, SIZE, fill, bold=row.line.strong)
        y += LEADING


def _draw_text(
    x: float, y: float, line: str, size: float, fill: str, *, bold: bool = False
) -> svg.Element:
    weight = "bold" if bold else None
    return svg.draw_text(x, y, line, font_size=size, fill=fill, font_weight=weight)


def _draw_curve(points: Sequence[Point], **style: svg.Attribute) -> svg.Element:
    """Return a curve through Graphviz's control points: the first, then three for every piece."""
    first, *others = (svg.format_points([(point.x, point.y)]) for point in points)
    return svg.build_element("path", d=f"M{first} C{' '.join(others)}", fill="none", **style)


def draw_sign(at: Point, mark: Mark, radius: float = 6.0) -> svg.Element:
    """Draw the sign of a mark: a tick, exclamation mark, cross, question mark, or empty ring."""
    colour = COLOUR[mark]
    if mark is Mark.ABSENT:
        edge: svg.Style = {
            "r": radius - 1,
            "fill": "#ffffff",
            "stroke": colour,
            "stroke_width": 1.4,
        }
        ring = svg.build_element("circle", cx=at.x, cy=at.y, **edge)
        return svg.build_element("g", [ring], class_="sign absent")
    strokes = {
        Mark.SOUND: "M-3,0.2 L-0.8,2.6 L3.2,-2.6",
        Mark.DEGRADED: "M0,-3.8 L0,0.8 M0,3 L0,3.4",
        Mark.BROKEN: "M-2.6,-2.6 L2.6,2.6 M2.6,-2.6 L-2.6,2.6",
        Mark.UNKNOWN: "M-2,-1.6 A2.1,2.1 0 1 1 0.9,0.2 Q0,0.8 0,1.6 M0,3.4 L0,3.8",
    }
    body = svg.build_element("circle", r=radius, fill=colour)
    if mark is Mark.DEGRADED:
        body = svg.build_element("path", d="M0,-7.4 L7.4,6 L-7.4,6 Z", fill=colour)
    elif mark is Mark.BROKEN:
        body = svg.draw_rectangle(-radius, -radius, 2 * radius, 2 * radius, rx=2, fill=colour)
    white: svg.Style = {"stroke": "#ffffff", "stroke_width": 1.8, "stroke_linecap": "round"}
    stroke = svg.build_element("path", d=strokes[mark], fill="none", **white)
    where = f"translate({svg.format_number(at.x)} {svg.format_number(at.y)})"
    return svg.build_element("g", [body, stroke], transform=where, class_=f"sign {mark}")


def _draw_links(links: Sequence[Link], placed: Layout) -> Iterator[svg.Element]:
    drawn = sorted(zip(links, placed.lines, strict=True), key=lambda pair: pair[0].active)
    for link, points in drawn:
        parts = [_draw_curve(points, **_build_stroke(link))]
        if link.arrow:
            parts.append(_draw_arrow_head(points, str(_build_stroke(link)["stroke"])))
        if link.mark in DASHES and link.mark is not Mark.ABSENT:
            parts.append(draw_sign(_find_middle(points), link.mark, 7.0))
        words = " ".join(["link", *(["active"] if link.active else []), str(link.mark or "plain")])
        yield svg.add_title(link.title, svg.build_element("g", parts, class_=words))


def _build_stroke(link: Link) -> svg.Style:
    colour = ACTIVE if link.active else FAINT_INK if link.arrow else "#8c959f"
    thin = 2.2 if link.arrow else 1.6
    style: svg.Style = {"stroke_width": 4.5 if link.active else thin}
    if link.mark in DASHES:
        colour = COLOUR[link.mark]
        style["stroke_dasharray"] = DASHES[link.mark]
    if link.aside:
        style["stroke_dasharray"] = "5 4"
    return {"stroke": colour, **style}


def _draw_arrow_head(points: Sequence[Point], colour: str) -> svg.Element:
    """Return a triangle at the end of a curve, in the direction in which it arrives."""
    end, before = (
        points[-1],
        next((point for point in reversed(points[:-1]) if point != points[-1]), points[0]),
    )
    dx, dy = end.x - before.x, end.y - before.y
    long = max((dx * dx + dy * dy) ** 0.5, 0.01)
    ux, uy = dx / long, dy / long
    corners = [
        (end.x, end.y),
        (end.x - 9 * ux + 4.5 * uy, end.y - 9 * uy - 4.5 * ux),
        (end.x - 9 * ux - 4.5 * uy, end.y - 9 * uy + 4.5 * ux),
    ]
    return svg.build_element("polygon", points=svg.format_points(corners), fill=colour)


def _find_middle(points: Sequence[Point]) -> Point:
    """Return the middle of a curve, near enough for a sign: that of its middle piece."""
    pieces = (len(points) - 1) // 3
    a, b, c, d = points[3 * (pieces // 2) : 3 * (pieces // 2) + 4]
    if pieces % 2 == 0:
        return a
    return Point((a.x + 3 * b.x + 3 * c.x + d.x) / 8, (a.y + 3 * b.y + 3 * c.y + d.y) / 8)


def _draw_head(notes: Sequence[Note], room: float) -> tuple[list[svg.Element], float]:
    """Return the lines above the picture, and how high they are."""
    parts, y = [], MARGIN
    for note in notes:
        indent = SIGN + 6.0 if note.mark else 0.0
        lines = wrap_text(note.text, note.size, room - indent, 3, bold=note.strong)
        for place, line in enumerate(lines):
            y += note.size * 1.4
            if note.mark and place == 0:
                parts.append(draw_sign(Point(MARGIN + 8, y - note.size * 0.36), note.mark, 7.0))
            fill = FAINT_INK if note.faint else INK
            parts.append(_draw_text(MARGIN + indent, y, line, note.size, fill, bold=note.strong))
        y += 3
    return parts, y - MARGIN + 18


def _list_legend_items(sheet: Sheet) -> Iterator[tuple[Link | Mark, str, float]]:
    """Yield what the legend explains, and how wide each is."""
    for link, words in sheet.legend:
        yield link, words, 44 + measure_width(words, 11) + 24
    for mark, words in sheet.marks:
        yield mark, words, 22 + measure_width(words, 11) + 24


def _compute_legend_width(sheet: Sheet) -> float:
    """How wide the legend is in two lines."""
    items = [wide for _, _, wide in _list_legend_items(sheet)]
    return sum(items) / 2 + max(items, default=0.0) / 2


def _draw_legend(sheet: Sheet, room: float) -> tuple[list[svg.Element], float]:
    """Return the signs and strokes in words, in as many lines as they take."""
    parts: list[svg.Element] = []
    x, y = 0.0, LEGEND_STEP
    for what, words, wide in _list_legend_items(sheet):
        if x and x + wide > room:
            x, y = 0.0, y + LEGEND_STEP - 6
        if isinstance(what, Link):
            points = [Point(x + number, y - 4) for number in (0, 12, 24, 36)]
            parts += _draw_links([what], Layout(Size(0, 0), {}, (tuple(points),)))
            parts.append(_draw_text(x + 44, y, words, 11, FAINT_INK))
        else:
            parts.append(draw_sign(Point(x + 8, y - 4), what))
            parts.append(_draw_text(x + 22, y, words, 11, FAINT_INK))
        x += wide
    return parts, y if parts else 0.0
