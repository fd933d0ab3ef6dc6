"""The few shapes of SVG that a picture is made of. Pure.

Elements of the standard library's ElementTree, which escapes whatever a name holds; a text is
never pasted into markup. Coordinates are pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from erfailover.reporting.diagram.layout import Point, Rectangle
from erfailover.reporting.diagram.text_width import FAMILY

Element = ElementTree.Element
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML document may hold, escaped or not (XML 1.0, section 2.2)."""


def clean(text: str) -> str:
    """A text as XML may hold it."""
    return NOT_XML.sub("\ufffd", text)


def number(value: float) -> str:
    """A coordinate, short; the same on every machine."""
    short = f"{value:.1f}".removesuffix(".0")
    return "0" if short == "-0" else short


def element(tag: str, children: Iterable[Element] = (), /, **attributes: str | float) -> Element:
    """An element; ``stroke_width=2`` becomes ``stroke-width="2"``."""
    told = {
        name.rstrip("_").replace("_", "-"): clean(value)
        if isinstance(value, str)
        else number(value)
        for name, value in attributes.items()
    }
    made = Element(tag, told)
    made.extend(children)
    return made


def titled(title: str, parts: Iterable[Element], **attributes: str | float) -> Element:
    """Parts that belong together; the title shows where the pointer rests on them."""
    group = element("g", (), **attributes)
    if title:
        named = element("title")
        named.text = clean(title)
        group.append(named)
    group.extend(parts)
    return group


def text(
    x: float, y: float, words: str, size: float, fill: str, *, bold: bool = False, anchor: str = ""
) -> Element:
    """A line of text; ``y`` is its base line."""
    more: dict[str, str | float] = {"font_weight": "bold"} if bold else {}
    if anchor:
        more["text_anchor"] = anchor
    made = element("text", (), x=x, y=y, font_size=size, fill=fill, **more)
    made.text = clean(words)
    return made


def rectangle(place: Rectangle, radius: float = 0.0, **style: str | float) -> Element:
    """A rectangle."""
    more: dict[str, str | float] = {"rx": radius} if radius else {}
    return element(
        "rect", (), x=place.x, y=place.y, width=place.width, height=place.height, **more, **style
    )


def curve(points: Sequence[Point], **style: str | float) -> Element:
    """A curve through Graphviz's control points: the first, then three for every piece."""
    pairs = [f"{number(each.x)},{number(each.y)}" for each in points]
    return element("path", (), d=f"M{pairs[0]} C{' '.join(pairs[1:])}", fill="none", **style)


def document(
    width: float, height: float, title: str, description: str, parts: Iterable[Element]
) -> str:
    """The whole file, with a background of its own: it is read in dark viewers too."""
    root = element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=width,
        height=height,
        role="img",
        font_family=FAMILY,
    )
    for tag, words in (("title", title), ("desc", description)):
        told = element(tag)
        told.text = clean(words)
        root.append(told)
    root.append(rectangle(Rectangle(0, 0, width, height), fill="#ffffff"))
    root.extend(parts)
    ElementTree.indent(root, " ")
    return ElementTree.tostring(root, encoding="unicode") + "\n"
