"""What status prints: the verdict, the picture and the tables, on every kind of screen."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from erfailover.model.circuits import Circuits
from erfailover.model.observed import BgpPeer, Reading, SiteSnapshot
from erfailover.model.peering_flags import Flags
from erfailover.model.site import Path, Role, Site
from erfailover.planning.health import judge
from erfailover.reporting.screen import Screen
from erfailover.reporting.status import text as status_text
from erfailover.reporting.status.headline import format_headline
from erfailover.reporting.terminal.picture import draw_picture
from erfailover.reporting.topology.build import build_picture
from tests.support.pictures import dark, healthy, make_mixed_snapshot, serving
from tests.support.sites import make_snapshot, make_state, peer, site

NARROW, WIDE, COLOURED = Screen(80), Screen(120), Screen(80, colour=True)
ASCII = Screen(80, drawing=False)


def text(of: Site, snapshot: SiteSnapshot, screen: Screen = NARROW, *notes: str) -> str:
    health = judge(of, snapshot)
    hangs = {role: Circuits("/g/x", "Vpn", Reading(())) for role in Role}
    return status_text.format_details(
        build_picture(of, snapshot, health, hangs), snapshot, notes, screen
    )


def draw_snapshot(of: Site, snapshot: SiteSnapshot, screen: Screen = NARROW) -> str:
    return draw_picture(build_picture(of, snapshot, judge(of, snapshot), {}), screen)


def many(count: int = 500) -> tuple[Site, SiteSnapshot]:
    of = site(*(f"spoke-of-a-shop-{number:03}" for number in range(count)))
    return of, healthy(of)


def test_the_first_line_is_the_verdict() -> None:
    of = site()
    first = text(of, healthy(of)).splitlines()[0]
    assert first == "vnet1 is on ExpressRoute; healthy. IPsec is ready to take over."
    first = text(of, dark(of)).splitlines()[0]
    assert first == "vnet1 is on ExpressRoute; NOT healthy. IPsec is ready to take over."


def test_the_verdict_on_hundreds_names_those_that_differ_and_no_others() -> None:
    of, snapshot = many(240)
    message = format_headline(judge(of, snapshot))
    assert message == "240 spokes are on ExpressRoute; healthy. IPsec is ready to take over."
    message = format_headline(judge(of, make_mixed_snapshot(of, 2)))
    assert message.startswith("238 spokes are on ExpressRoute; healthy. 2 are on IPsec (spoke-of-a")
    lost = of.build_network_id("spoke-of-a-shop-007").lower()
    networks = {key: network for key, network in snapshot.networks.items() if key != lost}
    message = format_headline(judge(of, replace(snapshot, networks=networks)))
    assert message.endswith(
        "healthy. The path of 1 is unknown: spoke-of-a-shop-007. "
        "IPsec is ready to take over 239 of 240, not spoke-of-a-shop-007."
    )


def test_a_spoke_on_no_path_is_told_as_such() -> None:
    of = site("vnet1", "vnet7")
    state = make_state(Path.EXPRESSROUTE, of) | {"vnet7-to-vnet2": (Flags(), "Connected")}
    snapshot = make_snapshot(of, state, None)
    assert "1 is on NO path: vnet7." in format_headline(judge(of, snapshot))


@pytest.mark.parametrize("screen", [NARROW, WIDE, ASCII, Screen(100), Screen(200)])
def test_no_line_is_wider_than_the_screen(screen: Screen) -> None:
    of, snapshot = many()
    hard = make_mixed_snapshot(of, 3)
    hard = replace(hard, unknown={of.build_network_id("spoke-of-a-shop-003").lower(): "timed out"})
    note = "*** A DRILL IS RUNNING: " + "word " * 30 + "\n*** To stop it: erfailover drill stop"
    small = site()
    for message in (
        text(of, snapshot, screen),
        text(of, hard, screen, note),
        text(small, dark(small), screen, note),
    ):
        assert max(map(len, message.splitlines())) <= screen.width


def test_five_hundred_spokes_fill_no_more_than_a_few_screens_and_say_what_is_left_out() -> None:
    of, snapshot = many()
    message = text(of, snapshot)
    assert len(message.splitlines()) < 150
    assert "... 980 more, all OK; all: erfailover status -o json" in message
    assert "... 498 more, 498 with origin Network; all: erfailover status -o json" in message
    assert "and 498 more like this" in message
    assert "500 spokes: ExpressRoute, healthy (" in message


def test_a_broken_peering_among_hundreds_comes_first_in_the_table() -> None:
    of, _ = many(60)
    state = make_state(Path.EXPRESSROUTE, of)
    state["vnet2-to-spoke-of-a-shop-059"] = (
        state["vnet2-to-spoke-of-a-shop-059"][0],
        "Disconnected",
    )
    snapshot = replace(healthy(of), networks=make_snapshot(of, state).networks)
    message = text(of, snapshot, Screen(100))
    table = message[message.index("Peerings") :].splitlines()
    assert table[4].startswith(" ✗  vnet2-to-spoke-of-a-shop-059")
    assert "Disconnected" in table[4]
    assert "    FAILS  vnet2-to-spoke-of-a-shop-059 is Disconnected" in message


def test_the_active_path_has_double_lines_and_what_is_down_a_sign_and_a_word() -> None:
    of = site()
    lines = draw_snapshot(of, dark(of)).splitlines()
    assert "╞══════════╣" in lines[2]
    assert "╠═══ ✗ ════╡" in lines[2]
    assert "DOWN" in lines[3]
    assert "✗ NOT learned:" in "".join(lines)
    assert "┄┄┄┄┄┄┄┄┄┄" in "".join(lines)
    assert "no peering" in "".join(lines)
    assert lines[-1].endswith("✓ ok  ✗ broken")


def test_half_moved_spokes_have_two_active_hubs_with_their_counts() -> None:
    of = site(*(f"vnet1{number}" for number in range(5)))
    message = draw_snapshot(of, make_mixed_snapshot(of, 2))
    assert "3 use it" in message
    assert "2 use it" in message
    assert message.count("╔") == 2


def test_what_is_unread_is_drawn_with_a_question_mark() -> None:
    of = site()
    message = draw_snapshot(of, make_snapshot(of, {}, (), vnet1="timed out", vnet2="timed out"))
    assert "? vng1: not read" in message
    assert "VNet: not read" in message
    assert "─ ? ─" in message


def test_without_box_characters_all_is_ascii_and_the_words_are_the_same() -> None:
    of = site()
    message = text(of, dark(of), ASCII)
    assert message.isascii()
    for word in ("X NOT healthy", "=== X ===", "DOWN", "X broken"):
        assert word in message


def test_colour_adds_nothing_but_colour() -> None:
    of = site()
    for snapshot in (healthy(of), dark(of)):
        coloured = text(of, snapshot, COLOURED)
        assert "\x1b[" in coloured
        plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
        assert [line.rstrip() for line in plain.splitlines()] == text(of, snapshot).splitlines()


def test_a_gateway_that_lists_a_peer_at_both_instances_shows_its_own_address() -> None:
    of = site()
    twice = tuple(
        BgpPeer("10.4.0.254", at, 65020, "Connected", "00:10:00", 3, 6, 6)
        for at in ("10.2.0.4", "10.2.0.5")
    )
    serves = serving(of, Role.PRIMARY, ["vnet1"], peers=Reading(twice))
    snapshot = make_snapshot(
        of, make_state(Path.EXPRESSROUTE, of), (serves, serving(of, Role.BACKUP, []))
    )
    message = text(of, snapshot)
    assert "10.4.0.254  10.2.0.5" in message
    assert "BGP 2/2" in message


def test_a_name_that_is_in_markup_of_the_library_is_printed_as_it_is() -> None:
    of = site()
    odd = serving(of, Role.BACKUP, [], peers=Reading((peer("[red]x[/red]"),)))
    snapshot = make_snapshot(
        of, make_state(Path.EXPRESSROUTE, of), (serving(of, Role.PRIMARY, ["vnet1"]), odd)
    )
    assert "[red]x[/red]" in text(of, snapshot)


def test_for_how_long_a_session_is_up_is_a_duration_for_people() -> None:
    of = site()
    peers = tuple(
        replace(peer(address), connected_duration=azure)
        for address, azure in (
            ("10.4.0.251", "00:25:06.7180580"),
            ("10.4.0.252", "1.02:00:00"),
            ("10.4.0.253", "soon"),
        )
    )
    serves = serving(of, Role.PRIMARY, ["vnet1"], peers=Reading(peers))
    snapshot = make_snapshot(
        of, make_state(Path.EXPRESSROUTE, of), (serves, serving(of, Role.BACKUP, []))
    )
    message = text(of, snapshot, WIDE)
    for name in ("Connected   25 min 7 s", "Connected   1 d 2 h", "Connected   soon"):
        assert name in message
