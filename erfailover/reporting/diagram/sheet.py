"""A sheet to draw: cards with lines of text, links between them. Pure values.

What is on a sheet is decided where its subject is known (``site``; the docs' pictures); how
it looks and where everything is placed is ``drawing``'s. Cards are in columns from left to right.
"""

from __future__ import annotations

from dataclasses import dataclass

from erfailover.reporting.marks import Mark


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a card. ``mark`` is drawn before it, as a sign of a different shape for each."""

    text: str
    mark: Mark | None = None
    strong: bool = False
    faint: bool = False
    at_most: int = 1
    """How many lines it may take; what is longer is shortened, and shown in full by its title."""
    rule: bool = False
    """Whether a thin rule is above it."""


@dataclass(frozen=True, slots=True)
class Card:
    """A box of text.

    Attributes:
        id: unique on the sheet.
        column: its place, from the left; cards of one column are above one another.
        heading: small words above the title: what it is.
        mark: its condition; None for what has none.
        active: whether the path in use goes through it.
        title: what a viewer shows when the pointer rests on it.
        kind: what it is, for readers of the SVG's text: ``hub``, ``spokes``.
    """

    id: str
    column: int
    lines: tuple[Line, ...]
    heading: str = ""
    mark: Mark | None = None
    active: bool = False
    title: str = ""
    kind: str = "card"


@dataclass(frozen=True, slots=True)
class Link:
    """A line between two cards, from left to right unless it is an exception.

    Attributes:
        arrow: whether it leads somewhere: order, not adjacency.
        aside: whether it leaves the usual course: drawn so, and not laid out by.
    """

    tail: str
    head: str
    mark: Mark | None = None
    active: bool = False
    arrow: bool = False
    aside: bool = False
    title: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Cards with a frame around them; no two groups share a place."""

    title: str
    cards: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """A line of the sheet's head; ``size`` in pixels."""

    text: str
    size: float = 13.0
    strong: bool = False
    mark: Mark | None = None
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A whole picture.

    Attributes:
        name: its title, for screen readers.
        legend: the signs explained at the bottom, in this order.
        stacks: ids of cards in one column, in this order from the top.
        groups: frames around cards.
        down: whether it reads from above to below; columns are then rows.
        widest: how wide the text of a card may be, in pixels.
    """

    name: str
    head: tuple[Note, ...]
    cards: tuple[Card, ...]
    links: tuple[Link, ...]
    legend: tuple[tuple[Link, str], ...] = ()
    marks: tuple[tuple[Mark, str], ...] = ()
    stacks: tuple[tuple[str, ...], ...] = ()
    groups: tuple[Group, ...] = ()
    down: bool = False
    widest: float = 240.0
