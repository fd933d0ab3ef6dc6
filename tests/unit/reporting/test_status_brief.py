"""The short status: it fits 24 lines of 80 columns, says what does not hold, breaks no word."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product

import pytest

from erfailover.model.circuits import Circuits, Connection
from erfailover.model.observed import Reading, SiteSnapshot
from erfailover.model.site import Role, Site
from erfailover.planning.health import judge
from erfailover.reporting.screen import Screen
from erfailover.reporting.status import text as status_text
from erfailover.reporting.status.brief import LINES, format_brief
from erfailover.reporting.topology.build import build_picture
from erfailover.reporting.topology.model import Picture
from tests.support.long_names import LENGTHS, long_site, make_long_snapshot
from tests.support.pictures import dark, healthy
from tests.support.sites import site

NARROW, WIDE, ASCII = Screen(80), Screen(120), Screen(80, drawing=False)
SCREENS = (NARROW, WIDE, ASCII, Screen(100))
DRILL = "*** A DRILL IS RUNNING: the BGP peering address of lng1 is unused\n*** To stop it: x"
STATES: list[tuple[int, int, bool, bool]] = [
    (spokes, kinds, is_dark, is_missing)
    for spokes, kinds in ((1, 1), (12, 1), (12, 3), (12, 6), (300, 1), (300, 6))
    for is_dark, is_missing in product((False, True), repeat=2)
]


def make_picture(of: Site, snapshot: SiteSnapshot) -> Picture:
    tunnels = [
        Connection(f"/c/{n}", f"cn-{of.spokes[0].name}-{n}", "IPsec", "Succeeded", Reading(state))
        for n, state in enumerate(("Connected", "NotConnected"))
    ]
    hangs = {role: Circuits("/g/x", "Vpn", Reading((*tunnels,))) for role in Role}
    return build_picture(of, snapshot, judge(of, snapshot), hangs)


def render_brief(of: Site, snapshot: SiteSnapshot, screen: Screen = NARROW, *notes: str) -> str:
    return format_brief(make_picture(of, snapshot), notes, screen)


def vocabulary(whole: Picture, snapshot: SiteSnapshot) -> set[str]:
    """Return every word of a status that has all the room that it wants."""
    wide = Screen(4000)
    lines = [format_brief(whole, (), wide), status_text.format_details(whole, snapshot, (), wide)]
    lines.append(format_brief(whole, (), replace(wide, drawing=False)))
    lines.append("and 3 more group groups addresses: Tables: erfailover status --details differs")
    return {word for text in lines for word in words_of(text)}


def words_of(text: str) -> list[str]:
    """Return the words of a screen, without lines, corners and punctuation."""
    plain = re.sub(r"[═─┄│║╔╗╚╝┌┐└┘╞╡╟╢╠╣├┤|+#]|={4,}|\.{4,}|-{4,}", " ", text)
    return [word.strip(".,:;()") for word in plain.split()]


def broken_words(names: set[str], text: str, dots: str) -> list[str]:
    """Return the words that are no known word, nor one without its middle."""
    broken = []
    for word in words_of(text):
        start, cut, end = word.partition(dots)
        is_known = word in names or re.fullmatch(r"\W*|\d+", word)
        if not is_known and not (
            cut and any(name.startswith(start) and name.endswith(end) for name in names)
        ):
            broken.append(word)
    return broken


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("spokes", "kinds", "is_dark", "is_missing"), STATES)
def test_with_any_names_it_fits_the_screen(
    spokes: int, kinds: int, is_dark: bool, is_missing: bool, length: int
) -> None:
    of = long_site(spokes, length)
    snapshot = make_long_snapshot(of, kinds, dark=is_dark, missing=is_missing)
    whole = make_picture(of, snapshot)
    for screen, notes in product(SCREENS, ((), (DRILL,))):
        lines = format_brief(whole, notes, screen).splitlines()
        assert max(map(len, lines)) <= screen.width
        assert len(lines) <= LINES, "\n".join(lines)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("screen", [NARROW, WIDE, ASCII])
def test_no_word_is_broken_in_the_short_status_nor_in_the_tables(
    screen: Screen, length: int
) -> None:
    for kinds, is_dark, is_missing in ((1, False, False), (3, True, False), (6, True, True)):
        of = long_site(12, length)
        snapshot = make_long_snapshot(of, kinds, dark=is_dark, missing=is_missing)
        whole = make_picture(of, snapshot)
        names = vocabulary(whole, snapshot)
        for text in (
            format_brief(whole, (), screen),
            status_text.format_details(whole, snapshot, (), screen),
        ):
            assert broken_words(names, text, screen.dots) == [], text
            assert max(map(len, text.splitlines())) <= screen.width


def test_a_healthy_spoke_is_a_verdict_a_picture_and_where_the_tables_are() -> None:
    of = site()
    lines = render_brief(of, healthy(of)).splitlines()
    assert lines[0] == "vnet1 is on ExpressRoute; healthy. IPsec is ready to take over."
    assert lines[2].startswith("┌ spoke ─")
    assert lines[-1] == "Tables: erfailover status --details"
    assert "Peerings" not in "\n".join(lines)


def test_what_does_not_hold_stands_below_the_picture() -> None:
    of = site()
    lines = render_brief(of, dark(of)).splitlines()
    assert lines[-2:] == [
        "    FAILS  vng1: 10.4.0.253 Connecting; expected one Connected",
        "    FAILS  vng1 has not learned 10.5.0.0/16 by BGP",
    ]


def test_up_to_three_groups_are_drawn_and_it_is_said_how_they_differ() -> None:
    of = long_site(12, 21)
    text = render_brief(of, make_long_snapshot(of, 3))
    assert "┌ 12 spokes ─" in text
    assert "forwarded traffic no" in text
    assert text.count("     note  ") == 2


def test_beyond_three_groups_a_line_each_replaces_the_picture() -> None:
    of = long_site(12, 21)
    lines = render_brief(of, make_long_snapshot(of, 6), WIDE).splitlines()
    assert not any("┌" in line for line in lines)
    groups = [line for line in lines if re.match(r" ✓ \d spokes  ", line)]
    assert len(groups) == 6
    text = " ".join(" ".join(lines).split())
    assert text.count("forwarded traffic no") == 4
    assert text.count("is Initiated; a switch completes it") == 2
    assert sum(line.startswith((" ✗ vnet-h", " ✗ vnet-b")) for line in lines) == 2


def test_three_hundred_spokes_are_never_listed() -> None:
    of = long_site(300, 21)
    text = render_brief(of, make_long_snapshot(of, 1, missing=True))
    assert len(text.splitlines()) <= LINES
    assert "Disconnected" in text
    assert len(re.findall(r"vnet-\S*-erp-\d+", text)) < 6
