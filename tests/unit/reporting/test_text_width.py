"""How wide a text is, and how it is made to fit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from erfailover.reporting.diagram.text_width import measure_width, shorten_text, wrap_text

WORDS = some.text(max_size=120)
ROOM = some.floats(min_value=20, max_value=400)


def test_a_bold_text_is_wider_and_a_chinese_character_is_as_wide_as_high() -> None:
    assert measure_width("vnet1", 12, bold=True) > measure_width("vnet1", 12)
    assert measure_width("中", 12) >= 12


def test_a_name_too_long_loses_its_middle_and_keeps_both_ends() -> None:
    short = shorten_text("peer-vnet-erp-to-hub-west-europe", 12, 120)
    assert short.startswith("peer-vne")
    assert short.endswith("europe")
    assert measure_width(short, 12) <= 120


def test_a_text_of_more_lines_than_may_be_ends_with_an_ellipsis() -> None:
    lines = wrap_text("vng1 has not learned 10.5.0.0/16 by BGP, and never did so far", 12, 120, 2)
    assert len(lines) == 2
    assert lines[-1].endswith("…")


@given(WORDS, ROOM, some.integers(1, 4), some.booleans())
def test_whatever_the_text_every_line_fits_or_is_an_ellipsis(
    words: str, room: float, at_most: int, bold: bool
) -> None:
    lines = wrap_text(words, 12, room, at_most, bold=bold)
    assert 1 <= len(lines) <= at_most
    assert all(line == "…" or measure_width(line, 12, bold=bold) <= room for line in lines)


@given(WORDS, ROOM)
def test_what_fits_is_left_as_it_is(words: str, room: float) -> None:
    short = shorten_text(words, 12, room)
    assert (short == words) == (measure_width(words, 12) <= room) or len(words) < 2
