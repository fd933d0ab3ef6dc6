"""Where boxes are and how the lines between them run: Graphviz's ``dot``, in process. Pure.

pygraphviz's wheels include Graphviz: no program on the machine is looked for or started. Graphviz
gets only sizes, no text: the layout does not depend on fonts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from erfailover.errors import UsageFailure

POINTS = 72.0
"""Graphviz takes sizes in inches and gives places in points; a point is a pixel here."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a box is, in pixels."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Point:
    """A place, in pixels from the upper left corner."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Where a box is."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is.

    Attributes:
        boxes: by id.
        lines: control points of cubic Bezier curves, in the order of the lines asked for: the
            first point, then three for every piece.
    """

    size: Size
    boxes: dict[str, Rectangle]
    lines: tuple[tuple[Point, ...], ...]


def load_library() -> Any:
    """Return pygraphviz.

    Raises:
        UsageFailure: it is not installed, or cannot be loaded.
    """
    try:
        import pygraphviz
    except ImportError as error:
        raise UsageFailure(
            f"erfailover diagram needs the package pygraphviz: {error}",
            "Install it: pip install 'erfailover[diagram]'. The picture in erfailover status "
            "does not need it.",
        ) from None
    return pygraphviz


def arrange(
    boxes: dict[str, Size],
    columns: Iterable[Sequence[str]],
    lines: Sequence[tuple[str, str, bool]],
    stacks: Iterable[Sequence[str]] = (),
    gaps: tuple[float, float] = (44.0, 18.0),
    *,
    down: bool = False,
) -> Layout:
    """Lay out boxes in columns, with as few crossings of lines as can be.

    The same arguments give the same places.

    Args:
        boxes: the size of each, by id.
        columns: the ids of each column, from left to right.
        lines: from which box to which, and whether the line affects where they are.
        stacks: boxes of one column in this order, from the top.
        gaps: at least between columns, and between the boxes of one.
        down: whether columns are rows, from above to below.

    Raises:
        UsageFailure: as ``load_library``.
    """
    graph = load_library().AGraph(directed=True, strict=False)
    graph.graph_attr.update(
        rankdir="TB" if down else "LR",
        ranksep=f"{gaps[0] / POINTS}",
        nodesep=f"{gaps[1] / POINTS}",
        splines="true",
        newrank="true",
    )
    graph.node_attr.update(shape="box", fixedsize="true", label="")
    graph.edge_attr.update(arrowhead="none")
    for name, size in boxes.items():
        graph.add_node(name, width=f"{size.width / POINTS}", height=f"{size.height / POINTS}")
    first = []
    for column in columns:
        graph.add_subgraph(list(column), rank="same")
        first.append(column[0])
    for remaining, right in pairwise(first):
        graph.add_edge(remaining, right, key=f"column/{right}", style="invis", weight="0")
    for stack in stacks:
        for upper, lower in pairwise(stack):
            graph.add_edge(upper, lower, key=f"stack/{lower}", style="invis")
    for number, (tail, head, counts) in enumerate(lines):
        ports = ("s", "n") if down and counts else ("e", "w")
        graph.add_edge(
            tail,
            head,
            key=f"line/{number}",
            tailport=ports[0],
            headport=ports[1],
            constraint=_format_bool(counts),
        )
    graph.layout(prog="dot")
    return _read(graph, boxes, lines)


def _format_bool(flag: bool) -> str:
    return "true" if flag else "false"


def _read(graph: Any, boxes: dict[str, Size], lines: Sequence[tuple[str, str, bool]]) -> Layout:
    """Return what Graphviz has decided, its y axis turned over."""
    _, _, width, height = map(float, graph.graph_attr["bb"].split(","))
    placed = {}
    for name, size in boxes.items():
        x, y = map(float, graph.get_node(name).attr["pos"].split(","))
        left, top = x - size.width / 2, height - y - size.height / 2
        placed[name] = Rectangle(left, top, size.width, size.height)
    curves = []
    for number, (tail, head, _) in enumerate(lines):
        text = graph.get_edge(tail, head, f"line/{number}").attr["pos"]
        points = [word.split(",") for word in text.split() if word[0] not in "es"]
        curves.append(tuple(Point(float(x), height - float(y)) for x, y in points))
    return Layout(Size(width, height), placed, tuple(curves))
