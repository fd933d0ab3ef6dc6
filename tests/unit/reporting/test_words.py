"""The plain text and the shapes that all output shares."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from erfailover.model.counting import join_names
from erfailover.reporting import svg
from erfailover.reporting.words import cut_middle, wrap, wrap_lines


def test_lines_after_the_first_are_indented_as_far_as_the_first() -> None:
    assert wrap("one two three", 11, "  ok  ") == ["  ok  one", "      two", "      three"]


def test_a_name_is_never_broken_at_a_hyphen_and_sticks_out_unless_words_may_be_cut() -> None:
    assert wrap("on vnet1-to-vnet2", 10) == ["on", "vnet1-to-vnet2"]
    assert wrap("on vnet1-to-vnet2", 10, cut_words=True) == ["on", "vnet...et2"]
    assert wrap("vnet1-to-vnet2", 10, "? ", cut_words=True, dots="…") == ["? vnet…et2"]


@pytest.mark.parametrize(
    ("name", "width", "text"),
    [
        ("peer-vnet-erp-prod-001-weu", 26, "peer-vnet-erp-prod-001-weu"),
        ("peer-vnet-erp-prod-001-weu", 15, "peer-v...01-weu"),
        ("abcdef", 4, "abcd"),
        ("abcdef", 0, ""),
    ],
)
def test_a_name_that_is_too_long_keeps_its_beginning_and_its_end(
    name: str, width: int, text: str
) -> None:
    assert cut_middle(name, width) == text


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), (["a", "b"], "a, b"), (["a", "b", "c", "d"], "a, b and 2 more")],
)
def test_names_beyond_the_most_are_counted(names: list[str], text: str) -> None:
    assert join_names(names, 2) == text


def test_whatever_a_name_holds_the_picture_is_xml() -> None:
    shape = svg.add_title("a\x00<b>", svg.draw_rectangle(0, 0.25, 10, 5, fill=None, rx=2))
    read = ElementTree.fromstring(svg.render_markup(shape))
    assert read.findtext("title") == "a\ufffd<b>"
    assert read.attrib == {"x": "0", "y": "0.2", "width": "10", "height": "5", "rx": "2"}


def test_a_line_of_prose_is_broken_at_blanks_and_keeps_its_indent() -> None:
    text = wrap_lines("  one two three four\nfive", 12)
    assert text == "  one two\n    three\n    four\nfive"


@pytest.mark.parametrize(
    "line",
    [
        "  erfailover switch --to ipsec --planned --yes --spoke vnet-prod-weu-erp-001",
        "To go back: erfailover switch --to expressroute --reason because --ticket INC123",
        "  az network vnet peering sync --ids /subscriptions/0000/resourceGroups/rg/providers/x",
    ],
)
def test_a_command_to_be_typed_is_never_broken(line: str) -> None:
    assert wrap_lines(line, 40) == line


def test_a_message_that_begins_with_the_name_of_the_program_is_prose() -> None:
    assert wrap_lines("erfailover: refusing to switch", 20) == "erfailover: refusing\n  to switch"
