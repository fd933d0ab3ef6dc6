"""The topology drawn with characters: spokes, hubs, far ends, and what leads from one to another.

Pure: a ``Picture`` in, text out. Spokes are on the left, the hubs in the middle, one above the
other, the far ends on the right. Double lines are the path in use. A problem is shown
by a sign and by a word; colour only repeats it.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from rich.text import Text

from erfailover.model.site import Role
from erfailover.reporting.screen import Screen
from erfailover.reporting.terminal import parts
from erfailover.reporting.terminal.boxes import draw_box, draw_line, join
from erfailover.reporting.topology.model import HubPicture, Picture

WIDEST = 120
LINK_AT = 2
"""In which row of a hub's box what leads to it arrives; the rows beside it hold its words."""


@dataclass(frozen=True, slots=True)
class Columns:
    """How wide each column is; together as wide as the screen, up to the widest."""

    side: int
    link: int
    hub: int

    @classmethod
    def from_width(cls, width: int) -> Columns:
        """Return the columns for a screen: 80 is 19, 10, 22, 10, 19."""
        more = max(min(width, WIDEST) - 80, 0)
        side, link_ = 19 + more // 5, 10 + more // 10
        return cls(side, link_, min(width, WIDEST) - 2 * side - 2 * link_)


def draw_picture(
    picture: Picture, screen: Screen, changed: Set[str] = frozenset(), *, brief: bool = False
) -> str:
    """Return the picture, as many columns wide as the screen, up to 120; with its legend.

    Args:
        picture: the site to draw.
        screen: what it is shown on.
        changed: the keys of what is to be marked as changed; see ``changes``.
        brief: leave out the types of the gateways, which saves lines.
    """
    columns = Columns.from_width(screen.width)
    hubs = [_draw_hub(picture, hub, columns, screen, changed, brief=brief) for hub in picture.hubs]
    height = sum(len(texts) for texts in hubs)
    content = parts.draw_spokes(picture, columns.side - 4, height - 2, screen, changed)
    title = "spoke" if len(picture.spokes) == 1 else f"{len(picture.spokes)} spokes"
    remaining = draw_box(title, content, columns.side, height, screen)
    rights = _draw_far_ends(picture, [len(texts) for texts in hubs], columns, screen)
    rows: list[Text] = []
    for hub, drawn in zip(picture.hubs, hubs, strict=True):
        inward = parts.describe_peerings(picture, hub.role, changed)
        outward = parts.describe_sessions(hub, changed)
        top = len(rows)
        for number, row in enumerate(drawn):
            before, after = remaining[top + number], rights[top + number]
            if number == LINK_AT:
                before = join(before, inward.stroke, screen, at_end=True)
                row = join(row, inward.stroke, screen, at_end=False, strong=hub.active)
                row = join(row, outward.stroke, screen, at_end=True, strong=hub.active)
                after = join(after, outward.stroke, screen, at_end=False)
            to, on = (
                _draw_between(label, number, columns.link, screen) for label in (inward, outward)
            )
            rows.append(Text.assemble(before, to, row, on, after))
    rows.append(parts.draw_legend(rows, screen, changed=bool(changed)))
    return "\n".join(screen.render(row) for row in rows)


def _draw_between(words: parts.LinkLabel, row: int, width: int, screen: Screen) -> Text:
    """Return the text between two boxes in a row: a word, the line, a word, or nothing."""
    if row == LINK_AT:
        return draw_line(words.stroke, words.mark, width, screen)
    if row == LINK_AT - 1:
        return Text(_center(words.above, width))
    if row == LINK_AT + 1:
        return Text(_center(words.below, width), screen.get_style(words.mark))
    return Text(" " * width)


def _center(text: str, width: int) -> str:
    """Return a text in the middle of a line; if it is too long, without its star or its count."""
    if len(text) > width:
        text = text.removesuffix(f" {parts.CHANGED}")
    count, _, word = text.partition(" ")
    if len(text) > width and count.isdigit():
        text = word
    return text.center(width)[:width]


def _draw_hub(
    picture: Picture,
    hub: HubPicture,
    columns: Columns,
    screen: Screen,
    changed: Set[str],
    *,
    brief: bool,
) -> list[Text]:
    content = parts.draw_hub(picture, hub, columns.hub - 4, screen, changed, brief=brief)
    title = parts.format_hub_title(hub, columns.hub - 4, screen)
    return draw_box(title, content, columns.hub, 0, screen, strong=hub.active)


def _draw_far_ends(
    picture: Picture, heights: Sequence[int], columns: Columns, screen: Screen
) -> list[Text]:
    """Return the far ends: one box if both hubs lead to the same, otherwise one for each hub."""
    if parts.has_shared_far_end(picture):
        content = parts.draw_far_end(
            picture, Role.PRIMARY, columns.side - 4, sum(heights) - 2, screen
        )
        return draw_box("far end", content, columns.side, sum(heights), screen)
    texts: list[Text] = []
    for hub, height in zip(picture.hubs, heights, strict=True):
        content = parts.draw_far_end(picture, hub.role, columns.side - 4, height - 2, screen)
        texts += draw_box("far end", content, columns.side, height, screen)
    return texts
