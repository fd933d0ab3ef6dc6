"""The shapes of SVG that every picture is made of. Pure.

Elements of the standard library's ElementTree, which escapes whatever a name holds; a text is
never pasted into markup. Coordinates are pixels. An attribute that is None is left out;
``stroke_width=2`` becomes ``stroke-width="2"``, ``class_`` becomes ``class``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree

Element = ElementTree.Element
Attribute = str | float | None
Style = dict[str, Attribute]
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML document may hold, escaped or not (XML 1.0, section 2.2)."""


def clean(text: str) -> str:
    """Return a text as XML may hold it."""
    return NOT_XML.sub("\ufffd", text)


def format_number(value: float) -> str:
    """Return a coordinate, short; the same on every machine."""
    short = f"{value:.1f}".removesuffix(".0")
    return "0" if short == "-0" else short


def build_element(
    tag: str, children: Iterable[Element] = (), /, **attributes: Attribute
) -> Element:
    """Return an element."""
    element = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            text = clean(value) if isinstance(value, str) else format_number(value)
            element.set(name.rstrip("_").replace("_", "-"), text)
    element.extend(children)
    return element


def build_text_element(tag: str, text: str, /, **attributes: Attribute) -> Element:
    """Return an element that holds a text: ``title``, ``desc``, ``style``."""
    element = build_element(tag, **attributes)
    element.text = clean(text)
    return element


def add_title(title: str, element: Element) -> Element:
    """Give an element a title, if any: a viewer shows it when the pointer rests on it."""
    if title:
        element.insert(0, build_text_element("title", title))
    return element


def draw_text(x: float, y: float, line: str, /, **style: Attribute) -> Element:
    """Return a line of text; ``y`` is its base line."""
    return build_text_element("text", line, x=x, y=y, **style)


def draw_rectangle(x: float, y: float, width: float, height: float, **style: Attribute) -> Element:
    """Return a rectangle."""
    return build_element("rect", x=x, y=y, width=width, height=height, **style)


def draw_line(x1: float, y1: float, x2: float, y2: float, **style: Attribute) -> Element:
    """Return a straight line."""
    return build_element("line", x1=x1, y1=y1, x2=x2, y2=y2, **style)


def format_points(places: Iterable[tuple[float, float]]) -> str:
    """Return the ``points`` of a polygon or polyline."""
    return " ".join(f"{format_number(x)},{format_number(y)}" for x, y in places)


def build_picture(
    width: float,
    height: float,
    title: str,
    parts: Iterable[Element],
    description: str = "",
    **style: Attribute,
) -> Element:
    """Return a picture with its own background: it is read in dark viewers too.

    Args:
        width: of the picture.
        height: of the picture.
        title: what it shows, for screen readers.
        parts: what it is made of.
        description: the same at more length.
        style: further attributes of the whole.
    """
    root = build_element(
        "svg",
        viewBox=f"0 0 {format_number(width)} {format_number(height)}",
        width=width,
        height=height,
        role="img",
        **style,
    )
    root.append(build_text_element("title", title))
    root.extend([build_text_element("desc", description)] if description else [])
    root.append(draw_rectangle(0, 0, width, height, fill="#ffffff"))
    root.extend(parts)
    return root


def render_file(picture: Element) -> str:
    """Return a picture as the text of a file."""
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **picture.attrib})
    root.extend(picture)
    ElementTree.indent(root, " ")
    return render_markup(root) + "\n"


def render_markup(root: Element) -> str:
    """Return a picture as text that can be part of a page."""
    return ElementTree.tostring(root, encoding="unicode")
